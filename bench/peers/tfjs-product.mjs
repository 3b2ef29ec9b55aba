// Computes C = A · W in TensorFlow.js on its wasm backend. Both tensors and the result stay in its memory, so its time includes no copies.
import { createRequire } from "node:module";
import { dirname } from "node:path";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs-core");
const backend = require("@tensorflow/tfjs-backend-wasm");

export async function setup() {
  backend.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  // Its threaded build does not start in Node.
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await tf.setBackend("wasm");
  await tf.ready();
  const simd = await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT");
  return `tfjs-wasm ${tf.version_core}, ${simd ? "SIMD" : "no SIMD"}, 1 thread, Node ${process.versions.node}`;
}

export function prepare({ M, N, K }, A, W) {
  const a = tf.tensor2d(A, [M, K]);
  const w = tf.tensor2d(W, [K, N]);
  let C;
  return {
    run() {
      C?.dispose();
      C = tf.matMul(a, w);
    },
    result: () => C.dataSync(),
    dispose: () => tf.dispose([a, w, C]),
  };
}
