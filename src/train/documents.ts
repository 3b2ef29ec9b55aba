import { InputError } from "../base/errors.js";
import type { Config } from "../model/config.js";
import { checkIds, isTokenIds, type TokenIds } from "../model/token-ids.js";

/**
 * A document to learn from: token ids, or those with a weight of at least 0 for each token as a target (0 for a prompt's). The weight of the first token, which nothing
 * predicts, does not matter. Every document begins with a fresh state and sees no other one.
 */
export type Example = TokenIds | { readonly ids: TokenIds; readonly weights: ArrayLike<number> };

/** A document as it goes through the model, and the weight of each of its tokens as a target. */
export interface TrainingDocument {
  readonly ids: readonly number[];
  readonly weights: ArrayLike<number>;
  /** Weights of all its targets together. */
  readonly totalWeight: number;
}

/** The documents of a batch. @throws {InputError} none, ids outside the vocabulary, or weights that are none */
export function parseDocuments(batch: readonly Example[], config: Config): TrainingDocument[] {
  if (!Array.isArray(batch) || batch.length === 0) throw new InputError("Trainer: batch: expected at least one document, got none");
  return batch.map((example: Example, i) => parseDocument(example, config, `Trainer: batch[${i}]`));
}

/** One document. @throws {InputError} something else, ids outside the vocabulary, or weights that are none */
export function parseDocument(example: Example, config: Config, where: string): TrainingDocument {
  if (!isTokenIds(example) && !isTokenIds(example?.ids)) {
    throw new InputError(`${where}: expected an array of token ids, or { ids, weights }, got ${describeInvalid(example)}`);
  }
  const ids = isTokenIds(example) ? example : example.ids;
  checkIds(ids, config, where);
  const weights = isTokenIds(example) ? new Array<number>(ids.length).fill(1) : example.weights;
  if (weights?.length !== ids.length)
    throw new InputError(`${where}: weights: expected ${ids.length}, one per token, got ${weights?.length ?? "none"}`);
  let totalWeight = 0;
  for (let t = 0; t < ids.length; t++) {
    if (!(weights[t]! >= 0 && Number.isFinite(weights[t]!))) {
      throw new InputError(`${where}: weights[${t}]: expected a number of at least 0, got ${weights[t]}`);
    }
    if (t > 0) totalWeight += weights[t]!;
  }
  return { ids: Array.from(ids), weights, totalWeight };
}

/** Names a value that is no document, with the likely reason. */
function describeInvalid(value: unknown): string {
  if (value === undefined || value === null)
    return `${value} (did the data end? a data set has a document for every index: go round with index % length)`;
  if (typeof value === "string") return "text (encode it with the model's tokenizer)";
  if (typeof value !== "object") return typeof value;
  if ("then" in value && typeof value.then === "function") return "a promise (document is synchronous: load the data before the run)";
  if ("ids" in value) return `ids that are ${typeof value.ids === "string" ? "text" : value.ids === null ? "null" : typeof value.ids}`;
  return `an object without ids${ArrayBuffer.isView(value) ? " (ids are a plain array, an Int32Array or a Uint32Array)" : ""}`;
}

/** Documents in groups of at most so many tokens, or of one. */
export function splitIntoMicroBatches(documents: readonly TrainingDocument[], tokens: number): TrainingDocument[][] {
  const groups: TrainingDocument[][] = [];
  let filled = Number.POSITIVE_INFINITY;
  for (const document of documents) {
    if (filled + document.ids.length > tokens) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)!.push(document);
    filled += document.ids.length;
  }
  return groups;
}

/** The rows that predict a target that counts; and, document by document, these targets and their weights. */
export function collectTargets(documents: readonly TrainingDocument[]): { rows: number[]; targets: number[][]; weights: number[][] } {
  const rows: number[] = [];
  let begin = 0;
  const counted = documents.map(({ ids, weights }) => {
    const own = { targets: [] as number[], weights: [] as number[] };
    for (let t = 1; t < ids.length; t++) {
      if (weights[t] === 0) continue;
      rows.push(begin + t - 1);
      own.targets.push(ids[t]!);
      own.weights.push(weights[t]!);
    }
    begin += ids.length;
    return own;
  });
  return { rows, targets: counted.map(({ targets }) => targets), weights: counted.map(({ weights }) => weights) };
}
