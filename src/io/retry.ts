// When a request is made again, and how long that takes. Used by URLs, the hub, the thread that reads, and remote models.

/** Longest pause before a request is made again. If a server asks for a longer one, the request fails instead. */
export const MAX_RETRY_DELAY_MS = 60_000;

/** A try that brought this many bytes counts as a success: the ones after it start counting anew. */
const RETRY_RESET_BYTES = 1 << 20;

const DEFAULT_REMEDY = "check the address and the connection, and load again";

/** How long, and how often, a server is waited for. */
export interface RetryPolicy {
  /** How often a failed request is made again (4): statuses 408, 425, 429 and from 500 on, broken connections, and silence, which counts twice at most. */
  readonly retries: number;
  /** Milliseconds before the first retry (500); they double before each further one, up to a minute. */
  readonly retryDelayMs: number;
  /** After so many milliseconds without a byte a request counts as failed (30,000). */
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
  /** How long the server asks to wait. */
  readonly retryAfterMs?: number;
}

/** Why bytes could not be fetched. The message ends in the remedy, in parentheses. */
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

/** Counts the failures of one transfer and pauses between its tries. */
export class RetryCounter {
  private failures = 0;
  private silences = 0;

  constructor(
    private readonly patience: RetryPolicy,
    private readonly signal?: AbortSignal,
  ) {}

  /**
   * Returns after a pause if the request may be made again.
   *
   * @param bytes how many the failed try brought
   * @throws {TransferError} with the number of tries, if `error` is final, the last retry failed, or the server was silent twice; the signal's reason
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
    if (this.failures > this.patience.retries || this.silences > 1) throw new TransferError(`${error.reason}, ${tried}`, error.details);
    await sleep(backoffDelayMs(this.failures - 1, this.patience.retryDelayMs, retryAfterMs), this.signal);
  }
}

/** What the first attempt gives that succeeds. @throws what {@link RetryCounter.waitBeforeRetry} throws */
export async function withRetries<T>(attempt: () => Promise<T>, patience: RetryPolicy, signal?: AbortSignal): Promise<T> {
  const tries = new RetryCounter(patience, signal);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await tries.waitBeforeRetry(error);
    }
  }
}

/** Whether a request that was answered with this status may succeed later. */
export function isTransientStatus(status: number): boolean {
  return [408, 425, 429].includes(status) || status >= 500;
}

/** min(retryDelayMs · 2ⁿ, 1 min) · uniform[½, 1) after n earlier retries, or what the server asks for if that is longer. */
export function backoffDelayMs(retries: number, retryDelayMs: number, askedMs = 0): number {
  return Math.max(askedMs, Math.min(retryDelayMs * 2 ** retries, MAX_RETRY_DELAY_MS) * (0.5 + Math.random() / 2));
}

/** Milliseconds of a `Retry-After` header: seconds, or a date. */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return 1000 * Number(text);
  // Date.parse finds a year in almost any text with a number.
  const ms = /\d\d:\d\d:\d\d/.test(text) ? Date.parse(text) - now : Number.NaN;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Waits, unless the signal is aborted first. @throws the signal's reason */
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
