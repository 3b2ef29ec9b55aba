import type { Tensor } from "../runtime/tensor.js";
import type { KeysValues } from "./kv-pages.js";
export function attentionBackward(
  to: { dq: Tensor; dk: Tensor; dv: Tensor },
  dO: Tensor,
  o: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
): void {
  const { rt } = q;
  const [T, H, D] = q.shape as [number, number, number];
  const [n, C] = k.shape as [number, number];
  const G = H / C;
  const [DQ, DK, DV, DO, O, Q, K, V] = [to.dq, to.dk, to.dv, dO, o, q, k, v].map((x) => rt.f32(x)) as Float32Array[];
  const scale = D ** -0.5;
  for (let h = 0; h < H; h++) {
    const c = Math.floor(h / G);
    for (let t = 0; t < T; t++) {
      const seen = n - T + t + 1;
      const at = (t * H + h) * D;
      const s = new Float64Array(seen);
      for (let j = 0; j < seen; j++) {
        let sum = 0;
        for (let i = 0; i < D; i++) sum += Q![at + i]! * K![(j * C + c) * D + i]!;
        s[j] = sum * scale;
      }
      const m = Math.max(...s);
      let z = 0;
      for (let j = 0; j < seen; j++) {
        s[j] = Math.exp(s[j]! - m);
        z += s[j]!;
      }
      let delta = 0;
      for (let i = 0; i < D; i++) delta += DO![at + i]! * O![at + i]!;
      for (let j = 0; j < seen; j++) {
        const p = s[j]! / z;
        const kv = (j * C + c) * D;
        let dp = 0;
        for (let i = 0; i < D; i++) {
          dp += DO![at + i]! * V![kv + i]!;
          DV![kv + i]! += p * DO![at + i]!;
        }
        const dx = p * (dp - delta) * scale;
        for (let i = 0; i < D; i++) {
          DQ![at + i]! += dx * K![kv + i]!;
          DK![kv + i]! += dx * Q![at + i]!;
        }
      }
    }
  }
}
export function loadKeysValues(cache: KeysValues): { keys: Tensor; values: Tensor } {
  const { kvHeads: C, headDim: D, length: n, pages } = cache;
  const { rt } = pages;
  const keys = rt.empty([n, C, D]);
  const values = rt.empty([n, C, D]);
  const F = new Float32Array(rt.f32(keys).buffer);
  const [K, V, P] = [rt.f32(keys), rt.f32(values), rt.i32(pages)];
  const d = Math.ceil(D / 8) * 8;
  for (let j = 0; j < n; j++)
    for (let c = 0; c < C; c++)
      for (let i = 0; i < D; i++) {
        const head = P[j >> 6]! / 4 + c * 2 * 64 * d;
        const r = j & 63;
        K[(j * C + c) * D + i] = F[head + (r >> 5) * d * 32 + i * 32 + (r & 31)]!;
        const p = i & ~31;
        const w = Math.min(32, d - p);
        V[(j * C + c) * D + i] = F[head + 64 * d + p * 64 + r * w + (i & 31)]!;
      }
  return { keys, values };
}
