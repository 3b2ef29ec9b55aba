import { type Example, parseDocuments, splitIntoMicroBatches } from "../../train/documents.js";
import { computeLikelihoods } from "../../train/likelihood.js";
import type { Trainable } from "../../train/trainer.js";

/**
 * Computes log π_ref of the target tokens of each document under the reference model, with the forward pass of training. It needs memory
 * for the model's weights and the activations of one micro-batch, but not for gradients or optimiser state.
 *
 * @param options the options of the trainer, so that all log-probabilities use the same temperature
 * @returns one array per document, one log-probability per target token
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
