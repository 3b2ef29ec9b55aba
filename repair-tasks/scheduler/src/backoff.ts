export interface BackoffOptions {
  /** Delay before the first retry, in milliseconds. */
  readonly base: number;
  /** Factor from one delay to the next (2). */
  readonly factor?: number;
  /** Longest delay. */
  readonly max?: number;
  /** Share of a delay that is random, within [0, 1] (0). */
  readonly jitter?: number;
  /** Number of retries (5). */
  readonly retries?: number;
}

/** Returns the delay before retry number `attempt`, from 0. Undefined after the last one. */
export function backoff(attempt: number, options: BackoffOptions, random: () => number = Math.random): number | undefined {
  const { base, factor = 2, max = Infinity, jitter = 0, retries = 5 } = options;
  if (attempt >= retries) return undefined;
  const delay = Math.min(base * factor ** attempt, max);
  return Math.round(delay * (1 - jitter * random()));
}

/** Sum of all delays without jitter. */
export function totalBackoff(options: BackoffOptions): number {
  let total = 0;
  for (let attempt = 0; ; attempt++) {
    const delay = backoff(attempt, { ...options, jitter: 0 });
    if (delay === undefined) return total;
    total += delay;
  }
}
