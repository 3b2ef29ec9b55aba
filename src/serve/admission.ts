import { Refusal } from "./refusal.js";

/** What a request takes while it runs. */
export interface Cost {
  readonly sequences: number;
  /** Of their states, at their longest. */
  readonly bytes: number;
}

interface Waiting {
  readonly cost: Cost;
  admit(): void;
}

/** Who may run: in the order in which they came, as many as there is room for. */
export class Admission {
  private readonly used = { sequences: 0, bytes: 0 };
  private readonly line: Waiting[] = [];
  private meanSeconds = 1;

  constructor(
    readonly limit: Cost,
    private readonly maxWaiting: number,
  ) {}

  /** Sequences that run. */
  get running(): number {
    return this.used.sequences;
  }

  /** Bytes set aside for their states. */
  get bytes(): number {
    return this.used.bytes;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.line.length;
  }

  /**
   * Waits for room, and gives the function that makes it free again.
   *
   * @throws {Refusal} it would never fit, or too many wait already; the signal's reason
   */
  async enter(cost: Cost, signal: AbortSignal): Promise<() => void> {
    this.check(cost);
    signal.throwIfAborted();
    if (this.line.length > 0 || !this.fits(cost)) await this.wait(cost, signal);
    else this.take(cost);
    const begin = performance.now();
    return () => {
      this.meanSeconds += 0.2 * ((performance.now() - begin) / 1000 - this.meanSeconds);
      this.used.sequences -= cost.sequences;
      this.used.bytes -= cost.bytes;
      this.advance();
    };
  }

  private check({ sequences, bytes }: Cost): void {
    const { limit } = this;
    if (sequences > limit.sequences) {
      throw new Refusal(400, "too_many_choices", `n: expected at most ${limit.sequences} answers (prompts times n), got ${sequences}`);
    }
    if (bytes > limit.bytes) {
      throw new Refusal(
        400,
        "too_long",
        `max_tokens: expected states of at most ${limit.bytes} bytes, got ${bytes} for prompt and answer (fewer tokens)`,
      );
    }
  }

  private fits({ sequences, bytes }: Cost): boolean {
    const { used, limit } = this;
    return used.sequences + sequences <= limit.sequences && used.bytes + bytes <= limit.bytes;
  }

  private take({ sequences, bytes }: Cost): void {
    this.used.sequences += sequences;
    this.used.bytes += bytes;
  }

  private wait(cost: Cost, signal: AbortSignal): Promise<void> {
    if (this.line.length >= this.maxWaiting) {
      throw new Refusal(
        429,
        "queue_full",
        `serve: expected at most ${this.maxWaiting} requests waiting, got one more (come again later)`,
        Math.max(1, Math.ceil(this.meanSeconds)),
      );
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.line.splice(this.line.indexOf(waiting), 1);
        reject(signal.reason);
        this.advance();
      };
      const admit = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const waiting: Waiting = { cost, admit };
      signal.addEventListener("abort", leave, { once: true });
      this.line.push(waiting);
    });
  }

  private advance(): void {
    for (let next = this.line[0]; next && this.fits(next.cost); next = this.line[0]) {
      this.line.shift();
      this.take(next.cost);
      next.admit();
    }
  }
}
