import { RemoteError } from "../base/errors.js";
import { backoffDelayMs, MAX_RETRY_DELAY_MS, sleep } from "../io/retry.js";

/** Number and delay of retries. */
export interface StreamRetryOptions {
  readonly retries: number;
  /** Milliseconds before the first retry. The delay doubles with each further retry, up to a minute. */
  readonly retryDelayMs: number;
}

/**
 * Yields the items of the first attempt that yields any. If an attempt fails before its first item with a retryable error, another attempt
 * follows. The delay is min(retryDelayMs · 2ⁿ, 1 min) · uniform[½, 1), or the server's `Retry-After` if that is longer.
 *
 * @throws {RemoteError} the error of the last attempt, also if the server asks for a delay of more than a minute
 */
export async function* retryStream<T>(
  attempt: () => AsyncGenerator<T, void, undefined>,
  { retries, retryDelayMs }: StreamRetryOptions,
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
