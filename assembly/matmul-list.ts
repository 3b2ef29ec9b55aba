// Several matmuls in one call: the projections of one x, or the experts of a few tokens.
//   list   `count` matmuls, each as the arguments of its kernel up to K, in 32-bit words
// Range: the panels of all matmuls, one matmul after the other. So threads share the whole list, however small its matmuls are.

import { matmulSynthetic } from "./synthetic";
import { matmulBf16, matmulF32 } from "./matmul";
import { matmulQ4 } from "./matmul-q4";
import { matmulQ8 } from "./matmul-q8";
import { at } from "./simd";

export function matmulListF32(list: usize, count: i32, ws: usize, begin: i32, end: i32): void {
  matmulList<f32>(list, count, ws, begin, end);
}

export function matmulListBf16(list: usize, count: i32, ws: usize, begin: i32, end: i32): void {
  matmulList<u16>(list, count, ws, begin, end);
}

export function matmulListQ8(list: usize, count: i32, ws: usize, begin: i32, end: i32): void {
  matmulList<i8>(list, count, ws, begin, end);
}

/** u8 stands for 4-bit weights, two to a byte. */
export function matmulListQ4(list: usize, count: i32, ws: usize, begin: i32, end: i32): void {
  matmulList<u8>(list, count, ws, begin, end);
}

/** For synthetic weights; u64 stands for a spec, which is eight bytes. */
export function matmulListSynthetic(list: usize, count: i32, ws: usize, begin: i32, end: i32): void {
  matmulList<u64>(list, count, ws, begin, end);
}

@inline function matmulList<W>(list: usize, count: i32, ws: usize, begin: i32, end: i32): void {
  for (; count > 0; count--) {
    const M = i32.load(list, 16), N = i32.load(list, 20), K = i32.load(list, 24), panels = (N + 31) >> 5;
    const from = max(begin, 0), to = min(end, panels);
    if (from < to) {
      const y = load<usize>(list), x = load<usize>(list, 4), arranged = load<usize>(list, 8), w = load<usize>(list, 12);
      if (sizeof<W>() == 1 && !isSigned<W>()) matmulQ4(y, x, arranged, w, M, N, K, ws, from, to);
      else if (sizeof<W>() == 1) matmulQ8(y, x, arranged, w, M, N, K, ws, from, to);
      else if (sizeof<W>() == 8) matmulSynthetic(y, x, arranged, w, M, N, K, ws, from, to);
      else if (sizeof<W>() == 2) matmulBf16(y, x, arranged, w, M, N, K, ws, from, to);
      else matmulF32(y, x, arranged, w, M, N, K, ws, from, to);
    }
    begin -= panels; end -= panels;
    list = at(list, 7);
  }
}
