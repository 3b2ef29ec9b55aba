// Partial rotary embedding.   x, y [T, H, D]; cos, sin [T, R/2] of each step's angles
//   (y_j, y_{j+R/2}) = (x_j cos − x_{j+R/2} sin, x_{j+R/2} cos + x_j sin) for j < R/2;   y_j = x_j for j ≥ R
// Steps begin to end are independent; y may be x.

import { at } from "./simd";

export function rope(y: usize, x: usize, cos: usize, sin: usize, H: i32, D: i32, R: i32, begin: i32, end: i32): void {
  const half = R >> 1;
  for (let t = begin; t < end; t++) {
    const c = at(cos, t * half), s = at(sin, t * half);
    for (let h: i32 = 0; h < H; h++) {
      const a = at(x, (t * H + h) * D), b = at(y, (t * H + h) * D);
      let j: i32 = 0;
      for (; j + 4 <= half; j += 4) {
        const u = v128.load(at(a, j)), v = v128.load(at(a, j + half)), cosine = v128.load(at(c, j)), sine = v128.load(at(s, j));
        v128.store(at(b, j), f32x4.sub(f32x4.mul(u, cosine), f32x4.mul(v, sine)));
        v128.store(at(b, j + half), f32x4.add(f32x4.mul(v, cosine), f32x4.mul(u, sine)));
      }
      for (; j < half; j++) {
        const u = load<f32>(at(a, j)), v = load<f32>(at(a, j + half)), cosine = load<f32>(at(c, j)), sine = load<f32>(at(s, j));
        f32.store(at(b, j), u * cosine - v * sine);
        f32.store(at(b, j + half), v * cosine + u * sine);
      }
      if (a != b) memory.copy(at(b, R), at(a, R), (<usize>(D - R)) << 2);
    }
  }
}

/** Backward pass, which rotates by the opposite angles:   dx_j += dy_j cos + dy_{j+R/2} sin,   dx_{j+R/2} += dy_{j+R/2} cos − dy_j sin */
export function ropeBackward(dx: usize, dy: usize, cos: usize, sin: usize, H: i32, D: i32, R: i32, begin: i32, end: i32): void {
  const half = R >> 1;
  for (let t = begin; t < end; t++) {
    const c = at(cos, t * half), s = at(sin, t * half);
    for (let h: i32 = 0; h < H; h++) {
      const a = at(dy, (t * H + h) * D), b = at(dx, (t * H + h) * D), u = at(b, half);
      for (let j: i32 = 0; j < half; j++) {
        const x = load<f32>(at(a, j)), y = load<f32>(at(a, j + half)), cosine = load<f32>(at(c, j)), sine = load<f32>(at(s, j));
        f32.store(at(b, j), load<f32>(at(b, j)) + (x * cosine + y * sine));
        f32.store(at(u, j), load<f32>(at(u, j)) + (y * cosine - x * sine));
      }
      for (let j = R; j < D; j++) f32.store(at(b, j), load<f32>(at(b, j)) + load<f32>(at(a, j)));
    }
  }
}
