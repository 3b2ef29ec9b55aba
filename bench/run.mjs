// npm run bench [-- --only products|lightning|attention] [--quick] [--json FILE]
// Rates of the kernels on every build that this engine has, medians of one interleaved run.
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";

if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-relaxed-simd");
const { attention, availableBuilds, lightning, matmul, ResidentWeights, Runtime } = await import("../dist/node/ops.js");
const { measure, table } = await import("./measure.mjs");

const options = parseOptions();
const builds = (await availableBuilds()).filter((build) => build !== "debug");
const runtimes = await Promise.all(builds.map((build) => Runtime.create(build)));

function parseOptions() {
  try {
    return parseArgs({ options: { only: { type: "string" }, json: { type: "string" }, quick: { type: "boolean" } } }).values;
  } catch (error) {
    console.error(`bench: ${error.message} (--only products,lightning,attention, --json FILE, --quick)`);
    process.exit(2);
  }
}

/** `--quick` shows that everything runs; its figures mean nothing. */
const effort = options.quick ? { rounds: 1, ms: 1 } : {};

/** Uniform in [−1, 1), the same on every run. */
function random(size, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function weight(rt, out, inputs, resident) {
  const weights = new ResidentWeights(rt);
  const spec = { name: "w", shape: [out, inputs], dtype: "f32" };
  const tensor = weights.add(spec, resident);
  const data = random(out * inputs, 2);
  const step = weights.pieceRows("w");
  for (let row = 0; row < out; row += step) {
    const rows = data.subarray(row * inputs, Math.min(out, row + step) * inputs);
    weights.writeRows("w", row, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
  }
  return { tensor, release: () => rt.release(tensor) };
}

const groups = {
  products() {
    return [
      [1, 512, 1536],
      [1, 2048, 6144],
      [32, 2048, 6144],
      [256, 512, 1536],
      [512, 512, 512],
      [1024, 1024, 1024],
    ].map(([rows, inputs, out]) => {
      const held = [];
      const contestants = runtimes.flatMap((rt) =>
        ["f32", "bf16"].map((resident) => {
          const w = weight(rt, out, inputs, resident);
          const x = rt.keep([rows, inputs]);
          rt.f32(x).set(random(rows * inputs));
          held.push(w.release, () => rt.release(x));
          return {
            name: `${rt.build} ${resident}`,
            unit: "GFLOP/s",
            work: (2 * rows * inputs * out) / 1e9,
            run: () => rt.scope(() => void matmul(x, w.tensor)),
          };
        }),
      );
      const results = measure(contestants, effort);
      for (const release of held) release();
      return { title: `product ${rows}×${inputs}×${out}`, results };
    });
  },
  lightning() {
    const [tokens, heads, dim] = [2048, 8, 128];
    const contestants = runtimes.flatMap((rt) => {
      const qkv = rt.keep([tokens, heads, 3 * dim]);
      rt.f32(qkv).set(random(tokens * heads * 3 * dim));
      const slopes = rt.keep([heads]);
      rt.f32(slopes).set(Array.from({ length: heads }, (_, h) => 2 ** -(h + 1)));
      const state = rt.keep([heads, dim, dim]);
      rt.f32(state).fill(0);
      const steps = Array.from({ length: tokens }, (_, t) => ({ begin: t, end: t + 1 }));
      const states = steps.map(() => state);
      return [
        {
          name: `${rt.build} chunked`,
          unit: "ktoken/s",
          work: tokens / 1e3,
          run: () => rt.scope(() => void lightning(qkv, slopes, [{ begin: 0, end: tokens }], [state])),
        },
        {
          name: `${rt.build} token by token`,
          unit: "ktoken/s",
          work: tokens / 1e3,
          run: () => rt.scope(() => void lightning(qkv, slopes, steps, states)),
        },
      ];
    });
    return [{ title: `lightning attention, ${heads} heads of ${dim}`, results: measure(contestants, effort) }];
  },
  attention() {
    const [tokens, heads, kvHeads, dim] = [1024, 8, 2, 128];
    const contestants = runtimes.map((rt) => {
      const [q, keys, values] = [heads, kvHeads, kvHeads].map((count, i) => {
        const x = rt.keep([tokens, count, dim]);
        rt.f32(x).set(random(tokens * count * dim, i + 3));
        return x;
      });
      const run = () => rt.scope(() => void attention(q, [{ begin: 0, end: tokens }], [{ keys, values, length: tokens }]));
      return { name: rt.build, unit: "GFLOP/s", work: (2 * heads * dim * tokens * tokens) / 1e9, run };
    });
    return [
      { title: `softmax attention, ${tokens} tokens, ${heads} heads of ${dim} over ${kvHeads}`, results: measure(contestants, effort) },
    ];
  },
};

const chosen = options.only ? options.only.split(",") : Object.keys(groups);
const unknown = chosen.find((name) => !(name in groups));
if (unknown) {
  console.error(`bench: --only: expected ${Object.keys(groups).join(", ")}, got ${unknown}`);
  process.exit(2);
}
console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, Node ${process.versions.node}, one thread; medians, ratios to the first line of each group\n`,
);
const report = chosen.flatMap((name) => groups[name]());
for (const { title, results } of report) console.log(`${table(title, results)}\n`);
if (options.json)
  writeFileSync(options.json, `${JSON.stringify({ node: process.versions.node, cpu: cpus()[0]?.model, report }, null, 2)}\n`);
