import { InputError } from "../base/errors.js";
import { targetLogprobs } from "../ops/softmax.js";
import type { Tensor } from "../runtime/tensor.js";

/** A loss as a function of what the model gives the targets of some documents. */
export interface ObjectiveValue {
  readonly loss: number;
  /** dloss/dlogp, ragged as `logp`. */
  readonly dLogp: readonly ArrayLike<number>[];
}

/**
 * What is minimised, as a function of log-probabilities. A batch that goes through in parts is asked for part by part, and its losses and gradients are added up.
 *
 * @param logp one array per document, one number per target of a weight above 0, in order
 * @param first the number in the batch of the first of these documents
 */
export type Objective = (logp: readonly Float64Array[], first: number) => ObjectiveValue;

type MicroBatchObjective = (logp: readonly Float64Array[]) => ObjectiveValue;

/**
 * Weighted cross-entropy: `loss = −Σ w log p`, `dlogp = −w`, in float64.
 *
 * @param weights of the targets, ragged as `logp`; w / Σ w makes it a mean
 */
export function crossEntropy(weights: readonly (readonly number[])[]): MicroBatchObjective {
  return (logp) => {
    let loss = 0;
    const dLogp = logp.map((row, i) => {
      const own = weights[i]!;
      for (const [t, l] of row.entries()) loss -= own[t]! * l;
      return own.map((w) => -w);
    });
    return { loss, dLogp };
  };
}

/**
 * An objective of the rows' targets. On a tape its `dLogp` begins the way back.
 *
 * @param logits `[rows, vocab]`
 * @param targets one array per document, rows in all
 */
export function applyObjective(
  logits: Tensor,
  targets: readonly (readonly number[])[],
  objective: MicroBatchObjective,
): { readonly loss: number; readonly logp: readonly Float64Array[] } {
  const { rt } = logits;
  const rows = targets.flat();
  const all = targetLogprobs(logits, rt.from(rows, [rows.length], "i32"));
  const logp = splitByDocument(rt.f32(all), targets);
  const { loss, dLogp } = checkObjectiveValue(objective(logp), logp);
  const { tape } = rt;
  tape?.recordBackward([], () => {
    const d = rt.f32(tape.gradient(all));
    let r = 0;
    for (const row of dLogp) for (let t = 0; t < row.length; t++) d[r++]! += row[t]!;
  });
  return { loss, logp };
}

/** An objective is the caller's. @throws {InputError} other gradients than one finite number for each log-probability */
function checkObjectiveValue(value: ObjectiveValue, logp: readonly Float64Array[]): ObjectiveValue {
  const { dLogp } = value ?? {};
  if (dLogp?.length !== logp.length) {
    throw new InputError(`Trainer: objective: dLogp: expected ${logp.length} arrays, one per document, got ${dLogp?.length}`);
  }
  for (const [i, { length }] of logp.entries()) {
    const own = dLogp[i]!;
    if (own?.length !== length) throw new InputError(`Trainer: objective: dLogp[${i}]: expected ${length} numbers, got ${own?.length}`);
    for (let t = 0; t < length; t++) {
      if (!Number.isFinite(own[t])) throw new InputError(`Trainer: objective: dLogp[${i}][${t}]: expected a finite number, got ${own[t]}`);
    }
  }
  return value;
}

/** Numbers of all rows, document by document. */
export function splitByDocument(values: ArrayLike<number>, like: readonly { readonly length: number }[]): Float64Array[] {
  let begin = 0;
  return like.map(({ length }) => {
    const own = Float64Array.from({ length }, (_, t) => values[begin + t]!);
    begin += length;
    return own;
  });
}
