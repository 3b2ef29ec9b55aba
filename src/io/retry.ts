// Decides which failed requests are retried, how often, and after what delay. Used for URLs, the hub, remote models, and by the reader
// thread.

/** Maximum delay before a retry. If a server asks for a longer delay, the request fails. */
export const MAX_RETRY_DELAY_MS = 60_000;

/** Number of transferred bytes with which an attempt resets the count of failures. */
const RETRY_RESET_BYTES = 1 << 20;

const DEFAULT_REMEDY = "check the address and the connection, and load again";

/** Number and delay of retries, and the time limit for a silent server. */
export interface RetryPolicy {
  /**
   * Number of retries of a failed request (4). Retried are the statuses 408, 425, 429 and those from 500 on, broken connections, and silent
   * servers. A silent server is retried only once.
   */
  readonly retries: number;
  /** Milliseconds before the first retry (500). The delay doubles before each further retry, up to a minute. */
  readonly retryDelayMs: number;
  /** Milliseconds without a byte after which a request counts as failed (30,000). */
  readonly stallMs: number;
}

interface TransferErrorOptions extends ErrorOptions {
  readonly remedy?: string;
  /** HTTP status, if the server answered with an error. */
  readonly status?: number;
  /** Whether the same request may succeed later. */
  readonly transient?: boolean;
  /** Whether the server sent nothing for `stallMs`. */
  readonly silent?: boolean;
  /** The delay that the server asks for, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** A failed transfer. The message ends in the remedy, in parentheses. */
export class TransferError extends Error {
  override name = "TransferError";
  readonly status: number | undefined;

  constructor(
    readonly reason: string,
    readonly details: TransferErrorOptions = {},
  ) {
    super(`${reason} (${details.remedy ?? DEFAULT_REMEDY})`, { cause: details.cause });
    this.status = details.status;
  }
}

/** Counts the failures of one transfer and waits between its attempts. */
export class RetryCounter {
  private failures = 0;
  private silences = 0;

  constructor(
    private readonly retryPolicy: RetryPolicy,
    private readonly signal?: AbortSignal,
  ) {}

  /**
   * Waits until the request may be repeated.
   *
   * @param bytes number of bytes that the failed attempt transferred
   * @throws {TransferError} the last retry failed, the server was silent twice, or it asks for too long a delay; the message gives the
   *   number of attempts. Throws `error` itself if a retry cannot help, or the signal's reason
   */
  async waitBeforeRetry(error: unknown, bytes = 0): Promise<void> {
    this.signal?.throwIfAborted();
    if (!(error instanceof TransferError) || !error.details.transient) throw error;
    const { silent, retryAfterMs = 0 } = error.details;
    if (bytes >= RETRY_RESET_BYTES) this.failures = this.silences = 0;
    this.failures++;
    if (silent) this.silences++;
    const tried = `tried ${this.failures === 1 ? "once" : `${this.failures} times`}`;
    if (retryAfterMs > MAX_RETRY_DELAY_MS) {
      const seconds = Math.ceil(retryAfterMs / 1000);
      throw new TransferError(`${error.reason}, ${tried}`, {
        ...error.details,
        remedy: `the server asks to wait ${seconds} s: load again then`,
      });
    }
    if (this.failures > this.retryPolicy.retries || this.silences > 1) throw new TransferError(`${error.reason}, ${tried}`, error.details);
    await sleep(backoffDelayMs(this.failures - 1, this.retryPolicy.retryDelayMs, retryAfterMs), this.signal);
  }
}

/** Returns the result of the first successful attempt. @throws the errors of {@link RetryCounter.waitBeforeRetry} */
export async function withRetries<T>(attempt: () => Promise<T>, retryPolicy: RetryPolicy, signal?: AbortSignal): Promise<T> {
  const retries = new RetryCounter(retryPolicy, signal);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await retries.waitBeforeRetry(error);
    }
  }
}

/** Returns whether a request with this status may succeed later. */
export function isTransientStatus(status: number): boolean {
  return [408, 425, 429].includes(status) || status >= 500;
}

/**
 * Computes the delay of retry n, counted from 0: min(retryDelayMs · 2ⁿ, 1 min) · uniform[½, 1), or the delay that the server asks for if
 * that is longer.
 */
export function backoffDelayMs(retries: number, retryDelayMs: number, askedMs = 0): number {
  return Math.max(askedMs, Math.min(retryDelayMs * 2 ** retries, MAX_RETRY_DELAY_MS) * (0.5 + Math.random() / 2));
}

/**
 * Returns the milliseconds that a `Retry-After` header asks for, which is in seconds or a date. Returns undefined if it is missing or
 * invalid.
 */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return 1000 * Number(text);
  // A time of day is required, because `Date.parse` would find a year in almost any text with a number.
  const ms = /\d\d:\d\d:\d\d/.test(text) ? Date.parse(text) - now : Number.NaN;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Waits for some milliseconds. @throws the signal's reason, as soon as it is aborted */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}
