import { RemoteError } from "../base/errors.js";
import { backoffDelayMs, MAX_RETRY_DELAY_MS, sleep } from "../io/retry.js";

export { parseRetryAfter } from "../io/retry.js";

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
export async function* withRetries<T>(
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
      if (asked > MAX_RETRY_DELAY_MS) throw error;
      await sleep(backoffDelayMs(failures, retryDelayMs, asked), signal);
    }
  }
}
