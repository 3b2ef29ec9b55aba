// Measures matmuls with float32 weights on one thread: C = A · W with a constant W. A is copied in, and C is copied out.

import { stage } from "../contest.mjs";
import { limits, ours, peer } from "../contestants.mjs";
import { PEAK } from "../ours/limits.mjs";

export const shapes = "512x512x512,1024x1024x1024,2048x2048x2048,256x512x1536,1x512x1536,1x2048x6144,32x2048x6144,1x1x8";
const QUICK_SHAPES = "32x64x96,1x64x96";

/** Parses `MxKxN,…` as tasks. */
export function productHeats(list, unit = "GFLOP/s") {
  return list.split(",").map((shape) => {
    const [M, K, N] = shape.split("x").map(Number);
    return {
      title: `product ${M}×${K}×${N}`,
      task: { kind: "product", M, N, K },
      metrics: { peak: PEAK, run: { unit, work: (2 * M * N * K) / 1e9 } },
    };
  });
}

export async function run(options) {
  const heats = productHeats(options.shapes ?? (options.quick ? QUICK_SHAPES : shapes));
  return stage(
    [
      ...ours("contestant.mjs"),
      ...ours("contestant.mjs", { label: "bf16", env: { DTYPE: "bf16" } }),
      ...peer("onnxruntime-web", "peers/onnxruntime-product.mjs", { options: { platform: "web" } }),
      ...peer("tfjs-wasm", "peers/tfjs-product.mjs"),
      ...peer("jax-js", "peers/jax-js-product.mjs"),
      ...peer("onnxruntime-node", "peers/onnxruntime-product.mjs", { options: { platform: "node" }, native: true }),
      ...limits(),
    ],
    heats,
    options,
  );
}
