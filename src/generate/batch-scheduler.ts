import { yieldToEventLoop } from "../base/event-loop.js";
import type { Transformer } from "../model/transformer.js";
import { take } from "../ops/route.js";
import { logSoftmax } from "../ops/softmax.js";
import { slice, type Tensor } from "../runtime/tensor.js";
import { Sequence } from "./sequence.js";

/** A request to compute pending tokens of one sequence in the next forward pass. */
export interface StepRequest<Result> {
  readonly sequence: Sequence;
  /** Number of tokens. */
  readonly count: number;
  /** Maximum total number of prompt tokens in a pass that runs this request. */
  readonly chunk: number;
  /** Cancels the request if no pass has run it yet. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called during the pass with the logits and log-probabilities after the last token, each of shape `[1, vocab]`. It is called only if the
   * sequence has no more pending tokens after the pass.
   */
  onLogits?(logits: Tensor, logprobs: Tensor): Result;
}

interface QueuedRequest {
  readonly request: StepRequest<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/**
 * Maximum number of prompt tokens in a pass that also decodes. It limits the delay of the decoding sequences. A single prompt may exceed
 * it.
 */
const MAX_PREFILL_TOKENS_WITH_DECODE = 256;

/**
 * Number of turns of the event loop without a new request after which a pass begins. A server accepts a connection in one turn and reads
 * its request in a later one.
 */
const IDLE_TURNS_BEFORE_PASS = 3;

/**
 * Runs the forward passes of one model, shared by all its generations (continuous batching). Each generation queues its next chunk. A pass
 * runs all queued requests, or as many as fit. Sequences can join or leave between passes.
 *
 * The result of a row does not depend on the other rows of a pass. Batching therefore affects latency, never results.
 */
export class BatchScheduler {
  private static readonly schedulers = new WeakMap<Transformer, BatchScheduler>();
  private waiting: QueuedRequest[] = [];
  private scheduled = false;
  /** Whether the last pass computed only prompts while single tokens were queued. */
  private prefillWentFirst = false;

  private constructor(private readonly transformer: Transformer) {}

  /** Returns the scheduler of a model. It is created on first use. */
  static of(transformer: Transformer): BatchScheduler {
    const scheduler = BatchScheduler.schedulers.get(transformer) ?? new BatchScheduler(transformer);
    BatchScheduler.schedulers.set(transformer, scheduler);
    return scheduler;
  }

  /**
   * Runs the request in the next pass that has room for it, and returns the result of `onLogits`.
   *
   * A request that is cancelled, cannot be continued, runs out of memory or throws in `onLogits` does not affect the others. If the pass
   * itself fails, all its requests fail.
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

  /**
   * Waits for further requests, because a request that misses a pass waits until that pass ends. Stops after `IDLE_TURNS_BEFORE_PASS` turns
   * without a new request, or after `MAX_PREFILL_TOKENS_WITH_DECODE` new tokens. If only one token is queued, waits for a single turn,
   * because the pass of one token is short.
   */
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

  /** Drops requests that cannot run any more and returns the number of tokens in the others. */
  private countWaitingTokens(): number {
    this.waiting = this.waiting.filter(isRunnable);
    return this.waiting.reduce((sum, { request }) => sum + request.count, 0);
  }

  /**
   * Takes the requests of the next pass from the queue: all single tokens, and as many prompts as fit, in order of arrival. All other
   * requests stay queued.
   *
   * The total number of prompt tokens is limited by the smallest `chunk` of the prompts and, if there are single tokens, by
   * `MAX_PREFILL_TOKENS_WITH_DECODE`. If the first prompt exceeds the limit, it is the only prompt.
   *
   * If several prompts fill more than half of the limit, they run alone, and the single tokens run in the next pass. This delays the single
   * tokens only a little, and the prompts start sooner.
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
    const requests = chosen.map(({ request }) => request);
    try {
      rt.scope(() => {
        const ends = [...requests.keys()].filter((i) => requests[i]!.onLogits && requests[i]!.count === requests[i]!.sequence.pending);
        const { hidden, last } = Sequence.forwardPending(transformer, requests);
        if (ends.length === 0) return;
        const rows = ends.map((i) => last[i]!);
        const logits = transformer.logits(take(hidden, rows));
        const logprobs = logSoftmax(logits);
        for (const [row, i] of ends.entries()) {
          const [own, ownLogprobs] = [slice(logits, row, row + 1), slice(logprobs, row, row + 1)];
          rejectOnError(chosen[i]!, ({ request, resolve }) => resolve(rt.scope(() => request.onLogits!(own, ownLogprobs))));
        }
      });
      // Resolves requests without a result. Requests with a result are already resolved.
      for (const { resolve } of chosen) resolve(undefined);
    } catch (error) {
      for (const { reject } of chosen) reject(error);
    }
  }
}

/** Returns whether a request is not cancelled and its cache is usable. If it returns false, it has rejected this request. */
function isRunnable(waiting: QueuedRequest): boolean {
  return rejectOnError(waiting, ({ request: { signal, sequence } }) => {
    signal?.throwIfAborted();
    sequence.cache.expectUsable();
  });
}

/** Allocates cache memory for the tokens of a request. If that fails, it rejects only this request and returns false. */
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
