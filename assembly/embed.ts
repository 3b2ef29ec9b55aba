// Embedding.   ids [T]; w [V, N] in panels (like every matrix, so that it can be tied to the head); y [T, N]
//   y_t = w[ids_t]
// Tokens begin to end are independent.

import { slot } from "./pack";
import { unpackRowQ4 } from "./q4";
import { unpackRow } from "./q8";
import { at } from "./simd";

export function embedF32(y: usize, ids: usize, w: usize, N: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) {
    const id = i32.load(at(ids, t)), dst = y + (((<usize>t) * (<usize>N)) << 2);
    let src = w + (<usize>(id >> 5)) * (<usize>N) * 128 + ((<usize>(id & 31)) << 2);
    for (let i: i32 = 0; i < N; i++) {
      f32.store(at(dst, i), load<f32>(src));
      src += 128;
    }
  }
}

export function embedBf16(y: usize, ids: usize, w: usize, N: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) {
    const id = i32.load(at(ids, t)), dst = y + (((<usize>t) * (<usize>N)) << 2);
    let src = w + (<usize>(id >> 5)) * (<usize>N) * 64 + slot(id & 31);
    for (let i: i32 = 0; i < N; i++) {
      i32.store(at(dst, i), (<i32>load<u16>(src)) << 16);
      src += 64;
    }
  }
}

export function embedQ8(y: usize, ids: usize, w: usize, N: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) unpackRow(y + (((<usize>t) * (<usize>N)) << 2), w, i32.load(at(ids, t)), N);
}

export function embedQ4(y: usize, ids: usize, w: usize, N: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) unpackRowQ4(y + (((<usize>t) * (<usize>N)) << 2), w, i32.load(at(ids, t)), N);
}

/** Computes the backward pass for float32: dw_{ids_t} += dy_t, token by token. Columns begin to end are independent. */
export function embedBackward(dw: usize, ids: usize, dy: usize, T: i32, N: i32, begin: i32, end: i32): void {
  for (let t: i32 = 0; t < T; t++) {
    const id = i32.load(at(ids, t)), src = dy + (((<usize>t) * (<usize>N)) << 2);
    const dst = dw + (<usize>(id >> 5)) * (<usize>N) * 128 + ((<usize>(id & 31)) << 2);
    for (let i = begin; i < end; i++) {
      const p = dst + ((<usize>i) << 7);
      f32.store(p, load<f32>(p) + load<f32>(at(src, i)));
    }
  }
}
