import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { availableBuilds, type Kernels } from "../../src/runtime/wasm.js";

const PAGE = 65536;

/** Rows and inputs: whole pieces and blocks, a little more, a little less; few tiles and many. */
const shapes = [12, 24, 32, 61, 127].flatMap((rows) => [9, 64, 65, 70, 127, 512, 513, 1024].map((inputs) => [rows, inputs] as const));

describe.each(await availableBuilds())("products of the %s build", (build) => {
  const bytes = readFileSync(fileURLToPath(new URL(`../../build/wasm/${build}.wasm`, import.meta.url)));

  test.each(shapes)("of %i rows of %i inputs read no weights beyond their end, be it the memory's", async (rows, inputs) => {
    for (const [kernel, width] of [["matmulF32", 4], ["matmulBf16", 2]] as const) {
      const outputs = 64;
      const weights = outputs * inputs * width;
      const others = 4 * (2 * rows * inputs + rows * outputs) + PAGE;
      const pages = Math.ceil((others + weights) / PAGE) + 8;
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
      const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
      const kernels = instance.exports as unknown as Kernels;
      const workspace = 2 * PAGE;
      const x = 4 * PAGE;
      const packed = x + 4 * rows * inputs;
      const y = packed + 4 * rows * inputs;
      const w = pages * PAGE - weights;
      new Float32Array(memory.buffer, x, rows * inputs).fill(1);
      if (width === 4) new Float32Array(memory.buffer, w).fill(1);
      else new Uint16Array(memory.buffer, w).fill(0x3f80);
      kernels.packRows(packed, x, rows, inputs, 0, kernels.rowTiles(rows));
      kernels[kernel](y, x, packed, w, rows, outputs, inputs, workspace, 0, outputs / 32);
      expect(new Set(new Float32Array(memory.buffer, y, rows * outputs))).toEqual(new Set([inputs]));
    }
  });
});
