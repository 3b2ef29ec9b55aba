import * as v from "valibot";
import { InputError } from "../runtime/errors.js";
import { count, index, parseOptions, signal } from "../runtime/options.js";
import { pause } from "../runtime/pause.js";
import type { Dataset } from "./data.js";
import type { Example } from "./documents.js";
import { rateAt, type Schedule, schedule } from "./schedule.js";
import type { Losses, Trainer } from "./trainer.js";

/** Documents of at most so many tokens from a step on. */
export interface Window {
  /** The first step of the stage, counted from 0. */
  readonly from: number;
  /** Most tokens of a document: what `document(index, window)` is asked for. */
  readonly tokens: number;
}

export interface RunOptions {
  /** Updates in all, those of earlier runs included. */
  steps: number;
  /** A batch takes whole documents while they fit into so many tokens, and at least one. */
  batchTokens: number;
  /** How the trainer's learning rate moves; by default along a cosine to a tenth, without warm-up. */
  schedule?: Schedule;
  /**
   * Lengthening windows in stages, as the report lengthens contexts (section 2): the last stage in the array that has begun counts. Before the first one, and without any,
   * `batchTokens` is the window.
   */
  windows?: readonly Window[];
  /** Data that is not trained on: the loss of its first `documents`, every so many steps and after the last one, in the window of that step. */
  heldOut?: { readonly data: Dataset; readonly documents: number; readonly every: number };
  /** Ends the run between two steps, by the signal's reason. */
  signal?: AbortSignal;
}

const stage = v.strictObject({ from: index, tokens: count });
/** @internal */
export const runOptions = v.strictObject({
  steps: count,
  batchTokens: count,
  schedule: v.optional(schedule, {}),
  windows: v.optional(
    v.pipe(
      v.array(stage, "an array of { from, tokens }"),
      v.check((stages) => stages.every(({ from }, i) => i === 0 || stages[i - 1]!.from < from), "stages by ascending steps"),
    ),
    [],
  ),
  heldOut: v.optional(
    v.strictObject({
      data: v.custom<Dataset>(isDataset, "a data set"),
      documents: count,
      every: count,
    }),
  ),
  signal: v.optional(signal),
});

/** What one step of a run was like; losses are those before its update, but `heldOutLoss`. */
export interface StepMetrics extends Losses {
  /** Updates so far, this one included. */
  readonly step: number;
  /** Euclidean norm of all gradients together, before clipping. */
  readonly gradNorm: number;
  /** Learning rate of this step. */
  readonly lr: number;
  /** Tokens of the batch over the time that making it, going through it both ways and the update took. */
  readonly tokensPerSecond: number;
  /** Documents taken so far: the number of the next one. */
  readonly documents: number;
  /** Cross-entropy of held-out data in nats per token, after the update of a step at which it is due. */
  readonly heldOutLoss?: number;
}

/**
 * Trains until `steps` updates are done, from wherever the trainer stands: after `trainer.restore(trainer.save())`, in another process too, the numbers are those of
 * one uninterrupted run with the same options, data and build, whatever the number of threads. Between two steps, while the loop's body runs, the trainer can be saved and the
 * model used. Other work has its turn between steps; a step itself is one synchronous call.
 *
 * @throws {InputError} options that do not fit, or documents that the model cannot take, an empty one among them
 * @throws {LightningError} a loss or a gradient that is not finite; the weights are those of the step before
 */
export async function* run(trainer: Trainer, data: Dataset, options: RunOptions): AsyncGenerator<StepMetrics> {
  if (!isDataset(data)) throw new InputError("run: data: expected a data set, an object with a method document(index, window)");
  const { steps, batchTokens, schedule, windows, heldOut, signal } = parseOptions(runOptions, options, "run");
  while (trainer.steps < steps) {
    await pause();
    signal?.throwIfAborted();
    const begin = performance.now();
    const window = windows.findLast(({ from }) => from <= trainer.steps)?.tokens ?? batchTokens;
    const { batch, next } = batchFrom(data, trainer.documents, batchTokens, window);
    const lr = trainer.options.lr * rateAt(trainer.steps, steps, schedule);
    const losses = trainer.step(batch, lr);
    trainer.documents = next;
    const seconds = (performance.now() - begin) / 1000;
    const due = heldOut && (trainer.steps % heldOut.every === 0 || trainer.steps === steps);
    yield {
      ...losses,
      step: trainer.steps,
      lr,
      tokensPerSecond: losses.tokens / seconds,
      documents: next,
      ...(due && { heldOutLoss: evaluate(trainer, heldOut.data, heldOut.documents, window) }),
    };
  }
}

/**
 * Cross-entropy of the first documents of a data set, in nats per target.
 *
 * @param window most tokens of a document
 * @throws {InputError} documents that the model cannot take
 */
export function evaluate(trainer: Trainer, data: Dataset, documents: number, window: number): number {
  return trainer.evaluate(Array.from({ length: documents }, (_, i) => data.document(i, window))).crossEntropy;
}

function isDataset(x: unknown): x is Dataset {
  return typeof x === "object" && x !== null && "document" in x && typeof x.document === "function";
}

function batchFrom(data: Dataset, from: number, batchTokens: number, window: number): { batch: Example[]; next: number } {
  const batch: Example[] = [];
  let next = from;
  for (let tokens = 0; tokens < batchTokens; next++) {
    const document = data.document(next, window);
    const length = "ids" in document ? document.ids.length : document.length;
    if (!(length > 0)) throw new InputError(`run: data: document ${next}: expected at least one token, got none`);
    if (batch.length > 0 && tokens + length > batchTokens) break;
    batch.push(document);
    tokens += length;
  }
  return { batch, next };
}
