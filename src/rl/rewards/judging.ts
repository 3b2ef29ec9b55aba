import * as v from "valibot";
import { rejectOnAbort } from "../../base/abort.js";
import { InputError } from "../../base/errors.js";
import { count, index, milliseconds, millisecondsFromZero } from "../../base/options.js";

/** Concurrency, retries and time limits of judges. The defaults suit judges that call a server; they do not slow down local judges. */
export interface JudgingOptions {
  /** Maximum number of concurrent calls (16). */
  concurrency?: number;
  /** Maximum number of retries of a call that failed or timed out (2). */
  retries?: number;
  /** Milliseconds before the first retry (500). Each further retry waits twice as long, up to 30 seconds. */
  backoffMs?: number;
  /** Milliseconds after which a call counts as failed and its signal aborts (120,000). Infinity sets no limit. */
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
/** {@link JudgingOptions} with defaults applied. */
export type JudgingSettings = v.InferOutput<typeof judgingOptions>;

/** Requests one judgement. Throws or rejects if the request fails. */
export type JudgeCall<T> = (signal: AbortSignal) => T | Promise<T>;

/** The result of a call: its value, or the error of its last attempt. */
export type JudgeOutcome<T> = (
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: Error }
) & {
  /** Number of attempts after the first. */
  readonly retries: number;
};

/**
 * Runs all calls, at most `concurrency` at a time, and retries failed calls. Calls start in order.
 *
 * @param signal cancels everything: waiting calls do not start, and the signals of running calls abort
 * @returns one outcome per call, in the order of the calls
 * @throws {InputError} a call threw an InputError, which indicates a bug in the judge that a retry would not fix
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

/** Runs one call with its retries. */
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

/** Tracks the running calls. Each call has its own time limit and signal, so that the caller's signal needs only one listener. */
class RunningCalls {
  ended = false;
  private readonly controllers = new Set<AbortController>();

  /** Runs a call. Rejects when its time limit has passed or when {@link end} is called. */
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

  /** Aborts all running calls. */
  end(reason: unknown): void {
    this.ended = true;
    for (const controller of this.controllers) controller.abort(reason);
  }
}
