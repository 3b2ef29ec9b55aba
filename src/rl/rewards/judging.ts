import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, index, milliseconds, millisecondsFromZero } from "../../base/options.js";

/** How judges are called. The defaults suit judges that ask a server; judges that answer at once are not slowed down. */
export interface JudgingOptions {
  /** Most judgements under way at a time (16). */
  concurrency?: number;
  /** How often a judgement that failed or timed out is tried again (2). */
  retries?: number;
  /** Milliseconds before the first retry (500); each further retry waits twice as long, at most 30 seconds. */
  backoffMs?: number;
  /** Milliseconds after which an attempt counts as failed and its signal aborts (120,000); Infinity sets no limit. */
  timeoutMs?: number;
}

const MAX_BACKOFF_MS = 30_000;

/** @internal */
export const judgingOptions = v.strictObject({
  concurrency: v.optional(count, 16),
  retries: v.optional(index, 2),
  backoffMs: v.optional(millisecondsFromZero, 500),
  timeoutMs: v.optional(milliseconds, 120_000),
});
/** The options with their defaults in place. */
export type JudgingSettings = v.InferOutput<typeof judgingOptions>;

/** Asks for one judgement. It throws if that failed. */
export type JudgeCall<T> = (signal: AbortSignal) => T | Promise<T>;

/** What became of a call: its value, or the error of its last attempt. */
export type JudgeOutcome<T> = (
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: Error }
) & {
  /** Attempts beyond the first. */
  readonly retries: number;
};

/**
 * Makes all calls, at most `concurrency` at a time, and repeats those that fail. Calls begin in order.
 *
 * @param signal ends everything at once: waiting calls never begin, and the signals of running ones abort
 * @throws {InputError} from a call: a mistake in the judge itself, which no repetition mends
 */
export async function callJudges<T>(
  calls: readonly JudgeCall<T>[],
  settings: JudgingSettings,
  signal?: AbortSignal,
): Promise<JudgeOutcome<T>[]> {
  const outcomes = new Array<JudgeOutcome<T>>(calls.length);
  const attempts = new RunningCalls();
  let next = 0;
  const worker = async () => {
    while (!attempts.ended && next < calls.length) {
      const i = next++;
      outcomes[i] = await callWithRetries(calls[i]!, settings, attempts);
    }
  };
  try {
    await rejectOnAbort(Promise.all(Array.from({ length: Math.min(settings.concurrency, calls.length) }, worker)), signal);
  } finally {
    attempts.end(signal?.reason);
  }
  return outcomes;
}

/** One call with its retries. */
async function callWithRetries<T>(
  call: JudgeCall<T>,
  { retries, backoffMs, timeoutMs }: JudgingSettings,
  attempts: RunningCalls,
): Promise<JudgeOutcome<T>> {
  for (let attempt = 0; ; attempt++) {
    try {
      return { value: await attempts.run(timeoutMs, call), retries: attempt };
    } catch (error) {
      if (error instanceof InputError || attempts.ended) throw error;
      if (attempt === retries) return { error: error instanceof Error ? error : new Error(String(error)), retries: attempt };
      await attempts.run(Math.min(backoffMs * 2 ** attempt, MAX_BACKOFF_MS), never).catch(() => {});
      if (attempts.ended) throw error;
    }
  }
}

const never = () => new Promise<never>(() => {});

/** Whatever is under way, each with a time limit and a signal of its own, so that the caller's signal has one listener for all of them. */
class RunningCalls {
  ended = false;
  private readonly controllers = new Set<AbortController>();

  /** What a call gives within a time. Rejects at the end of the time, and at the end of all. */
  run<T>(timeoutMs: number, call: JudgeCall<T>): Promise<T> {
    const controller = new AbortController();
    const { signal } = controller;
    this.controllers.add(controller);
    const timer = setTimeout(() => controller.abort(new DOMException(`no judgement within ${timeoutMs} ms`, "TimeoutError")), timeoutMs);
    return new Promise<T>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      Promise.resolve(signal).then(call).then(resolve, reject);
    }).finally(() => {
      clearTimeout(timer);
      this.controllers.delete(controller);
    });
  }

  end(reason: unknown): void {
    this.ended = true;
    for (const controller of this.controllers) controller.abort(reason);
  }
}

/** What comes, unless the signal is first. */
function rejectOnAbort<T>(coming: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return coming;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    coming.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
