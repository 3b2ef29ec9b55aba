import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
// @ts-expect-error a script
import { headOf, logProbabilities } from "../../studies/fp32-head/bf16-head.mjs";

const study = fileURLToPath(new URL("../../studies/fp32-head/study.mjs", import.meta.url));
let rows: { r: number; largest: number }[];

beforeAll(async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [study, "--responses", "6"]);
  rows = [...stdout.matchAll(/correlation ([\d.]+), largest difference (\S+),/g)].map(([, r, largest]) => ({
    r: Number(r),
    largest: Number(largest),
  }));
}, 60_000);

test("a bfloat16 head increases the disagreement of sampling and training at least a hundredfold, and 8-bit weights even more", () => {
  const [float32, bfloat16, int8] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]];
  expect(float32.r).toBeGreaterThan(1 - 1e-9);
  expect(bfloat16.largest).toBeGreaterThan(100 * float32.largest);
  expect(int8.r).toBeLessThan(bfloat16.r);
  expect(int8.r).toBeGreaterThan(0.99);
});

test("the bfloat16 head differs from the model's own by rounding only", async () => {
  const [prompt, ids] = [
    [1, 2, 3],
    [40, 41, 42, 43],
  ];
  using model = await MiniMaxM1.load(undefined, { dtype: "f32", build: "simd", threads: 1 });
  const { vocabSize } = model.config;
  const { logits } = model.forward([[...prompt, ...ids]]);
  const exact = ids.map((id, t) => {
    const row = Array.from(logits.subarray((2 + t) * vocabSize, (3 + t) * vocabSize));
    return row[id]! - Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0));
  });
  const rounded: Float64Array = logProbabilities(model, await headOf(model), prompt, ids);
  const scale = logits.reduce((most, z) => Math.max(most, Math.abs(z)), 0);
  // Logits, inputs and weights have eight significant bits each.
  for (const [t, l] of exact.entries()) expect(Math.abs(rounded[t]! - l)).toBeLessThan(scale * 2 ** -6);
  expect([...rounded]).not.toEqual(exact);
});
