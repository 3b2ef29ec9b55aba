import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A reproducible stream of random numbers. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Normal, mean 0 and standard deviation 1. */
  normal(): number;
  /** Uniform over 0 … below − 1. */
  integer(below: number): number;
}

/** The stream of this seed: the same numbers everywhere. */
export function random(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  const uniform = () => uniformFloat64(generator);
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer: (below) => Math.floor(uniform() * below),
  };
}

/** `size` normal values of standard deviation `scale` that are exact in float32. */
export function randomTensor(seed: number, size: number, scale = 1): Float32Array<ArrayBuffer> {
  const { normal } = random(seed);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = scale * normal();
  return values;
}

/** `length` token ids below `vocabSize`. */
export function randomIds(seed: number, length: number, vocabSize: number): number[] {
  const { integer } = random(seed);
  return Array.from({ length }, () => integer(vocabSize));
}
