// The limits of the machine in WebAssembly, as contestants: multiply-adds in registers, and sequential reads from memory. Options: build
// "simd" or "relaxed". A task with `bytes` reads that many bytes; any other task measures the peak.
import { readFileSync } from "node:fs";
import { wasmFile } from "../cache.mjs";

const ITERATIONS = 10_000_000;
const PAGE = 65536;

/** The work of one run, in units. */
export const PEAK = { unit: "GFLOP/s", work: (ITERATIONS * 4 * 12 * 2) / 1e9 };
export const read = (bytes) => ({ unit: "GB/s", work: bytes / 1e9 });

let module;

export async function setup({ build }) {
  module = await WebAssembly.compile(readFileSync(wasmFile(build)));
  return `limits, ${build}, Node ${process.versions.node}`;
}

export async function prepare({ bytes }) {
  const memory = new WebAssembly.Memory({ initial: 1 + Math.ceil((bytes ?? 0) / PAGE), maximum: PAGE });
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  if (bytes) new Uint8Array(memory.buffer).fill(1);
  const timed = (part, body) => ({
    run() {
      const begin = performance.now();
      body();
      return { [part]: performance.now() - begin };
    },
  });
  return bytes ? timed("read", () => exports.read(PAGE, bytes)) : timed("peak", () => exports.peak(ITERATIONS, 0.5, 0.25));
}
