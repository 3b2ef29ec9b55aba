// Compares two threads with one: large matmuls, a whole prefill, and decoding.

import { stage } from "../contest.mjs";
import { ours } from "../contestants.mjs";
import { modelHeat } from "./model.mjs";
import { productHeats } from "./products.mjs";

const SHAPES = "512x512x512,1024x1024x1024,2048x2048x2048,256x512x1536,1x2048x6144";
const QUICK_SHAPES = "32x64x96";

const both = (path, settings) => [1, 2].flatMap((threads) => ours(path, { threads, ...settings }));

export async function run(options) {
  const products = await stage(
    [...both("contestant.mjs"), ...both("contestant-int8.mjs", { label: "q8" })],
    productHeats(options.shapes ?? (options.quick ? QUICK_SHAPES : SHAPES)),
    options,
  );
  const { folder, heat } = await modelHeat("model", options);
  const dtypes = ["f32", "q8"].flatMap((dtype) => both("ours/model.mjs", { label: dtype, options: { folder, dtype } }));
  const models = await stage(dtypes, [heat], { ...options, rounds: Math.min(options.rounds, 5) });
  return { heats: [...products.heats, ...models.heats], skipped: [...products.skipped, ...models.skipped] };
}
