import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { yieldToEventLoop } from "../base/event-loop.js";
import { count, index, number, parseOptions, signal } from "../base/options.js";
import { type Dataset, isDataset } from "./datasets.js";
import { type Example, parseDocument } from "./documents.js";
import { evaluateWithPauses } from "./evaluate.js";
import type { Losses } from "./losses.js";
import { type Schedule, scheduleFactor, scheduleSchema } from "./schedule.js";
import type { Trainer } from "./trainer.js";

/** Maximum number of tokens per batch and per window. A whole batch is in memory at a time. */
export const MAX_BATCH_TOKENS = 2 ** 22;
/** Maximum number of held-out documents that a run evaluates. */
const MAX_HELD_OUT_DOCUMENTS = 100_000;
/** A stage of a run with its own maximum document length. */
export interface Window {
  /** Index of the first step of the stage, counted from 0. */
  readonly from: number;
  /** Maximum number of tokens per document. It is passed to `document(index, window)`. */
  readonly tokens: number;
}

export interface RunOptions {
  /** Total number of updates, including those of earlier runs. */
  steps: number;
  /**
   * Maximum number of tokens per batch, at most 4,194,304. A batch takes at least one document, and further whole documents as long as they
   * fit.
   */
  batchTokens: number;
  /** Learning rate schedule. By default, cosine decay to a tenth without warm-up. */
  schedule?: Schedule;
  /**
   * Stages with growing windows, as in the context extension of the report (section 2). A stage applies from its step `from` until the next
   * stage begins. Before the first stage, and without stages, the window is `batchTokens`.
   */
  windows?: readonly Window[];
  /**
   * Data that is not trained on. The loss of its first `documents` (at most 100,000) is computed every `every` steps and after the last
   * step. It is computed with the window of that step.
   */
  heldOut?: { readonly data: Dataset; readonly documents: number; readonly every: number };
  /** Aborts between two steps. The run throws the signal's reason. */
  signal?: AbortSignal;
}

const integerUpTo = (most: number) =>
  number(`an integer within [1, ${most.toLocaleString("en-US")}]`, (x) => Number.isSafeInteger(x) && x >= 1 && x <= most);
const batchTokens = integerUpTo(MAX_BATCH_TOKENS);
/** @internal */
export const heldOutDocuments = integerUpTo(MAX_HELD_OUT_DOCUMENTS);

const stage = v.strictObject({ from: index, tokens: batchTokens });
/** @internal */
export const runSchema = v.strictObject({
  steps: count,
  batchTokens,
  schedule: v.optional(scheduleSchema, {}),
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
      documents: heldOutDocuments,
      every: count,
    }),
  ),
  signal: v.optional(signal),
});

/** Metrics of one step. All losses except `heldOutLoss` are computed before the update. */
export interface StepMetrics extends Losses {
  /** Number of updates so far, including this one. */
  readonly step: number;
  /** Euclidean norm of all gradients together, before clipping. */
  readonly gradNorm: number;
  /** Learning rate of this step. */
  readonly lr: number;
  /** Tokens of the batch per second. The time is that of the whole step, with data, forward and backward pass, and update. */
  readonly tokensPerSecond: number;
  /** Number of documents taken so far. It is the index of the next document. */
  readonly documents: number;
  /** Cross-entropy of the held-out data after the update, in nats per token. Present only in steps that evaluate it. */
  readonly heldOutLoss?: number;
}

/**
 * Trains until the trainer has done `steps` updates, starting from its current state.
 *
 * While the body of the caller's loop runs, the trainer can be saved and the model can be used. Other work of the event loop runs between
 * steps; a step itself is one synchronous call.
 *
 * After `trainer.restore(trainer.save())`, even in another process, the numbers equal those of an uninterrupted run. This holds for the
 * same options, data and build, and for any number of threads.
 *
 * @throws {InputError} invalid options or documents, including empty documents
 * @throws {LightningError} a non-finite loss or gradient; the weights remain as after the previous step
 */
export async function* run(trainer: Trainer, data: Dataset, options: RunOptions): AsyncGenerator<StepMetrics> {
  if (!isDataset(data)) throw new InputError("run: data: expected a data set, an object with a method document(index, window)");
  const { steps, batchTokens, schedule, windows, heldOut, signal } = parseOptions(runSchema, options, "run");
  while (trainer.steps < steps) {
    await yieldToEventLoop();
    signal?.throwIfAborted();
    const begin = performance.now();
    const window = windows.findLast(({ from }) => from <= trainer.steps)?.tokens ?? batchTokens;
    const { batch, next } = takeBatch(trainer, data, batchTokens, window);
    const lr = trainer.options.lr * scheduleFactor(trainer.steps, steps, schedule);
    const losses = trainer.step(batch, lr);
    trainer.documents = next;
    const seconds = (performance.now() - begin) / 1000;
    // The held-out data is evaluated even if the signal has aborted, because the step is done and the loss belongs to its metrics.
    const due = heldOut && (trainer.steps % heldOut.every === 0 || trainer.steps === steps);
    yield {
      ...losses,
      step: trainer.steps,
      lr,
      tokensPerSecond: losses.tokens / seconds,
      documents: next,
      ...(due && { heldOutLoss: await evaluateWithPauses(trainer, heldOut.data, heldOut.documents, window, "run: heldOut") }),
    };
  }
}

/**
 * Takes at least one document, and further documents as long as they fit into the batch. Returns the documents and the index of the next
 * one.
 */
function takeBatch(trainer: Trainer, data: Dataset, batchTokens: number, window: number): { batch: Example[]; next: number } {
  const batch: Example[] = [];
  let next = trainer.documents;
  for (let tokens = 0; tokens < batchTokens; next++) {
    const document = data.document(next, window);
    const { length } = parseDocument(document, trainer.config, `run: data: document ${next}`).ids;
    if (batch.length > 0 && tokens + length > batchTokens) break;
    batch.push(document);
    tokens += length;
  }
  return { batch, next };
}
