import { yieldToEventLoop } from "../base/event-loop.js";
import type { Transformer } from "../model/transformer.js";
import { take } from "../ops/route.js";
import { logSoftmax } from "../ops/softmax.js";
import { slice, type Tensor } from "../runtime/tensor.js";
import { Sequence } from "./sequence.js";

/** Pending tokens of one sequence, to be taken in by the next pass. */
export interface StepRequest<Result> {
  readonly sequence: Sequence;
  /** How many of them. */
  readonly count: number;
  /** Most tokens of prompts, its own included, in the pass that takes it in. */
  readonly chunk: number;
  /** Withdraws it, as long as no pass has taken it in. */
  readonly signal?: AbortSignal | undefined;
  /**
   * What becomes of the logits and log-probabilities after its last token, `[1, vocab]` each: called within the pass, and only if no
   * token of the sequence is pending any more.
   */
  onLogits?(logits: Tensor, logprobs: Tensor): Result;
}

interface QueuedRequest {
  readonly request: StepRequest<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Tokens of prompts that a pass may take in beside sequences under way, if more than one prompt waits: they all wait for each other's. */
const MAX_PREFILL_TOKENS_WITH_DECODE = 256;

/** Turns of the event loop without anything new, before a pass begins: a server takes in a connection a turn, and reads from it in a later one. */
const IDLE_TURNS_BEFORE_PASS = 3;

/**
 * The passes of one model, which all its generations share: whatever waits when a pass begins goes along with it or, where too much waits, with one of the next. A sequence therefore
 * joins and leaves the running batch at any pass, and one whose tokens nobody asks for is left out.
 *
 * A row's numbers do not depend on the rows beside it, so nobody notices the others but by the time a pass takes.
 */
export class BatchScheduler {
  private static readonly schedulers = new WeakMap<Transformer, BatchScheduler>();
  private waiting: QueuedRequest[] = [];
  private scheduled = false;
  /** Whether the latest pass was of prompts alone, that single tokens had to wait for. */
  private prefillWentFirst = false;

  private constructor(private readonly transformer: Transformer) {}

  /** The one of this model. */
  static of(transformer: Transformer): BatchScheduler {
    const scheduler = BatchScheduler.schedulers.get(transformer) ?? new BatchScheduler(transformer);
    BatchScheduler.schedulers.set(transformer, scheduler);
    return scheduler;
  }

  /**
   * Takes the piece in with the next pass that has room for it, and gives what `onLogits` made of it. If it fails, the others do not.
   *
   * @throws the signal's reason; {SessionError} a state that cannot be continued; {MemoryError} no room for its state
   */
  step<Result>(request: StepRequest<Result>): Promise<Result | undefined> {
    return new Promise<unknown>((resolve, reject) => {
      this.waiting.push({ request, resolve, reject });
      this.schedule();
    }) as Promise<Result | undefined>;
  }

  private async schedule(): Promise<void> {
    if (this.scheduled) return;
    this.scheduled = true;
    await this.waitForRequests();
    this.scheduled = false;
    this.runBatch(this.takeNextBatch().filter(reserveCache));
    if (this.waiting.length > 0) void this.schedule();
  }

  /** Waits for what is on its way, up to what a pass has room for: whoever misses a pass waits for all of it. A lone token's pass is too short for that. */
  private async waitForRequests(): Promise<void> {
    await yieldToEventLoop();
    let tokens = this.countWaitingTokens();
    const full = tokens + MAX_PREFILL_TOKENS_WITH_DECODE;
    for (let quiet = 0; quiet < IDLE_TURNS_BEFORE_PASS && tokens > 1 && tokens < full; ) {
      await yieldToEventLoop();
      const before = tokens;
      tokens = this.countWaitingTokens();
      quiet = tokens > before ? 0 : quiet + 1;
    }
  }

  /** Tokens that wait, when those that nobody wants any more are gone. */
  private countWaitingTokens(): number {
    this.waiting = this.waiting.filter(isRunnable);
    return this.waiting.reduce((sum, { request }) => sum + request.count, 0);
  }

  /**
   * All single tokens, and of prompts what has waited longest, up to the smallest chunk among them, and beside single tokens up to `MAX_PREFILL_TOKENS_WITH_DECODE`.
   * More than half a crowd goes ahead alone, and the single tokens with the pass after it: hardly later for them, and sooner for the
   * prompts. The rest waits on.
   */
  private takeNextBatch(): QueuedRequest[] {
    const singles = this.waiting.filter(({ request }) => request.count === 1);
    const prompts: QueuedRequest[] = [];
    let room = singles.length > 0 ? MAX_PREFILL_TOKENS_WITH_DECODE : Number.POSITIVE_INFINITY;
    let tokens = 0;
    for (const one of this.waiting) {
      const { count, chunk } = one.request;
      if (count === 1) continue;
      if (tokens > 0 && tokens + count > Math.min(room, chunk)) continue;
      prompts.push(one);
      [tokens, room] = [tokens + count, Math.min(room, chunk)];
    }
    this.prefillWentFirst =
      !this.prefillWentFirst && singles.length > 0 && prompts.length > 1 && tokens > MAX_PREFILL_TOKENS_WITH_DECODE / 2;
    const chosen = new Set(this.prefillWentFirst ? prompts : [...singles, ...prompts]);
    const all = this.waiting;
    this.waiting = all.filter((one) => !chosen.has(one));
    return all.filter((one) => chosen.has(one));
  }

  private runBatch(chosen: readonly QueuedRequest[]): void {
    if (chosen.length === 0) return;
    const { transformer } = this;
    const { rt } = transformer;
    const pieces = chosen.map(({ request }) => request);
    try {
      rt.scope(() => {
        const ends = [...pieces.keys()].filter((i) => pieces[i]!.onLogits && pieces[i]!.count === pieces[i]!.sequence.pending);
        const { hidden, last } = Sequence.forwardPending(transformer, pieces);
        if (ends.length === 0) return;
        const rows = ends.map((i) => last[i]!);
        const logits = transformer.logits(take(hidden, rows));
        const logprobs = logSoftmax(logits);
        for (const [row, i] of ends.entries()) {
          const [own, ownLogprobs] = [slice(logits, row, row + 1), slice(logprobs, row, row + 1)];
          rejectOnError(chosen[i]!, ({ request, resolve }) => resolve(rt.scope(() => request.onLogits!(own, ownLogprobs))));
        }
      });
      // Settles those without a result; the others are settled already.
      for (const { resolve } of chosen) resolve(undefined);
    } catch (error) {
      for (const { reject } of chosen) reject(error);
    }
  }
}

/** Whether a piece can still be taken in; if not, it fails here, alone. */
function isRunnable(waiting: QueuedRequest): boolean {
  return rejectOnError(waiting, ({ request: { signal, sequence } }) => {
    signal?.throwIfAborted();
    sequence.cache.expectUsable();
  });
}

/** Makes room for a piece's state; where there is none, it fails here, alone. */
function reserveCache(waiting: QueuedRequest): boolean {
  return rejectOnError(waiting, ({ request: { sequence, count } }) => sequence.cache.reserve(count));
}

function rejectOnError(waiting: QueuedRequest, body: (waiting: QueuedRequest) => void): boolean {
  try {
    body(waiting);
    return true;
  } catch (error) {
    waiting.reject(error);
    return false;
  }
}
