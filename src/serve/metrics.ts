/** Upper bounds, in seconds, of the histogram of times to the first token. */
const FIRST_TOKEN_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Counters of a server, and their text for Prometheus (exposition format 0.0.4). */
export class Metrics {
  promptTokens = 0;
  generatedTokens = 0;
  /** Number of requests whose clients disconnected. */
  cancelled = 0;
  private readonly requests = new Map<number, number>();
  private readonly bucketCounts = FIRST_TOKEN_BUCKETS_SECONDS.map(() => 0);
  private firstTokens = 0;
  private firstSeconds = 0;

  /** Counts a request. @param status status of the response; a streamed response counts as 200, even if it fails later */
  countRequest(status: number): void {
    this.requests.set(status, (this.requests.get(status) ?? 0) + 1);
  }

  /** Records the time from a request's arrival to its first token. */
  observeFirstToken(seconds: number): void {
    this.firstTokens++;
    this.firstSeconds += seconds;
    for (const [i, bound] of FIRST_TOKEN_BUCKETS_SECONDS.entries()) if (seconds <= bound) this.bucketCounts[i]!++;
  }

  /** Returns the text for Prometheus. @param gauges current values by name */
  text(gauges: Readonly<Record<string, readonly [help: string, value: number]>>): string {
    const family = (name: string, type: string, help: string, samples: readonly (readonly [suffix: string, value: number])[]) => [
      `# HELP lightning_m1_${name} ${help}`,
      `# TYPE lightning_m1_${name} ${type}`,
      ...samples.map(([suffix, value]) => `lightning_m1_${name}${suffix} ${value}`),
    ];
    return `${[
      ...family(
        "requests_total",
        "counter",
        "Requests by status.",
        [...this.requests].map(([status, count]) => [`{status="${status}"}`, count]),
      ),
      ...family("cancelled_requests_total", "counter", "Requests whose clients disconnected.", [["", this.cancelled]]),
      ...family("prompt_tokens_total", "counter", "Prompt tokens of admitted requests.", [["", this.promptTokens]]),
      ...family("generated_tokens_total", "counter", "Generated tokens.", [["", this.generatedTokens]]),
      ...family("first_token_seconds", "histogram", "Time from a request to its first token.", [
        ...FIRST_TOKEN_BUCKETS_SECONDS.map((bound, i) => [`_bucket{le="${bound}"}`, this.bucketCounts[i]!] as const),
        ['_bucket{le="+Inf"}', this.firstTokens],
        ["_sum", this.firstSeconds],
        ["_count", this.firstTokens],
      ]),
      ...Object.entries(gauges).flatMap(([name, [help, value]]) => family(name, "gauge", help, [["", value]])),
    ].join("\n")}\n`;
  }
}
