// RMSNorm.   x, y [rows, N], w [N];   rows begin to end are independent.
//   y = w ⊙ x / sqrt(mean(x²) + ε)

import { at, hsum, madd } from "./simd";

export function rmsNorm(y: usize, x: usize, w: usize, N: i32, eps: f32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), a = x + row, b = y + row;
    let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
    let i: i32 = 0;
    for (; i + 16 <= N; i += 16) {
      const p = at(a, i), x0 = v128.load(p), x1 = v128.load(p, 16), x2 = v128.load(p, 32), x3 = v128.load(p, 48);
      s0 = madd(x0, x0, s0); s1 = madd(x1, x1, s1); s2 = madd(x2, x2, s2); s3 = madd(x3, x3, s3);
    }
    for (; i + 4 <= N; i += 4) {
      const v = v128.load(at(a, i));
      s0 = madd(v, v, s0);
    }
    let sum = hsum(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
    for (; i < N; i++) sum += load<f32>(at(a, i)) * load<f32>(at(a, i));
    const scale: f32 = 1 / sqrt<f32>(sum / <f32>N + eps), scales = f32x4.splat(scale);
    for (i = 0; i + 4 <= N; i += 4) v128.store(at(b, i), f32x4.mul(v128.load(at(w, i)), f32x4.mul(v128.load(at(a, i)), scales)));
    for (; i < N; i++) f32.store(at(b, i), load<f32>(at(w, i)) * (load<f32>(at(a, i)) * scale));
  }
}

// Backward pass, with r = 1 / sqrt(mean(x²) + ε) and g = w ⊙ dy:
//   dx += r g − x r³ mean(g ⊙ x),   dw += Σ_rows r x ⊙ dy

/** Computes rows begin to end of dx. Also writes their r to `scales` [rows]. */
export function rmsNormBackwardX(dx: usize, scales: usize, dy: usize, x: usize, w: usize, N: i32, eps: f32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), a = x + row, b = dy + row, c = dx + row;
    let squares = f32x4.splat(0), products = f32x4.splat(0);
    let i: i32 = 0;
    for (; i + 4 <= N; i += 4) {
      const v = v128.load(at(a, i));
      squares = madd(v, v, squares);
      products = madd(f32x4.mul(v128.load(at(w, i)), v128.load(at(b, i))), v, products);
    }
    let sum = hsum(squares), dot = hsum(products);
    for (; i < N; i++) {
      const v = load<f32>(at(a, i));
      sum += v * v;
      dot += load<f32>(at(w, i)) * load<f32>(at(b, i)) * v;
    }
    const scale: f32 = 1 / sqrt<f32>(sum / <f32>N + eps), slope: f32 = -dot / <f32>N * scale * scale * scale;
    const scale4 = f32x4.splat(scale), slope4 = f32x4.splat(slope);
    f32.store(at(scales, r), scale);
    for (i = 0; i + 4 <= N; i += 4) {
      const g = f32x4.mul(v128.load(at(w, i)), v128.load(at(b, i)));
      v128.store(at(c, i), madd(slope4, v128.load(at(a, i)), madd(scale4, g, v128.load(at(c, i)))));
    }
    for (; i < N; i++) {
      f32.store(at(c, i), load<f32>(at(c, i)) + scale * load<f32>(at(w, i)) * load<f32>(at(b, i)) + slope * load<f32>(at(a, i)));
    }
  }
}

/** Computes columns begin to end of dw. */
export function rmsNormBackwardW(dw: usize, dy: usize, x: usize, scales: usize, rows: i32, N: i32, begin: i32, end: i32): void {
  for (let r: i32 = 0; r < rows; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), a = x + row, b = dy + row, scale = load<f32>(at(scales, r)), scale4 = f32x4.splat(scale);
    let i = begin;
    for (; i + 4 <= end; i += 4) {
      v128.store(at(dw, i), f32x4.add(v128.load(at(dw, i)), f32x4.mul(f32x4.mul(scale4, v128.load(at(a, i))), v128.load(at(b, i)))));
    }
    for (; i < end; i++) f32.store(at(dw, i), load<f32>(at(dw, i)) + scale * load<f32>(at(a, i)) * load<f32>(at(b, i)));
  }
}
