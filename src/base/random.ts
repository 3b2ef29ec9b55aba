import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { mersenne } from "pure-rand/generator/mersenne";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/** A stream of uniform numbers whose state is four 32-bit integers: it can be saved, restored and copied. */
export class Random {
  private constructor(
    /** What the stream began with. */
    readonly seed: number,
    private readonly generator: RandomGenerator,
  ) {}

  /** xoroshiro128+ begun by a Mersenne twister: begun by seeds alone, neighbouring seeds would begin almost alike. */
  static seeded(seed: number): Random {
    const words = mersenne(seed);
    return Random.restored(seed, [words.next(), words.next(), words.next(), words.next()]);
  }

  static restored(seed: number, state: readonly number[]): Random {
    return new Random(seed, xoroshiro128plusFromState(state));
  }

  /** A seed that nobody chose. */
  static anySeed(): number {
    return crypto.getRandomValues(new Uint32Array(1))[0]!;
  }

  /** The next number within [0, 1), a multiple of 2^−53. */
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
