import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { printed } from "../base/printed.js";
import type { Config } from "./config.js";

/**
 * Computes the decay slopes λ of one lightning layer, one per head.
 *
 * If the number n of heads is a power of two, `slope_h = 2^(−8(h+1)/n)` as in ALiBi. Otherwise, with p the next lower power of two, the
 * first p slopes are those for p heads. They are followed by every other slope for 2p heads. (transformers uses the first formula for every
 * n.)
 *
 * Layer ℓ of L multiplies the slopes by `1 − ℓ/(L−1) + 1e-5` (transformers: `1 − ℓ/(L−1+1e-5) + 1e-5`). The first layers therefore attend
 * locally and the last ones globally. With one layer, the factor is `1 + 1e-5`. HypeNet has no such factor.
 *
 * @throws {InputError} a layer number outside the model
 */
export function decaySlopes(config: Config, layer: number): Float32Array<ArrayBuffer> {
  expectArgument(
    "decaySlopes: config",
    isObjectLike(config) && isObjectLike(config.lightning),
    "a configuration (parseConfig makes one)",
    config,
  );
  const { numHiddenLayers: layers, dialect } = config;
  const { heads, layerDecay } = config.lightning;
  if (!(Number.isInteger(layer) && layer >= 0 && layer < layers)) {
    throw new InputError(`decaySlopes: layer: expected an integer within [0, ${layers}), got ${printed(layer)}`);
  }
  const alibi = (n: number): number[] => Array.from({ length: n }, (_, h) => 2 ** ((-8 * (h + 1)) / n));
  const power = 2 ** Math.floor(Math.log2(heads));
  const slopes =
    dialect === "minimax" || power === heads
      ? alibi(heads)
      : [...alibi(power), ...alibi(2 * power).filter((_, h) => h % 2 === 0)].slice(0, heads);
  if (!layerDecay) return Float32Array.from(slopes);
  const depth = dialect === "minimax" ? layer / (layers - 1 + 1e-5) : layers === 1 ? 0 : layer / (layers - 1);
  return Float32Array.from(slopes, (slope) => Math.fround(Math.fround(slope) * Math.fround(1 - depth + 1e-5)));
}
