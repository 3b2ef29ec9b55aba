import { describe, expect, test } from "vitest";
import { KeyValueCache } from "../../src/ops/kv-cache.js";
import { stateShape } from "../../src/ops/lightning.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { bytesOf, type Tensor } from "../../src/runtime/tensor.js";
import type { RangeKernelArguments, WorkspaceKernelArguments } from "../../src/runtime/wasm.js";
import type { ResidentDType } from "../../src/weights/weights.js";
import { randomInput, randomMatrix, type Suite } from "./harness.js";

const [ROWS, WIDTH, HEADS, DIM] = [7, 13, 5, 12];

/** One kernel: how long its ranged axis is, and how to run a part of it. */
interface RangeCase {
  readonly outputs: readonly Tensor[];
  readonly length: number;
  readonly run: (begin: number, end: number) => void;
}

type Make = (rt: Runtime) => RangeCase;

function zeros(rt: Runtime, shape: readonly number[], dtype: "f32" | "i32" = "f32"): Tensor {
  const x = rt.empty(shape, dtype);
  rt.f32(x).fill(0);
  return x;
}

const input = (rt: Runtime, seed: number, shape: readonly number[]) => randomInput(rt, seed, shape).tensor;

/** An op of elements or of rows, `y` first. */
function simple(shape: readonly number[], length: number, run: (rt: Runtime, y: Tensor, begin: number, end: number) => void): Make {
  return (rt) => {
    const y = zeros(rt, shape);
    return { outputs: [y], length, run: (begin, end) => run(rt, y, begin, end) };
  };
}

/** An op of elements with two results. */
function pair(run: (rt: Runtime, first: number, second: number, begin: number, end: number) => void): Make {
  return (rt) => {
    const outputs = [zeros(rt, [elements]), zeros(rt, [elements])] as const;
    return { outputs, length: elements, run: (begin, end) => run(rt, outputs[0].ptr, outputs[1].ptr, begin, end) };
  };
}

function matmulCase(resident: "f32" | "bf16" | "synthetic"): Make {
  return (rt) => {
    const [out, inputs] = [125, 70];
    const w = randomMatrix(rt, 3, out, inputs, resident);
    const x = input(rt, 4, [ROWS, inputs]);
    const y = zeros(rt, [ROWS, out]);
    const packed = rt.empty(x.shape);
    rt.kernels.packRows(packed.ptr, x.ptr, ROWS, inputs, 0, rt.kernels.rowTiles(ROWS));
    const { matmulF32: f32, matmulBf16: bf16, matmulSynthetic: synthetic } = rt.kernels;
    const kernel = { f32, bf16, synthetic }[resident];
    const workspace = rt.workspace(rt.kernels.matmulWorkspaceBytes + 64 * inputs);
    const run = (begin: number, end: number) => kernel(y.ptr, x.ptr, packed.ptr, w.tensor.ptr, ROWS, out, inputs, workspace, begin, end);
    return { outputs: [y], length: 4, run };
  };
}

function quantizedMatmul(resident: "q8" | "q4"): Make {
  return (rt) => {
    const [out, inputs] = [125, 519];
    const w = randomMatrix(rt, 3, out, inputs, resident);
    const x = input(rt, 4, [ROWS, inputs]);
    const quantized = quantizedTiles(rt, x, ROWS, inputs, resident);
    const y = zeros(rt, [ROWS, out]);
    const { matmulQ8: q8, matmulQ4: q4 } = rt.kernels;
    const kernel = { q8, q4 }[resident];
    const workspace = rt.workspace(workspaceBytes(rt, resident, inputs));
    const run = (begin: number, end: number) => kernel(y.ptr, x.ptr, quantized.ptr, w.tensor.ptr, ROWS, out, inputs, workspace, begin, end);
    return { outputs: [y], length: 4, run };
  };
}

/** Rows in tiles of four, quantised. */
function quantizedTiles(rt: Runtime, x: Tensor, rows: number, inputs: number, resident: "q8" | "q4"): Tensor {
  const tiled = rows & ~3;
  const { q4RowBytes, quantizeRows, quantizeRowsQ4 } = rt.kernels;
  const quantized = rt.empty([rows, Math.max(inputs + 8, q4RowBytes(inputs) / 4)]);
  (resident === "q8" ? quantizeRows : quantizeRowsQ4)(quantized.ptr, x.ptr, tiled, inputs, 0, tiled);
  return quantized;
}

function workspaceBytes({ kernels }: Runtime, resident: ResidentDType | "synthetic", inputs: number): number {
  if (resident === "q8") return kernels.matmulQ8WorkspaceBytes(inputs);
  if (resident === "q4") return kernels.matmulQ4WorkspaceBytes(inputs);
  return kernels.matmulWorkspaceBytes + 64 * inputs;
}

/** A list of three products, the middle one of a single row. */
function matmulListCase(resident: ResidentDType | "synthetic"): Make {
  return (rt) => {
    const inputs = 70;
    const quantized = resident === "q8" || resident === "q4" ? resident : undefined;
    const outputs: Tensor[] = [];
    const list: number[] = [];
    for (const [rows, out] of [
      [5, 40],
      [1, 125],
      [ROWS, 33],
    ] as const) {
      const x = input(rt, rows, [rows, inputs]);
      const w = randomMatrix(rt, out, out, inputs, resident).tensor;
      const y = zeros(rt, [rows, out]);
      const arranged = quantized ? quantizedTiles(rt, x, rows, inputs, quantized) : rt.empty([rows, inputs]);
      if (!quantized) rt.kernels.packRows(arranged.ptr, x.ptr, rows, inputs, 0, rt.kernels.rowTiles(rows));
      list.push(y.ptr, x.ptr, arranged.ptr, w.ptr, rows, out, inputs);
      outputs.push(y);
    }
    const table = rt.from(list, [list.length], "i32");
    const { matmulListF32: f32, matmulListBf16: bf16, matmulListQ8: q8, matmulListQ4: q4, matmulListSynthetic: synthetic } = rt.kernels;
    const kernel = { f32, bf16, q8, q4, synthetic }[resident];
    const workspace = rt.workspace(workspaceBytes(rt, resident, inputs));
    return { outputs, length: 8, run: (begin, end) => kernel(table.ptr, 3, workspace, begin, end) };
  };
}

/** Rows into panels, the last one not full; of numbers, two to a word where they are half as wide. */
function packing(kernel: "packF32" | "packBf16", perWord: number): Make {
  return (rt) => {
    const [rows, width] = [107, 46];
    const w = input(rt, 1, [(rows * width) / perWord]);
    const panels = zeros(rt, [(128 * width) / perWord]);
    return { outputs: [panels], length: 4, run: (begin, end) => rt.kernels[kernel](panels.ptr, w.ptr, rows, width, begin, end) };
  };
}

function embedding(resident: ResidentDType | "synthetic"): Make {
  return (rt) => {
    const w = randomMatrix(rt, 3, 20, WIDTH, resident);
    const ids = rt.from([3, 19, 0, 7, 8, 3, 11], [ROWS], "i32");
    const y = zeros(rt, [ROWS, WIDTH]);
    const { embedF32: f32, embedBf16: bf16, embedQ8: q8, embedQ4: q4, embedSynthetic: synthetic } = rt.kernels;
    const kernel = { f32, bf16, q8, q4, synthetic }[resident];
    return { outputs: [y], length: ROWS, run: (begin, end) => kernel(y.ptr, ids.ptr, w.tensor.ptr, WIDTH, begin, end) };
  };
}

/** Both kernels of the backward of attention; the second reads the statistics that the first leaves. */
function attentionBackward(rt: Runtime): { ofQueries: RangeCase; ofKeysValues: RangeCase } {
  const [tokens, positions, heads, kvHeads, block] = [70, 150, 4, 2, 48];
  const rows = (seed: number, count: number, perRow: number) => input(rt, seed, [count, perRow, DIM]);
  const [dO, o, q] = [rows(1, tokens, heads), rows(2, tokens, heads), rows(3, tokens, heads)];
  const [k, v] = [rows(4, positions, kvHeads), rows(5, positions, kvHeads)];
  const [dq, dk, dv] = [rows(6, tokens, heads), rows(7, positions, kvHeads), rows(8, positions, kvHeads)];
  const statistics = zeros(rt, [tokens, heads, 3]);
  const dims = [tokens, positions, heads, kvHeads, DIM, block, 0.3] as const;
  const workspace = rt.workspace(rt.kernels.attentionBackwardWorkspaceBytes(block, DIM));
  const forQ = [dq.ptr, statistics.ptr, dO.ptr, o.ptr, q.ptr, k.ptr, v.ptr, ...dims, workspace] as const;
  const forKV = [dk.ptr, dv.ptr, statistics.ptr, dO.ptr, q.ptr, k.ptr, v.ptr, ...dims, workspace] as const;
  return {
    ofQueries: {
      outputs: [dq, statistics],
      length: kvHeads * Math.ceil((tokens * heads) / kvHeads / block),
      run: (begin, end) => rt.kernels.attentionBackwardQ(...forQ, begin, end),
    },
    ofKeysValues: {
      outputs: [dk, dv],
      length: kvHeads * Math.ceil(positions / 64),
      run: (begin, end) => rt.kernels.attentionBackwardKV(...forKV, begin, end),
    },
  };
}

const elements = ROWS * WIDTH;
const order = [5, 0, 9, 13, 2, 2, 7];

const kernels: Record<keyof RangeKernelArguments | keyof WorkspaceKernelArguments, Make> = {
  matmulF32: matmulCase("f32"),
  matmulBf16: matmulCase("bf16"),
  matmulQ8: quantizedMatmul("q8"),
  matmulQ4: quantizedMatmul("q4"),
  matmulSynthetic: matmulCase("synthetic"),
  matmulListF32: matmulListCase("f32"),
  matmulListBf16: matmulListCase("bf16"),
  matmulListQ8: matmulListCase("q8"),
  matmulListQ4: matmulListCase("q4"),
  matmulListSynthetic: matmulListCase("synthetic"),
  quantizeRows: (rt) => {
    const [rows, width] = [11, 515];
    const quantized = zeros(rt, [rows * 262]);
    const x = input(rt, 1, [rows, width]);
    const run = (begin: number, end: number) => rt.kernels.quantizeRows(quantized.ptr, x.ptr, rows, width, begin, end);
    return { outputs: [quantized], length: rows, run };
  },
  quantizeRowsQ4: (rt) => {
    const [rows, width] = [11, 515];
    const quantized = zeros(rt, [(rows * rt.kernels.q4RowBytes(width)) / 4]);
    const x = input(rt, 1, [rows, width]);
    const run = (begin: number, end: number) => rt.kernels.quantizeRowsQ4(quantized.ptr, x.ptr, rows, width, begin, end);
    return { outputs: [quantized], length: rows, run };
  },
  packRows: (rt) => {
    // Several tiles on every build; an odd width and one that takes a second block.
    const [rows, width] = [13, 515];
    const packed = zeros(rt, [rows, width]);
    const x = input(rt, 1, [rows, width]);
    return {
      outputs: [packed],
      length: rt.kernels.rowTiles(rows),
      run: (begin, end) => rt.kernels.packRows(packed.ptr, x.ptr, rows, width, begin, end),
    };
  },
  packF32: packing("packF32", 1),
  packBf16: packing("packBf16", 2),
  packQ4: (rt) => {
    const [rows, width] = [107, 46];
    const w = input(rt, 1, [rows, width]);
    const panels = zeros(rt, [bytesOf([rows, width], "q4", "panels") / 4]);
    return { outputs: [panels], length: 4, run: (begin, end) => rt.kernels.packQ4(panels.ptr, w.ptr, rows, width, begin, end) };
  },
  embedF32: embedding("f32"),
  embedBf16: embedding("bf16"),
  embedQ8: embedding("q8"),
  embedQ4: embedding("q4"),
  embedSynthetic: embedding("synthetic"),
  silu: simple([elements], elements, (rt, y, begin, end) => rt.kernels.silu(y.ptr, input(rt, 1, [elements]).ptr, begin, end)),
  siluGate: simple([elements], elements, (rt, y, begin, end) =>
    rt.kernels.siluGate(y.ptr, input(rt, 1, [elements]).ptr, input(rt, 2, [elements]).ptr, begin, end),
  ),
  sigmoidGate: simple([elements], elements, (rt, y, begin, end) =>
    rt.kernels.sigmoidGate(y.ptr, input(rt, 1, [elements]).ptr, input(rt, 2, [elements]).ptr, begin, end),
  ),
  residual: simple([elements], elements, (rt, y, begin, end) =>
    rt.kernels.residual(y.ptr, input(rt, 1, [elements]).ptr, input(rt, 2, [elements]).ptr, 1.5, 0.5, begin, end),
  ),
  mix: simple([ROWS, WIDTH], ROWS, (rt, y, begin, end) =>
    rt.kernels.mix(y.ptr, input(rt, 1, [elements]).ptr, input(rt, 2, [elements]).ptr, input(rt, 3, [ROWS]).ptr, WIDTH, begin, end),
  ),
  rmsNorm: simple([ROWS, WIDTH], ROWS, (rt, y, begin, end) =>
    rt.kernels.rmsNorm(y.ptr, input(rt, 1, [elements]).ptr, input(rt, 2, [WIDTH]).ptr, WIDTH, 1e-5, begin, end),
  ),
  softmax: simple([ROWS, WIDTH], ROWS, (rt, y, begin, end) => rt.kernels.softmax(y.ptr, input(rt, 1, [elements]).ptr, WIDTH, begin, end)),
  logSoftmax: simple([ROWS, WIDTH], ROWS, (rt, y, begin, end) =>
    rt.kernels.logSoftmax(y.ptr, input(rt, 1, [elements]).ptr, WIDTH, begin, end),
  ),
  rope: simple([ROWS, HEADS, DIM], ROWS, (rt, y, begin, end) =>
    rt.kernels.rope(y.ptr, input(rt, 1, y.shape).ptr, input(rt, 2, [ROWS, 4]).ptr, input(rt, 3, [ROWS, 4]).ptr, HEADS, DIM, 8, begin, end),
  ),
  gather: simple([order.length, WIDTH], order.length, (rt, y, begin, end) =>
    rt.kernels.gather(y.ptr, input(rt, 1, [elements]).ptr, rt.from(order, [order.length], "i32").ptr, 2, WIDTH, begin, end),
  ),
  scatter: simple([ROWS, WIDTH], WIDTH, (rt, y, begin, end) => {
    const x = input(rt, 1, [order.length, WIDTH]);
    const slots = rt.from(order, [order.length], "i32");
    rt.kernels.scatter(y.ptr, x.ptr, slots.ptr, input(rt, 2, [2 * ROWS]).ptr, order.length, 2, WIDTH, begin, end);
  }),
  route: (rt) => {
    const outputs = [zeros(rt, [ROWS, 3], "i32"), zeros(rt, [ROWS, 3]), zeros(rt, [ROWS, WIDTH])] as const;
    const [experts, weights, probabilities] = outputs;
    const logits = input(rt, 1, [ROWS, WIDTH]);
    const run = (begin: number, end: number) =>
      rt.kernels.route(experts.ptr, weights.ptr, probabilities.ptr, logits.ptr, WIDTH, 3, begin, end);
    return { outputs, length: ROWS, run };
  },
  lightning: (rt) => {
    const [tokens, chunk] = [70, 32];
    const outputs = [zeros(rt, [tokens, HEADS * DIM]), zeros(rt, stateShape(HEADS, DIM))] as const;
    const [o, state] = outputs;
    const qkv = input(rt, 1, [tokens, HEADS, 3 * DIM]);
    const slopes = rt.from([0.1, 0.5, 0.01, 2, 0]);
    const workspace = rt.workspace(rt.kernels.lightningWorkspaceBytes(chunk, DIM));
    const run = (begin: number, end: number) =>
      rt.kernels.lightning(o.ptr, state.ptr, qkv.ptr, slopes.ptr, tokens, HEADS, DIM, chunk, workspace, begin, end);
    return { outputs, length: HEADS, run };
  },
  lightningStep: (rt) => {
    const outputs = [zeros(rt, [HEADS * DIM]), input(rt, 2, stateShape(HEADS, DIM))] as const;
    const [o, state] = outputs;
    const qkv = input(rt, 1, [HEADS, 3 * DIM]);
    const slopes = rt.from([0.1, 0.5, 0.01, 2, 0]);
    const run = (begin: number, end: number) => rt.kernels.lightningStep(o.ptr, state.ptr, qkv.ptr, slopes.ptr, HEADS, DIM, begin, end);
    return { outputs, length: HEADS, run };
  },
  lightningSteps: (rt) => {
    const sequences = [1, 2, 3].map((i) => {
      const [o, state] = [zeros(rt, [HEADS * DIM]), input(rt, 2 * i, stateShape(HEADS, DIM))];
      return { outputs: [o, state], pointers: [o.ptr, state.ptr, input(rt, 2 * i + 1, [HEADS, 3 * DIM]).ptr] };
    });
    const list = rt.from(
      sequences.flatMap(({ pointers }) => pointers),
      [9],
      "i32",
    );
    const slopes = rt.from([0.1, 0.5, 0.01, 2, 0]);
    const run = (begin: number, end: number) => rt.kernels.lightningSteps(list.ptr, slopes.ptr, HEADS, DIM, begin, end);
    return { outputs: sequences.flatMap(({ outputs }) => outputs), length: 3 * HEADS, run };
  },
  storeKeysValues: (rt) => {
    const kvHeads = 2;
    const cache = new KeyValueCache(rt, kvHeads, DIM, "q8");
    cache.resize(3 + ROWS);
    const [k, v] = [input(rt, 2, [ROWS, kvHeads, DIM]), input(rt, 3, [ROWS, kvHeads, DIM])];
    const run = (begin: number, end: number) => rt.kernels.storeKeysValues(cache.pages.ptr, k.ptr, v.ptr, 3, kvHeads, DIM, 1, begin, end);
    return { outputs: cache.tensors, length: ROWS, run };
  },
  attention: (rt) => {
    const [tokens, kvHeads, block] = [70, 5, 48];
    const y = zeros(rt, [tokens, 2 * kvHeads * DIM]);
    const q = input(rt, 1, [tokens, 2 * kvHeads, DIM]);
    const cache = new KeyValueCache(rt, kvHeads, DIM, "f32");
    cache.append(input(rt, 2, [tokens, kvHeads, DIM]), input(rt, 3, [tokens, kvHeads, DIM]));
    const workspace = rt.workspace(rt.kernels.attentionWorkspaceBytes(block, DIM, 4));
    const run = (begin: number, end: number) =>
      rt.kernels.attention(
        ...[y.ptr, q.ptr, cache.pages.ptr, tokens, tokens, 2 * kvHeads, kvHeads, DIM, 4, block, 0.3, workspace, begin, end],
      );
    return { outputs: [y], length: kvHeads * Math.ceil((2 * tokens) / block), run };
  },
  loadKeysValues: (rt) => {
    const kvHeads = 2;
    const cache = new KeyValueCache(rt, kvHeads, DIM, "f32");
    cache.append(input(rt, 2, [3 + ROWS, kvHeads, DIM]), input(rt, 3, [3 + ROWS, kvHeads, DIM]));
    const outputs = [zeros(rt, [ROWS, kvHeads, DIM]), zeros(rt, [ROWS, kvHeads, DIM])] as const;
    const [k, v] = outputs;
    const run = (begin: number, end: number) => rt.kernels.loadKeysValues(k.ptr, v.ptr, cache.pages.ptr, 3, kvHeads, DIM, begin, end);
    return { outputs, length: ROWS, run };
  },
  attentionBackwardQ: (rt) => attentionBackward(rt).ofQueries,
  attentionBackwardKV: (rt) => {
    const { ofQueries, ofKeysValues } = attentionBackward(rt);
    ofQueries.run(0, ofQueries.length);
    return ofKeysValues;
  },
  matmulBackwardX: (rt) => {
    const [rows, out, inputs] = [13, 70, 45];
    const [w, dy, dx] = [randomMatrix(rt, 3, out, inputs, "f32").tensor, input(rt, 4, [rows, out]), input(rt, 5, [rows, inputs])];
    const packed = rt.empty(dy.shape);
    rt.kernels.packRows(packed.ptr, dy.ptr, rows, out, 0, rt.kernels.rowTiles(rows));
    const workspace = rt.workspace(rt.kernels.matmulBackwardWorkspaceBytes);
    const run = (begin: number, end: number) =>
      rt.kernels.matmulBackwardX(dx.ptr, dy.ptr, packed.ptr, w.ptr, rows, out, inputs, workspace, begin, end);
    return { outputs: [dx], length: Math.ceil(inputs / 8), run };
  },
  matmulBackwardW: (rt) => {
    const [rows, out, inputs] = [13, 125, 45];
    const [x, dy, dw] = [input(rt, 3, [rows, inputs]), input(rt, 4, [rows, out]), input(rt, 5, [128, inputs])];
    const packed = rt.empty(x.shape);
    rt.kernels.packColumnTiles(packed.ptr, x.ptr, rows, inputs, 0, rt.kernels.rowTiles(inputs));
    const workspace = rt.workspace(rt.kernels.matmulBackwardWorkspaceBytes);
    const run = (begin: number, end: number) =>
      rt.kernels.matmulBackwardW(dw.ptr, dy.ptr, x.ptr, packed.ptr, rows, out, inputs, workspace, begin, end);
    return { outputs: [dw], length: 4, run };
  },
  packColumnTiles: (rt) => {
    const [rows, width] = [515, 13];
    const packed = zeros(rt, [rows, width]);
    const x = input(rt, 1, [rows, width]);
    const run = (begin: number, end: number) => rt.kernels.packColumnTiles(packed.ptr, x.ptr, rows, width, begin, end);
    return { outputs: [packed], length: rt.kernels.rowTiles(width), run };
  },
  rmsNormBackwardX: (rt) => {
    const [dx, scales] = [input(rt, 1, [ROWS, WIDTH]), zeros(rt, [ROWS])];
    const [dy, x, w] = [input(rt, 2, [ROWS, WIDTH]), input(rt, 3, [ROWS, WIDTH]), input(rt, 4, [WIDTH])];
    const run = (begin: number, end: number) =>
      rt.kernels.rmsNormBackwardX(dx.ptr, scales.ptr, dy.ptr, x.ptr, w.ptr, WIDTH, 1e-5, begin, end);
    return { outputs: [dx, scales], length: ROWS, run };
  },
  rmsNormBackwardW: simple([WIDTH], WIDTH, (rt, dw, begin, end) =>
    rt.kernels.rmsNormBackwardW(
      dw.ptr,
      input(rt, 1, [ROWS, WIDTH]).ptr,
      input(rt, 2, [ROWS, WIDTH]).ptr,
      input(rt, 3, [ROWS]).ptr,
      ROWS,
      WIDTH,
      begin,
      end,
    ),
  ),
  joinHeads: simple([ROWS, HEADS + 1, 3 * DIM], ROWS, (rt, y, begin, end) =>
    rt.kernels.joinHeads(
      y.ptr,
      input(rt, 1, [ROWS, HEADS + 1, DIM]).ptr,
      input(rt, 2, [ROWS, 2, DIM]).ptr,
      input(rt, 3, [ROWS, 2, DIM]).ptr,
      HEADS + 1,
      2,
      DIM,
      0.3,
      begin,
      end,
    ),
  ),
  joinHeadsBackward: (rt) => {
    const outputs = [zeros(rt, [ROWS, HEADS + 1, DIM]), zeros(rt, [ROWS, 2, DIM]), zeros(rt, [ROWS, 2, DIM])] as const;
    const [dq, dk, dv] = outputs;
    const dy = input(rt, 1, [ROWS, HEADS + 1, 3 * DIM]);
    const run = (begin: number, end: number) =>
      rt.kernels.joinHeadsBackward(dq.ptr, dk.ptr, dv.ptr, dy.ptr, HEADS + 1, 2, DIM, 0.3, begin, end);
    return { outputs, length: ROWS, run };
  },
  scaleRows: simple([ROWS, WIDTH], ROWS, (rt, y, begin, end) =>
    rt.kernels.scaleRows(y.ptr, input(rt, 1, [ROWS, WIDTH]).ptr, input(rt, 2, [ROWS]).ptr, WIDTH, begin, end),
  ),
  scaleRowsBackward: simple([ROWS, WIDTH], ROWS, (rt, dx, begin, end) =>
    rt.kernels.scaleRowsBackward(dx.ptr, input(rt, 1, [ROWS, WIDTH]).ptr, input(rt, 2, [ROWS]).ptr, WIDTH, begin, end),
  ),
  siluBackward: simple([elements], elements, (rt, dx, begin, end) =>
    rt.kernels.siluBackward(dx.ptr, input(rt, 1, [elements]).ptr, input(rt, 2, [elements]).ptr, begin, end),
  ),
  siluGateBackward: pair((rt, da, db, begin, end) =>
    rt.kernels.siluGateBackward(
      da,
      db,
      input(rt, 1, [elements]).ptr,
      input(rt, 2, [elements]).ptr,
      input(rt, 3, [elements]).ptr,
      begin,
      end,
    ),
  ),
  sigmoidGateBackward: pair((rt, dg, dx, begin, end) =>
    rt.kernels.sigmoidGateBackward(
      dg,
      dx,
      input(rt, 1, [elements]).ptr,
      input(rt, 2, [elements]).ptr,
      input(rt, 3, [elements]).ptr,
      begin,
      end,
    ),
  ),
  addScaled: simple([elements], elements, (rt, y, begin, end) =>
    rt.kernels.addScaled(y.ptr, input(rt, 1, [elements]).ptr, 0.7, begin, end),
  ),
  mixBackward: (rt) => {
    const outputs = [zeros(rt, [ROWS, WIDTH]), zeros(rt, [ROWS, WIDTH]), zeros(rt, [ROWS])] as const;
    const [dy, a, b] = [input(rt, 1, [ROWS, WIDTH]), input(rt, 2, [ROWS, WIDTH]), input(rt, 3, [ROWS, WIDTH])];
    const c = input(rt, 4, [ROWS]);
    const [da, db, dc] = outputs;
    const run = (begin: number, end: number) =>
      rt.kernels.mixBackward(da.ptr, db.ptr, dc.ptr, dy.ptr, a.ptr, b.ptr, c.ptr, WIDTH, begin, end);
    return { outputs, length: ROWS, run };
  },
  ropeBackward: simple([ROWS, HEADS, DIM], ROWS, (rt, dx, begin, end) =>
    rt.kernels.ropeBackward(
      dx.ptr,
      input(rt, 1, dx.shape).ptr,
      input(rt, 2, [ROWS, 4]).ptr,
      input(rt, 3, [ROWS, 4]).ptr,
      HEADS,
      DIM,
      8,
      begin,
      end,
    ),
  ),
  embedBackward: simple([32, WIDTH], WIDTH, (rt, dw, begin, end) => {
    const ids = rt.from([3, 19, 0, 7, 8, 3, 11], [ROWS], "i32");
    rt.kernels.embedBackward(dw.ptr, ids.ptr, input(rt, 1, [ROWS, WIDTH]).ptr, ROWS, WIDTH, begin, end);
  }),
  routeBackward: simple([ROWS, 4], ROWS, (rt, dlogits, begin, end) => {
    const experts = rt.from([0, 1, 2, 3, 1, 0, 3, 2, 0, 2, 1, 3, 2, 0], [ROWS, 2], "i32");
    rt.kernels.routeBackward(dlogits.ptr, input(rt, 1, [ROWS, 2]).ptr, experts.ptr, input(rt, 2, [ROWS, 2]).ptr, 4, 2, begin, end);
  }),
  gatherBackward: simple([ROWS, WIDTH], WIDTH, (rt, dx, begin, end) =>
    rt.kernels.gatherBackward(
      dx.ptr,
      input(rt, 1, [order.length, WIDTH]).ptr,
      rt.from(order, [order.length], "i32").ptr,
      order.length,
      2,
      WIDTH,
      begin,
      end,
    ),
  ),
  scatterBackward: (rt) => {
    // Every slot once: the weights' gradients belong to slots.
    const slots = rt.from([5, 0, 9, 13, 2, 1, 7], [7], "i32");
    const outputs = [zeros(rt, [7, WIDTH]), zeros(rt, [2 * ROWS])] as const;
    const [dx, dweights] = outputs;
    const [dy, x, weights] = [input(rt, 1, [ROWS, WIDTH]), input(rt, 2, [7, WIDTH]), input(rt, 3, [2 * ROWS])];
    const run = (begin: number, end: number) =>
      rt.kernels.scatterBackward(dx.ptr, dweights.ptr, dy.ptr, x.ptr, slots.ptr, weights.ptr, 2, WIDTH, begin, end);
    return { outputs, length: 7, run };
  },
  targetLogprobs: simple([ROWS], ROWS, (rt, y, begin, end) =>
    rt.kernels.targetLogprobs(
      y.ptr,
      input(rt, 1, [ROWS, WIDTH]).ptr,
      rt.from([3, 0, 12, 7, 8, 3, 11], [ROWS], "i32").ptr,
      WIDTH,
      begin,
      end,
    ),
  ),
  targetLogprobsBackward: simple([ROWS, WIDTH], ROWS, (rt, dx, begin, end) => {
    const targets = rt.from([3, 0, 12, 7, 8, 3, 11], [ROWS], "i32");
    rt.kernels.targetLogprobsBackward(dx.ptr, input(rt, 1, [ROWS]).ptr, input(rt, 2, [ROWS, WIDTH]).ptr, targets.ptr, WIDTH, begin, end);
  }),
  softmaxBackward: simple([ROWS, WIDTH], ROWS, (rt, dx, begin, end) =>
    rt.kernels.softmaxBackward(dx.ptr, input(rt, 1, [ROWS, WIDTH]).ptr, input(rt, 2, [ROWS, WIDTH]).ptr, WIDTH, WIDTH, begin, end),
  ),
  logSoftmaxBackward: simple([ROWS, WIDTH], ROWS, (rt, dx, begin, end) =>
    rt.kernels.logSoftmaxBackward(dx.ptr, input(rt, 1, [ROWS, WIDTH]).ptr, input(rt, 2, [ROWS, WIDTH]).ptr, WIDTH, begin, end),
  ),
  adamW: (rt) => {
    const outputs = [input(rt, 1, [elements]), input(rt, 2, [elements]), zeros(rt, [elements])] as const;
    const [w, m, v] = outputs;
    const g = input(rt, 4, [elements]);
    const run = (begin: number, end: number) =>
      rt.kernels.adamW(w.ptr, m.ptr, v.ptr, g.ptr, 0.5, 0.9, 0.95, 0.99, 0.1, 1.5, 1e-8, begin, end);
    return { outputs, length: elements, run };
  },
  lightningBackward: (rt) => {
    const [tokens, piece, chunk] = [70, 30, 16];
    const outputs = [zeros(rt, [tokens, HEADS, 3 * DIM]), input(rt, 1, stateShape(HEADS, DIM))] as const;
    const [dqkv, dstate] = outputs;
    const [dO, state, qkv] = [
      input(rt, 2, [tokens, HEADS * DIM]),
      input(rt, 3, stateShape(HEADS, DIM)),
      input(rt, 4, [tokens, HEADS, 3 * DIM]),
    ];
    const slopes = rt.from([0.1, 0.5, 0.01, 2, 0]);
    const workspace = rt.workspace(rt.kernels.lightningBackwardWorkspaceBytes(piece, chunk, DIM));
    const args = [dqkv.ptr, dstate.ptr, dO.ptr, state.ptr, qkv.ptr, slopes.ptr, tokens, HEADS, DIM, piece, chunk, workspace] as const;
    return { outputs, length: HEADS, run: (begin, end) => rt.kernels.lightningBackward(...args, begin, end) };
  },
  exponentialNegative: simple([96], 24, (rt, y, begin, end) =>
    rt.kernels.exponentialNegative(y.ptr, input(rt, 1, [96]).ptr, 4 * begin, 4 * end),
  ),
  exponential: simple([96], 24, (rt, y, begin, end) => rt.kernels.exponential(y.ptr, input(rt, 1, [96]).ptr, 4 * begin, 4 * end)),
};

export const rangesSuite: Suite = (runtime) => {
  describe("a range computed in parts, in any order, gives the bits of the whole", () => {
    test.each(Object.entries(kernels))("%s", (_, make) => {
      const rt = runtime();
      const results = (cuts: (length: number) => (readonly [number, number])[]) =>
        rt.scope(() => {
          const { outputs, length, run } = make(rt);
          for (const [begin, end] of cuts(length)) run(begin, end);
          return outputs.map((y) => rt.bytes(y.ptr, 4 * y.shape.reduce((size, dim) => size * dim, 1)).slice());
        });
      const whole = results((length) => [[0, length]]);
      const parts = results((length) => [
        [Math.ceil(length / 2), length],
        [1, Math.ceil(length / 2)],
        [0, 1],
      ]);
      expect(parts).toEqual(whole);
      // And no part touches what is another's.
      const [untouched, first, second] = [
        results(() => []),
        results((length) => [[0, Math.ceil(length / 2)]]),
        results((length) => [[Math.ceil(length / 2), length]]),
      ];
      for (const [k, bytes] of untouched.entries()) {
        const both = bytes.findIndex((byte, i) => first[k]![i] !== byte && second[k]![i] !== byte);
        expect(both, `a byte of output ${k} that both halves write`).toBe(-1);
      }
      expect(first).not.toEqual(untouched);
    });
  });
};
