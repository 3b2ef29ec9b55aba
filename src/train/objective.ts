import { InputError } from "../base/errors.js";
import { targetLogprobs } from "../ops/softmax.js";
import type { Tensor } from "../runtime/tensor.js";

/** The value and the gradient of an objective. */
export interface ObjectiveValue {
  readonly loss: number;
  /** dloss/dlogp as one array per document, in the shape of `logp`. */
  readonly dLogp: readonly ArrayLike<number>[];
}

/**
 * A function of log-probabilities that training minimises. It is called once per micro-batch. Losses and gradients of the micro-batches are
 * added up.
 *
 * @param logp one array per document, with one number per target of a weight above 0, in order
 * @param first index of the first of these documents in the batch
 */
export type Objective = (logp: readonly Float64Array[], first: number) => ObjectiveValue;

type MicroBatchObjective = (logp: readonly Float64Array[]) => ObjectiveValue;

/**
 * Creates a weighted cross-entropy: `loss = −Σ w log p`, `dlogp = −w`, in float64.
 *
 * @param weights of the targets, in the shape of `logp`. Weights w / Σ w give a mean
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
 * Evaluates an objective on the log-probabilities of the targets. Under a tape, `dLogp` becomes the output gradient of the backward pass.
 *
 * @param logits `[rows, vocab]`
 * @param targets one array per document, with one target per row in total
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

/** Checks the result of a caller's objective. @throws {InputError} gradients that are not one finite number per log-probability */
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

/** Splits the numbers of all rows into one array per document. */
export function splitByDocument(values: ArrayLike<number>, like: readonly { readonly length: number }[]): Float64Array[] {
  let begin = 0;
  return like.map(({ length }) => {
    const own = Float64Array.from({ length }, (_, t) => values[begin + t]!);
    begin += length;
    return own;
  });
}
