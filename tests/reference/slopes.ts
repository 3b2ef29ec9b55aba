import type { Dialect } from "../../src/model/config.js";

/** A geometric sequence that begins with its own ratio: r, r², r³, … */
function geometric(ratio: number, length: number): number[] {
  const sequence: number[] = [];
  for (let term = ratio; sequence.length < length; term *= ratio) sequence.push(term);
  return sequence;
}

/**
 * The n slopes of ALiBi. A power of two: the geometric sequence from 2^(−8/n), which ends in 2^−8. Otherwise those of the
 * power of two below, and the remaining ones are the 1st, 3rd, 5th … of its double.
 */
export function alibi(n: number): number[] {
  let power = 1;
  while (2 * power <= n) power *= 2;
  const slopes = geometric(2 ** (-8 / power), power);
  const finer = geometric(2 ** (-4 / power), 2 * power);
  for (let i = 0; slopes.length < n; i += 2) slopes.push(finer[i]!);
  return slopes;
}

/** λ of every head in layer ℓ of L: the slope times a factor that falls from 1 to almost nothing with depth. HypeNet has no factor. */
export function slopes(dialect: Dialect, heads: number, layer: number, layers: number): number[] {
  if (dialect === "hypenet") return alibi(heads);
  if (dialect === "minimax") {
    const factor = 1 - layer / (layers - 1 + 1e-5) + 1e-5;
    return geometric(2 ** (-8 / heads), heads).map((slope) => slope * factor);
  }
  const factor = layers === 1 ? 1 + 1e-5 : 1 - layer / (layers - 1) + 1e-5;
  return alibi(heads).map((slope) => slope * factor);
}
