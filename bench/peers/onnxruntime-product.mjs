// Computes C = A · W in onnxruntime, as MatMul with a constant W, which onnxruntime packs when the session opens. Options: platform "web"
// or "node", threads, int8 (weights and activations are quantised as its own tool does it).
import { Graph } from "../formats/onnx.mjs";
import { onnxruntime } from "./onnxruntime.mjs";

let runtime;
let int8;

export async function setup(options) {
  int8 = options.int8 ?? false;
  runtime = await onnxruntime(options);
  return runtime.info + (int8 ? ", int8" : "");
}

export async function prepare({ M, N, K }, A, W) {
  const session = await runtime.open((int8 ? quantised : float)(M, N, K, W));
  const feeds = { A: new runtime.ort.Tensor("float32", A, [M, K]) };
  let C;
  return {
    async run() {
      ({ C } = await session.run(feeds));
    },
    result: () => C.data,
    tol: int8 ? 3e-3 : undefined,
    dispose: () => session.release(),
  };
}

function float(M, N, K, W) {
  const g = new Graph();
  g.node("MatMul", [g.input("A", [M, K]), g.constant(W, [K, N])], { name: "C" });
  g.output("C", [M, N]);
  return g.model();
}

/**
 * Builds the graph that onnxruntime's dynamic quantisation creates from a MatMul: int8 weights with one scale, and activations that are
 * quantised at run time. The session fuses the four nodes into its DynamicQuantizeMatMul.
 */
function quantised(M, N, K, W) {
  const g = new Graph();
  const scale = W.reduce((largest, w) => Math.max(largest, Math.abs(w)), 0) / 127;
  const weights = g.constant(
    Int8Array.from(W, (w) => Math.round(w / scale)),
    [K, N],
  );
  const [x, xScale, xZero] = g.split("DynamicQuantizeLinear", [g.input("A", [M, K])], 3);
  const sums = g.node("MatMulInteger", [x, weights, xZero, g.constant(Int8Array.of(0), [])]);
  const scales = g.node("Mul", [xScale, g.constant(Float32Array.of(scale), [])]);
  g.node("Mul", [g.node("Cast", [sums], { to: 1 }), scales], { name: "C" });
  g.output("C", [M, N]);
  return g.model();
}
