import { type Example, parseDocuments, splitIntoMicroBatches } from "../../train/documents.js";
import { computeLikelihoods } from "../../train/likelihood.js";
import type { Trainable } from "../../train/trainer.js";

/**
 * log π_ref of the targets of each document, under a model that is not trained, in the form of training. Needs the model's weights and the activations of one part, and neither gradients nor moments.
 *
 * @param options of the trainer: both log-probabilities are taken at the same temperature
 */
export function referenceLogprobs(
  { transformer }: Trainable,
  batch: readonly Example[],
  { microBatchTokens, temperature }: { readonly microBatchTokens: number; readonly temperature: number },
): Float64Array[] {
  return splitIntoMicroBatches(parseDocuments(batch, transformer.config), microBatchTokens)
    .flatMap((part) => transformer.rt.scope(() => computeLikelihoods(transformer, part, temperature)))
    .map(({ logp }) => logp);
}
