// The built library as contestants use it. The environment selects kernels and threads: BUILD=simd|relaxed|debug (default: the best that
// the engine supports), THREADS=n (default 1).
import { setFlagsFromString } from "node:v8";

// Node 20 has relaxed SIMD behind a flag, which must be set before the first module compiles.
if (process.env.BUILD === "relaxed" && Number(process.versions.node.split(".")[0]) < 22) {
  setFlagsFromString("--experimental-wasm-relaxed-simd");
}

export const build = process.env.BUILD ?? "auto";
export const threads = Number(process.env.THREADS ?? 1);

export const ops = await import("../../dist/node/ops.js").catch((cause) => {
  throw new Error("expected the built library in dist/, which cannot be imported (npm run build)", { cause });
});

export async function createRuntime() {
  const rt = await ops.Runtime.create(build, { threads });
  expectThreads(rt.threads ?? 1);
  return rt;
}

/** Returns one line that describes what runs. */
export function describe(rt, what) {
  return `lightning-m1 ${rt.build}, ${what}, ${threads} thread${threads > 1 ? "s" : ""}, Node ${process.versions.node}`;
}

export function expectThreads(running) {
  if (running !== threads) throw new Error(`expected ${threads} threads, the library runs ${running}`);
}

/** Creates the library's weight for a matrix `[out, inputs]`, with the given dtype in memory. */
export function weight(rt, matrix, out, inputs, dtype) {
  const weights = new ops.ResidentWeights(rt);
  const tensor = weights.add({ name: "w", shape: [out, inputs], dtype: "f32" }, dtype);
  const step = weights.pieceRows("w");
  for (let row = 0; row < out; row += step) {
    const rows = matrix.subarray(row * inputs, Math.min(out, row + step) * inputs);
    weights.writeRows("w", row, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
  }
  return tensor;
}
