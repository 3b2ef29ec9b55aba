import { InputError } from "../base/errors.js";
import type { Config } from "../model/config.js";
import { checkIds, isTokenIds, type TokenIds } from "../model/token-ids.js";

/**
 * A training document: token ids, or token ids with the weight of each token as a target. Weights are at least 0; the tokens of a prompt
 * have weight 0. The weight of the first token is ignored, because nothing predicts it. Every document starts with an empty state.
 */
export type Example = TokenIds | { readonly ids: TokenIds; readonly weights: ArrayLike<number> };

/** A validated document, with the weight of each token as a target. */
export interface TrainingDocument {
  readonly ids: readonly number[];
  readonly weights: ArrayLike<number>;
  /** Sum of the weights of the document's targets. */
  readonly totalWeight: number;
}

/** Validates the documents of a batch. @throws {InputError} no documents, ids outside the vocabulary, or invalid weights */
export function parseDocuments(batch: readonly Example[], config: Config): TrainingDocument[] {
  if (!Array.isArray(batch) || batch.length === 0) throw new InputError("Trainer: batch: expected at least one document, got none");
  return batch.map((example: Example, i) => parseDocument(example, config, `Trainer: batch[${i}]`));
}

/** Validates a document. @throws {InputError} not a document, ids outside the vocabulary, or invalid weights */
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

/** Describes a value that is not a document, for the end of a message. A remedy may follow as a second sentence. */
function describeInvalid(value: unknown): string {
  if (value === undefined || value === null)
    return `${value}. If the data has ended, repeat it with index % length: a data set needs a document for every index.`;
  if (typeof value === "string") return "text. Encode it with the model's tokenizer.";
  if (typeof value !== "object") return typeof value;
  if ("then" in value && typeof value.then === "function")
    return "a promise. The method document is synchronous, so load the data before the run.";
  if ("ids" in value) return `ids that are ${typeof value.ids === "string" ? "text" : value.ids === null ? "null" : typeof value.ids}`;
  return `an object without ids${ArrayBuffer.isView(value) ? ". Use a plain array, an Int32Array or a Uint32Array of ids." : ""}`;
}

/** Groups documents into micro-batches. A micro-batch has at most `tokens` tokens, or consists of a single longer document. */
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

/** Collects the rows that predict a target with a weight above 0. For each document, also collects these targets and their weights. */
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
