// The same chunked lightning attention as an ONNX graph in onnxruntime, heads batched, on tensors that lie as it likes them best:
// [chunks, heads, block, headDim].  With e^−λ per head as decay, rows i and j of a chunk of B rows:
//
//     o = q S ⊙ decay^(i+1) + (q kᵀ ⊙ decay^(i−j) for j ≤ i) v;   S' = decay^B S + (kᵀ ⊙ decay^(B−1−j)) v
//
// Options: platform "web" or "node", threads.
import { Graph } from "../formats/onnx.mjs";
import { onnxruntime } from "./onnxruntime.mjs";

let runtime;

export async function setup(options) {
  runtime = await onnxruntime(options);
  return runtime.info;
}

export async function prepare({ tokens, heads, headDim, block }, q, k, v, slopes) {
  const chunks = tokens / block;
  if (!Number.isInteger(chunks)) throw new Error(`expected a multiple of ${block} tokens, got ${tokens}`);
  const { Tensor } = runtime.ort;
  const session = await runtime.open(scanGraph({ chunks, heads, headDim, block, slopes }).model());
  const dims = [chunks, heads, block, headDim];
  const [Q, K, V] = [q, k, v].map((array) => new Tensor("float32", toChunks(array, dims), dims));
  const S = new Tensor("float32", new Float32Array(heads * headDim ** 2), [heads, headDim, headDim]);
  let o;
  return {
    async run() {
      o = (await session.run({ Q, K, V, S })).O.data;
    },
    result: () => (t, h, d) => o[((Math.floor(t / block) * heads + h) * block + (t % block)) * headDim + d],
    dispose: () => session.release(),
  };
}

/** Builds the graph of one chunk: q, k, v, S → o, S'. */
function bodyGraph({ heads, headDim, block, slopes }) {
  const g = new Graph();
  const chunk = [heads, block, headDim];
  const state = g.input("S", [heads, headDim, headDim]);
  const [q, k, v] = ["q", "k", "v"].map((name) => g.input(name, chunk));
  const table = (dims, exponent) => {
    const [, rows, columns] = dims;
    const entry = (i) => {
      const [h, row, column] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
      const power = exponent(row, column);
      return power < 0 ? 0 : Math.exp(-slopes[h] * power);
    };
    return g.constant(
      Float32Array.from({ length: heads * rows * columns }, (_, i) => entry(i)),
      dims,
    );
  };
  const mask = table([heads, block, block], (i, j) => i - j);
  const since = table([heads, block, 1], (i) => i + 1);
  const until = table([heads, 1, block], (_, j) => block - 1 - j);
  const whole = table([heads, 1, 1], () => block);
  const kT = g.node("Transpose", [k], { perm: [0, 2, 1] });
  const scores = g.node("Mul", [g.node("MatMul", [q, kT]), mask]);
  const inter = g.node("Mul", [g.node("MatMul", [q, state]), since]);
  const added = g.node("MatMul", [g.node("Mul", [kT, until]), v]);
  g.output(g.node("Add", [g.node("Mul", [state, whole]), added], { name: "SNext" }), [heads, headDim, headDim]);
  g.output(g.node("Add", [inter, g.node("MatMul", [scores, v])], { name: "o" }), chunk);
  return g;
}

/**
 * Builds the graph of all chunks, a scan over the first axis. One run per chunk instead would copy the state out and in each time, and is
 * slower.
 */
function scanGraph(options) {
  const { chunks, heads, headDim, block } = options;
  const g = new Graph();
  const [chunk, state] = [
    [chunks, heads, block, headDim],
    [heads, headDim, headDim],
  ];
  const inputs = [g.input("S", state), ...["Q", "K", "V"].map((name) => g.input(name, chunk))];
  const [last, O] = g.split("Scan", inputs, 2, { body: bodyGraph(options), num_scan_inputs: 3 });
  g.output(g.node("Identity", [O], { name: "O" }), chunk);
  g.output(g.node("Identity", [last], { name: "SLast" }), state);
  return g;
}

/** Reorders [tokens, heads, headDim] to [chunks, heads, block, headDim]. */
function toChunks(array, [chunks, heads, block, headDim]) {
  const turned = new Float32Array(array.length);
  let to = 0;
  for (let c = 0; c < chunks; c++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < block; i++, to += headDim) {
        const from = ((c * block + i) * heads + h) * headDim;
        turned.set(array.subarray(from, from + headDim), to);
      }
    }
  }
  return turned;
}
