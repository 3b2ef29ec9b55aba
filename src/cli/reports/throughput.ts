/** The speed of one generation. */
export interface Throughput {
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Time from the start to the first token, which is the time for the prompt. */
  readonly promptSeconds: number;
  /** Time from the first token to the last. */
  readonly generationSeconds: number;
  /** Generation speed without the prompt; 0 for fewer than two tokens. */
  readonly tokensPerSecond: number;
}

/** Measures one generation. */
export class ThroughputMeter {
  private readonly begin = performance.now();
  private first = this.begin;
  private last = this.begin;
  private tokens = 0;

  addToken(): void {
    this.last = performance.now();
    if (this.tokens++ === 0) this.first = this.last;
  }

  throughput(promptTokens: number): Throughput {
    const generationSeconds = (this.last - this.first) / 1000;
    return {
      promptTokens,
      generatedTokens: this.tokens,
      promptSeconds: (this.first - this.begin) / 1000,
      generationSeconds,
      tokensPerSecond: generationSeconds > 0 ? (this.tokens - 1) / generationSeconds : 0,
    };
  }
}

/** Formats a throughput: `16 prompt tokens in 0.01 s, 24 generated at 312.1 tokens/s`. */
export function describeThroughput({ promptTokens, generatedTokens, promptSeconds, tokensPerSecond }: Throughput): string {
  const rate = tokensPerSecond > 0 ? ` at ${tokensPerSecond.toFixed(1)} tokens/s` : "";
  return `${promptTokens} prompt tokens in ${promptSeconds.toFixed(2)} s, ${generatedTokens} generated${rate}`;
}
