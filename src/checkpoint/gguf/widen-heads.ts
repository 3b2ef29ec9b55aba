// llama.cpp gives n heads the decay slopes 2^(−8(h+1)/n). MiniMax's code does so only if n is a power of two. For other n, its slopes are a
// part of those of w heads, where w is the next power of two. Such a model is therefore written with w heads. The additional heads have zero
// weights and contribute nothing:
//
//   lightning   q = k = v = 0, so o = 0. The norm of o now averages over w / n times as many numbers, so its weights are multiplied by √(n / w).
//   softmax     the columns of the output projection are zero.

import { ConfigError } from "../../base/errors.js";
import type { Config } from "../../model/config.js";

/** Numbers of heads in the file, and the place of each of the model's heads among them. */
export interface HeadLayout {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly lightning: readonly number[];
  readonly softmax: readonly number[];
  readonly keyValue: readonly number[];
  /** Factor of the weights of the lightning norm. */
  readonly normScale: number;
}

/** Returns the layout of heads. @throws {ConfigError} groups of query heads that do not fit into a power of two */
export function headLayout(config: Config): HeadLayout {
  const { numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, dialect } = config;
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  // transformers uses llama.cpp's formula for every n.
  if (dialect === "minimax" || isPowerOfTwo(heads)) {
    return { heads, keyValueHeads, lightning: range(heads), softmax: range(heads), keyValue: range(keyValueHeads), normScale: 1 };
  }
  const wide = nextPowerOfTwo(heads);
  const wideKeyValue = nextPowerOfTwo(keyValueHeads);
  const [group, wideGroup] = [heads / keyValueHeads, wide / wideKeyValue];
  if (group > wideGroup) {
    throw new ConfigError(
      `gguf: num_attention_heads: expected a power of two, or groups that fit into ${wide} heads, got ${heads} heads with ${keyValueHeads} key and value heads (llama.cpp has other decay slopes for such a model; save it as safetensors instead)`,
    );
  }
  return {
    heads: wide,
    keyValueHeads: wideKeyValue,
    // The first w/2 slopes are every other slope of w heads, beginning with the second. The remaining ones begin with the first.
    lightning: range(heads).map((h) => (h < wide / 2 ? 2 * h + 1 : 2 * (h - wide / 2))),
    softmax: range(heads).map((h) => Math.floor(h / group) * wideGroup + (h % group)),
    keyValue: range(keyValueHeads),
    normScale: Math.sqrt(heads / wide),
  };
}

/** Moves rows of heads to their places, `[heads · size, width]` → `[wide · size, width]`. `size` is the number of numbers per head. */
export function widenRows(values: Float32Array, places: readonly number[], wide: number): Float32Array<ArrayBuffer> {
  const size = values.length / places.length;
  const out = new Float32Array(wide * size);
  for (const [head, place] of places.entries()) out.set(values.subarray(head * size, (head + 1) * size), place * size);
  return out;
}

/** Moves columns of heads to their places, `[rows, heads · dim]` → `[rows, wide · dim]`. */
export function widenColumns(values: Float32Array, rows: number, places: readonly number[], wide: number): Float32Array<ArrayBuffer> {
  const width = values.length / rows;
  const wideWidth = (width / places.length) * wide;
  const out = new Float32Array(rows * wideWidth);
  for (let row = 0; row < rows; row++) {
    out.set(widenRows(values.subarray(row * width, (row + 1) * width), places, wide), row * wideWidth);
  }
  return out;
}

function isPowerOfTwo(n: number): boolean {
  return nextPowerOfTwo(n) === n;
}

function nextPowerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}
