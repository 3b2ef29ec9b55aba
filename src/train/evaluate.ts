import { InputError } from "../base/errors.js";
import { runSteps, runStepsWithPauses } from "../base/steps.js";
import { type Dataset, isDataset } from "./datasets.js";
import { type Example, parseDocument } from "./documents.js";
import type { Trainer } from "./trainer.js";

/** Approximate number of tokens per group of evaluated documents. */
const EVALUATION_GROUP_TOKENS = 2 ** 17;

/**
 * Computes the cross-entropy of the first documents of a data set, in nats per target.
 *
 * @param window maximum tokens per document
 * @throws {InputError} no documents, or invalid documents
 */
export function evaluate(trainer: Trainer, data: Dataset, documents: number, window: number): number {
  if (!isDataset(data)) throw new InputError("evaluate: data: expected a data set, an object with a method document(index, window)");
  if (!(Number.isSafeInteger(documents) && documents >= 1)) {
    throw new InputError(`evaluate: documents: expected an integer of at least 1, got ${documents}`);
  }
  return runSteps(evaluateInGroups(trainer, data, documents, window, "evaluate"));
}

/** Computes the cross-entropy of held-out documents. Other work of the event loop runs between groups of documents. */
export function evaluateWithPauses(trainer: Trainer, data: Dataset, documents: number, window: number, where: string): Promise<number> {
  return runStepsWithPauses(evaluateInGroups(trainer, data, documents, window, where));
}

/** Evaluates documents in groups, so that memory does not grow with their number. Most calls have a single group. */
function* evaluateInGroups(
  trainer: Trainer,
  data: Dataset,
  documents: number,
  window: number,
  where: string,
): Generator<undefined, number, undefined> {
  const parts: { readonly crossEntropy: number; readonly totalWeight: number }[] = [];
  let [group, tokens, totalWeight]: [Example[], number, number] = [[], 0, 0];
  for (let i = 0; i < documents; i++) {
    const document = data.document(i, window);
    const parsed = parseDocument(document, trainer.config, `${where}: data: document ${i}`);
    group.push(document);
    tokens += parsed.ids.length;
    totalWeight += parsed.totalWeight;
    const last = i === documents - 1;
    if (tokens < EVALUATION_GROUP_TOKENS && !last) continue;
    // If no document has a target, `trainer.evaluate` throws.
    if (totalWeight > 0 || (last && parts.length === 0)) parts.push({ crossEntropy: trainer.evaluate(group).crossEntropy, totalWeight });
    [group, tokens, totalWeight] = [[], 0, 0];
    if (!last) yield;
  }
  const total = parts.reduce((sum, part) => sum + part.totalWeight, 0);
  // The result of a single group is returned without rounding.
  return parts.length === 1 ? parts[0]!.crossEntropy : parts.reduce((sum, part) => sum + (part.totalWeight / total) * part.crossEntropy, 0);
}
