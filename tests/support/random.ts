import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A reproducible stream of random numbers. */
export interface Random {
  /** Returns a number that is uniform in [0, 1). */
  uniform(): number;
  /** Returns a normal number with mean 0 and standard deviation 1. */
  normal(): number;
  /** Returns an integer that is uniform over 0 … below − 1. */
  integer(below: number): number;
}

/** Creates the stream of a seed. It gives the same numbers everywhere. */
export function random(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  const uniform = () => uniformFloat64(generator);
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer: (below) => Math.floor(uniform() * below),
  };
}

/** Returns `size` normal values with standard deviation `scale`. They are exact in float32. */
export function randomTensor(seed: number, size: number, scale = 1): Float32Array<ArrayBuffer> {
  const { normal } = random(seed);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = scale * normal();
  return values;
}

/** Returns `length` token ids below `vocabSize`. */
export function randomIds(seed: number, length: number, vocabSize: number): number[] {
  const { integer } = random(seed);
  return Array.from({ length }, () => integer(vocabSize));
}
