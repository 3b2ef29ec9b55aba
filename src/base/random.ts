import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { mersenne } from "pure-rand/generator/mersenne";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/** A random number generator (xoroshiro128+) whose state, four 32-bit integers, can be saved, restored and copied. */
export class Random {
  private constructor(
    /** The seed that the generator started with. */
    readonly seed: number,
    private readonly generator: RandomGenerator,
  ) {}

  /** Creates a generator from a seed. A Mersenne twister derives the state, because similar states would give similar first numbers. */
  static seeded(seed: number): Random {
    const words = mersenne(seed);
    return Random.restored(seed, [words.next(), words.next(), words.next(), words.next()]);
  }

  static restored(seed: number, state: readonly number[]): Random {
    return new Random(seed, xoroshiro128plusFromState(state));
  }

  /** Creates the generator for element `index` of the stream `seed`. Neighbouring indices and seeds give unrelated numbers. */
  static stream(seed: number, index: number): Random {
    // A multiplicative hash (Knuth) separates neighbouring values.
    const mixed = Math.imul((index ^ (index >>> 16)) + Math.imul(seed, 0x9e3779b1), 0x85ebca6b);
    return Random.seeded((mixed ^ (mixed >>> 13)) >>> 0);
  }

  /** Returns a random seed. */
  static anySeed(): number {
    return crypto.getRandomValues(new Uint32Array(1))[0]!;
  }

  /** Returns the next number, uniform in [0, 1). It is a multiple of 2^−53. */
  next(): number {
    return uniformFloat64(this.generator);
  }

  get state(): readonly number[] {
    return this.generator.getState();
  }

  copy(): Random {
    return Random.restored(this.seed, this.state);
  }
}
