// Measures time and memory of the models over growing contexts. Runs in a worker.

import { type Cache, MemoryError, MiniMaxM1 } from "lightning-m1";
import { CHUNK, configOf, LENGTHS, LONGEST, type ModelName, predictedBytes, promptFlops, tokenFlops, VOCABULARY } from "./models.ts";

/** The measurement of a model at one length. */
export interface Point {
  readonly model: ModelName;
  /** Tokens of the prompt so far. */
  readonly length: number;
  /** Milliseconds per token at the end of the prompt. */
  readonly prompt: number;
  /** Milliseconds of a token that is generated after the prompt. */
  readonly generated: number;
  /** Bytes of the state and the cache. */
  readonly bytes: number;
  /** Seconds of computing so far. */
  readonly seconds: number;
}

/** Why a model was not measured up to the longest context. */
export interface Stop {
  readonly model: ModelName;
  /** The last measured length, or 0. */
  readonly length: number;
  readonly next: number;
  readonly reason: "time" | "memory";
  /** What the next length needs beyond what was used: seconds, or bytes in total. */
  readonly needed: number;
  /** Estimated seconds of a prompt of the longest context. */
  readonly longest: number;
}

export interface Progress {
  readonly model: ModelName;
  /** Tokens so far, and the length at which the next measurement is made. */
  readonly tokens: number;
  readonly next: number;
}

export type Report = { readonly point: Point } | { readonly stop: Stop } | { readonly progress: Progress };

export interface Limits {
  /** Seconds of computing per model; Infinity for none. */
  readonly seconds: number;
  /** Bytes of the state and the cache of a model. */
  readonly bytes: number;
}

/** Rounds that are timed; the fastest one counts. Other work on the machine makes a round slower, and nothing makes it faster. */
const PROMPT_ROUNDS = 3;
const GENERATED_ROUNDS = 16;
/** Least duration of a round. The clock of a page that is not cross-origin isolated has steps of 0.1 ms. */
const ROUND_MS = 2;
/** Generating at one length ends early after this time or number of tokens. */
const GENERATED_MS = 500;
const GENERATED_TOKENS = 256;
const PROGRESS_MS = 100;
/** Duration of computing before the first measurement, with prompts and with single tokens. */
const WARM_UP_MS = 150;

/**
 * Measures all models at all lengths, the shortest lengths first. Each model reads one prompt that goes on from length to length, so that
 * every token is computed once.
 *
 * @param pause is awaited between two forward passes
 */
export async function* measure(
  names: readonly ModelName[],
  limits: Limits,
  pause: () => Promise<void>,
): AsyncGenerator<Report, void, undefined> {
  let running: Probe[] = [];
  try {
    for (const name of names) running.push(await Probe.start(name));
    for (const length of LENGTHS) {
      for (const probe of running) yield* probe.measureAt(length, limits, pause);
      running = running.filter(({ isStopped }) => !isStopped);
    }
  } finally {
    for (const probe of running) probe.dispose();
  }
}

/** A model with its prompt. */
class Probe {
  isStopped = false;
  private readonly cache: Cache;
  private length = 0;
  /** Milliseconds of computing so far. */
  private spent = 0;
  /** Milliseconds per token at the current length. */
  private perToken = 0;

  private constructor(
    private readonly name: ModelName,
    private readonly model: MiniMaxM1,
  ) {
    this.cache = model.newCache();
  }

  static async start(name: ModelName): Promise<Probe> {
    const model = await MiniMaxM1.create(configOf(name), { seed: 1, threads: 1 });
    // The engine optimises the kernels while they run for the first time.
    const cache = model.newCache();
    const end = performance.now() + WARM_UP_MS;
    for (let pass = 0; performance.now() < end; pass++) {
      model.forward([promptTokens(cache.length, pass % 8 === 0 ? CHUNK : 1)], { cache: [cache], logits: "last" });
    }
    cache.dispose();
    return new Probe(name, model);
  }

  async *measureAt(next: number, limits: Limits, pause: () => Promise<void>): AsyncGenerator<Report, void, undefined> {
    const stop = this.reasonToStop(next, limits);
    if (stop) {
      yield { stop: this.stop(stop) };
      return;
    }
    try {
      const rounds = new Rounds(PROMPT_ROUNDS);
      let reported = performance.now();
      while (this.cache.length < next) {
        const tokens = Math.min(CHUNK, next - this.cache.length);
        rounds.add(this.run(promptTokens(this.cache.length, tokens)), tokens);
        if (performance.now() - reported > PROGRESS_MS) {
          reported = performance.now();
          yield { progress: { model: this.name, tokens: this.cache.length, next } };
        }
        await pause();
      }
      this.length = next;
      this.perToken = rounds.fastest;
      const { bytes } = this.cache;
      const generated = await this.generate(pause);
      yield { point: { model: this.name, length: next, prompt: this.perToken, generated, bytes, seconds: this.spent / 1000 } };
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      yield { stop: this.stop({ next, reason: "memory", needed: predictedBytes(this.name, next) }) };
    }
  }

  /** The time of a generated token, in milliseconds. These tokens stay in the context. */
  private async generate(pause: () => Promise<void>): Promise<number> {
    const rounds = new Rounds(GENERATED_ROUNDS);
    const began = this.spent;
    for (let tokens = 0; tokens < GENERATED_TOKENS && rounds.count < GENERATED_ROUNDS && this.spent - began < GENERATED_MS; tokens++) {
      rounds.add(this.run(promptTokens(this.cache.length, 1)), 1);
      await pause();
    }
    return rounds.fastest;
  }

  /** Computes a forward pass. Returns its time in milliseconds. */
  private run(ids: readonly number[]): number {
    const began = performance.now();
    this.model.forward([ids], { cache: [this.cache], logits: "last" });
    const time = performance.now() - began;
    this.spent += time;
    return time;
  }

  private reasonToStop(next: number, limits: Limits): Pick<Stop, "next" | "reason" | "needed"> | undefined {
    const bytes = predictedBytes(this.name, next);
    if (bytes > limits.bytes) return { next, reason: "memory", needed: bytes };
    const seconds = this.secondsTo(next);
    if (this.spent / 1000 + seconds > limits.seconds) return { next, reason: "time", needed: seconds };
    return undefined;
  }

  /** Estimates the seconds until the prompt has a length, at the speed of the last measurement. */
  private secondsTo(length: number): number {
    if (this.length === 0) return 0;
    const speed = tokenFlops(this.name, "prompt", this.length) / this.perToken;
    return promptFlops(this.name, this.length, length) / speed / 1000;
  }

  private stop(why: Pick<Stop, "next" | "reason" | "needed">): Stop {
    this.dispose();
    return { model: this.name, length: this.length, ...why, longest: this.spent / 1000 + this.secondsTo(LONGEST) };
  }

  dispose(): void {
    this.isStopped = true;
    this.model.dispose();
  }
}

/** Times per token, each measured over a round of passes. */
class Rounds {
  private readonly perToken: number[] = [];
  private time = 0;
  private tokens = 0;

  /** @param recent number of last rounds of which the fastest one counts */
  constructor(private readonly recent: number) {}

  /** Number of complete rounds. */
  get count(): number {
    return this.perToken.length;
  }

  /** Adds a pass to the current round. */
  add(time: number, tokens: number): void {
    this.time += time;
    this.tokens += tokens;
    if (this.time < ROUND_MS) return;
    this.perToken.push(this.time / this.tokens);
    this.time = 0;
    this.tokens = 0;
  }

  /** Milliseconds per token in the fastest of the last rounds; in the incomplete round if there is no other. */
  get fastest(): number {
    return this.count === 0 ? this.time / this.tokens : Math.min(...this.perToken.slice(-this.recent));
  }
}

/** Tokens of the prompt. Which ones does not matter: time and memory depend on their number alone. */
function promptTokens(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (7 * (first + i)) % VOCABULARY);
}
