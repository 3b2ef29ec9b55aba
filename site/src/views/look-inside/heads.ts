// The decay of lightning heads. Before a head adds a token to its state, it multiplies the state by e^−λ.

import { type Config, decaySlopes } from "lightning-m1";

/** The slopes λ of every head of a layer. Undefined for a softmax layer. */
export function slopesOf(config: Config, layer: number): readonly number[] | undefined {
  return config.attnTypeList[layer] === 0 ? [...decaySlopes(config, layer)] : undefined;
}

/** The number of tokens after which half of a token is left: ln 2 / λ. */
export function halfLife(slope: number): number {
  return Math.LN2 / slope;
}

/** The share of a token that is left in the state n tokens later: e^−λn. */
export function remaining(slope: number, tokens: number): number {
  return Math.exp(-slope * tokens);
}

/** Indices of at most `count` heads, evenly spaced, the first and the last among them. */
export function sampleHeads(heads: number, count: number): number[] {
  if (heads <= count) return Array.from({ length: heads }, (_, h) => h);
  return Array.from({ length: count }, (_, i) => Math.round((i * (heads - 1)) / (count - 1)));
}
