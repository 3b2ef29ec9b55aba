import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { yieldToEventLoop } from "../base/event-loop.js";
import { count, index, number, parseOptions, signal } from "../base/options.js";
import type { Dataset } from "./datasets.js";
import { type Example, parseDocument } from "./documents.js";
import { type Schedule, scheduleFactor, scheduleSchema } from "./schedule.js";
import type { Losses, Trainer } from "./trainer.js";

/** Most tokens of a batch, which lies in memory as a whole, and of a window. */
export const MAX_BATCH_TOKENS = 2 ** 22;
/** Most documents whose loss is measured in the middle of a run. */
const MAX_HELD_OUT_DOCUMENTS = 100_000;
/** Documents are measured in groups of about so many tokens. */
const EVALUATION_GROUP_TOKENS = 2 ** 17;

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
  /** A batch takes whole documents while they fit into so many tokens, and at least one; at most 4,194,304. */
  batchTokens: number;
  /** How the trainer's learning rate moves; by default along a cosine to a tenth, without warm-up. */
  schedule?: Schedule;
  /**
   * Lengthening windows in stages, as the report lengthens contexts (section 2): the last stage in the array that has begun counts. Before the first one, and without any,
   * `batchTokens` is the window.
   */
  windows?: readonly Window[];
  /** Data that is not trained on: the loss of its first `documents` (at most 100,000), every so many steps and after the last one, in the window of that step. */
  heldOut?: { readonly data: Dataset; readonly documents: number; readonly every: number };
  /** Ends the run between two steps, by the signal's reason. */
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
    const due = heldOut && (trainer.steps % heldOut.every === 0 || trainer.steps === steps);
    yield {
      ...losses,
      step: trainer.steps,
      lr,
      tokensPerSecond: losses.tokens / seconds,
      documents: next,
      ...(due && { heldOutLoss: await heldOutLossOf(trainer, heldOut, window) }),
    };
  }
}

/**
 * Cross-entropy of the first documents of a data set, in nats per target.
 *
 * @param window most tokens of a document
 * @throws {InputError} no documents, or documents that the model cannot take
 */
export function evaluate(trainer: Trainer, data: Dataset, documents: number, window: number): number {
  if (!isDataset(data)) throw new InputError("evaluate: data: expected a data set, an object with a method document(index, window)");
  if (!(Number.isSafeInteger(documents) && documents >= 1)) {
    throw new InputError(`evaluate: documents: expected an integer of at least 1, got ${documents}`);
  }
  const groups = evaluateInGroups(trainer, data, documents, window, "evaluate");
  for (;;) {
    const { done, value } = groups.next();
    if (done) return value;
  }
}

/** The loss of held-out data; other work has its turn between groups. To its end, also after an abort: the step is done, and its metrics belong to it. */
async function heldOutLossOf(trainer: Trainer, { data, documents }: NonNullable<RunOptions["heldOut"]>, window: number): Promise<number> {
  const groups = evaluateInGroups(trainer, data, documents, window, "run: heldOut");
  for (;;) {
    const { done, value } = groups.next();
    if (done) return value;
    await yieldToEventLoop();
  }
}

/** The same group by group, so that memory does not grow with the number of documents; most calls have a single group. */
function* evaluateInGroups(
  trainer: Trainer,
  data: Dataset,
  documents: number,
  window: number,
  where: string,
): Generator<undefined, number> {
  const parts: { readonly crossEntropy: number; readonly mass: number }[] = [];
  let [group, tokens, mass]: [Example[], number, number] = [[], 0, 0];
  for (let i = 0; i < documents; i++) {
    const document = data.document(i, window);
    const { ids, totalWeight: own } = parseDocument(document, trainer.config, `${where}: data: document ${i}`);
    group.push(document);
    tokens += ids.length;
    mass += own;
    const last = i === documents - 1;
    if (tokens < EVALUATION_GROUP_TOKENS && !last) continue;
    // Without any target the trainer says what is wrong.
    if (mass > 0 || (last && parts.length === 0)) parts.push({ crossEntropy: trainer.evaluate(group).crossEntropy, mass });
    [group, tokens, mass] = [[], 0, 0];
    if (!last) yield;
  }
  const whole = parts.reduce((sum, part) => sum + part.mass, 0);
  return parts.length === 1 ? parts[0]!.crossEntropy : parts.reduce((sum, part) => sum + (part.mass / whole) * part.crossEntropy, 0);
}

function isDataset(x: unknown): x is Dataset {
  return typeof x === "object" && x !== null && "document" in x && typeof x.document === "function";
}

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
