import { RemoteError } from "../runtime/errors.js";

/** A server that asks for a longer pause is believed and not waited for. */
const LONGEST_PAUSE_MS = 60_000;

/** How often, and how soon, a request is tried again. */
export interface RetryPolicy {
  readonly retries: number;
  /** Before the first one; twice as long before each next, up to a minute. */
  readonly retryDelayMs: number;
}

/**
 * Items of the first attempt that gives any. An attempt that fails before its first item, in a way that may pass, is made again after
 * min(retryDelayMs · 2ⁿ, 1 min) · uniform[½, 1), or after what the server asks for if that is longer.
 *
 * @throws {RemoteError} of the last attempt
 */
export async function* retried<T>(
  attempt: () => AsyncGenerator<T, void, undefined>,
  { retries, retryDelayMs }: RetryPolicy,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  for (let failures = 0; ; failures++) {
    let begun = false;
    try {
      for await (const item of attempt()) {
        begun = true;
        yield item;
      }
      return;
    } catch (error) {
      if (begun || failures >= retries || !(error instanceof RemoteError) || !error.retryable) throw error;
      const asked = error.retryAfterMs ?? 0;
      if (asked > LONGEST_PAUSE_MS) throw error;
      const own = Math.min(retryDelayMs * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
      await pause(Math.max(asked, own), signal);
    }
  }
}

/** Milliseconds of a `Retry-After` header: seconds, or a date. */
export function retryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(header.trim()) ? 1000 * Number(header) : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
