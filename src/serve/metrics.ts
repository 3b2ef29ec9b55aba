/** Upper ends of the classes of times, in seconds. */
const FIRST_TOKEN_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What a server has done so far, as Prometheus reads it (text exposition format 0.0.4). */
export class Metrics {
  promptTokens = 0;
  generatedTokens = 0;
  /** Requests whose clients went away. */
  cancelled = 0;
  private readonly requests = new Map<number, number>();
  private readonly bucketCounts = FIRST_TOKEN_BUCKETS_SECONDS.map(() => 0);
  private firstTokens = 0;
  private firstSeconds = 0;

  /** @param status what it was answered with; answers that came token by token are 200, however they ended */
  countRequest(status: number): void {
    this.requests.set(status, (this.requests.get(status) ?? 0) + 1);
  }

  /** The time from a request's arrival to its first token. */
  observeFirstToken(seconds: number): void {
    this.firstTokens++;
    this.firstSeconds += seconds;
    for (const [i, most] of FIRST_TOKEN_BUCKETS_SECONDS.entries()) if (seconds <= most) this.bucketCounts[i]!++;
  }

  /** @param gauges values of the moment, by name */
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
      ...family("cancelled_requests_total", "counter", "Requests whose clients went away.", [["", this.cancelled]]),
      ...family("prompt_tokens_total", "counter", "Tokens of prompts that were admitted.", [["", this.promptTokens]]),
      ...family("generated_tokens_total", "counter", "Tokens generated.", [["", this.generatedTokens]]),
      ...family("first_token_seconds", "histogram", "Time from a request to its first token.", [
        ...FIRST_TOKEN_BUCKETS_SECONDS.map((most, i) => [`_bucket{le="${most}"}`, this.bucketCounts[i]!] as const),
        ['_bucket{le="+Inf"}', this.firstTokens],
        ["_sum", this.firstSeconds],
        ["_count", this.firstTokens],
      ]),
      ...Object.entries(gauges).flatMap(([name, [help, value]]) => family(name, "gauge", help, [["", value]])),
    ].join("\n")}\n`;
  }
}
