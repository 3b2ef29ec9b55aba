// Measures matmuls with int8 weights, for one row and for many. Compares them with the peers' own int8 matmuls and, where a single row
// waits for memory, with their float32 matmuls.

import { stage } from "../contest.mjs";
import { ours, peer } from "../contestants.mjs";
import { productHeats } from "./products.mjs";

const SHAPES = "1x512x1536,1x2048x6144,32x2048x6144,256x512x1536,512x512x512,1024x1024x1024";
const QUICK_SHAPES = "1x64x96,32x64x96";

export function run(options) {
  const product = "peers/onnxruntime-product.mjs";
  return stage(
    [
      ...ours("contestant-int8.mjs", { label: "q8" }),
      ...ours("contestant.mjs"),
      ...peer("onnxruntime-web", product, { options: { platform: "web" } }),
      ...peer("onnxruntime-web int8", product, { options: { platform: "web", int8: true } }),
      ...peer("onnxruntime-node int8", product, { options: { platform: "node", int8: true }, native: true }),
    ],
    productHeats(options.shapes ?? (options.quick ? QUICK_SHAPES : SHAPES), "Gop/s"),
    options,
  );
}
