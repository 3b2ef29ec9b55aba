import { Runtime } from "../../src/runtime/runtime.js";
import { bytesOf, type Tensor } from "../../src/runtime/tensor.js";
import type { Build } from "../../src/runtime/wasm.js";
import { ResidentWeights } from "../../src/weights/resident.js";
import { SyntheticWeights } from "../../src/weights/synthetic.js";
import type { ResidentDType } from "../../src/weights/weights.js";
import * as fourBits from "../reference/four-bits.js";
import { dequantized } from "../reference/quantized.js";
import { syntheticMatrix, toBf16 } from "../reference/synthetic.js";
import { randomTensor } from "../support/random.js";

/**
 * Tests that hold for one runtime, whatever build or engine is behind it. `runs` scales the number of inputs that a law is tried on, because
 * one build is enough for many of them.
 */
export type Suite = (runtime: () => Runtime, runs: (full: number) => number) => void;

/** A runtime that hands out memory full of NaN: a result that depends on what a kernel did not write shows. */
export async function poisonedRuntime(build: Build, threads: number): Promise<Runtime> {
  const rt = await Runtime.create(build, { threads, minThreadedWork: 0 });
  await rt.threadsReady();
  const { keep } = rt;
  rt.keep = function (shape, dtype, layout) {
    const x = keep.call(this, shape, dtype, layout);
    this.bytes(x.ptr, bytesOf(shape, x.dtype, x.layout)).fill(0xff);
    return x;
  };
  return rt;
}

/** `body`'s tensor as an array; everything it made is freed. */
export function evaluate(rt: Runtime, body: () => Tensor): Float32Array {
  return rt.scope(() => rt.read(body()));
}

/** Random values `[size]`, and the same as a tensor of this shape. */
export function randomInput(rt: Runtime, seed: number, shape: readonly number[], scale = 1): { data: Float32Array; tensor: Tensor } {
  const data = randomTensor(
    seed,
    shape.reduce((product, dim) => product * dim, 1),
    scale,
  );
  return { data, tensor: rt.from(data, shape) };
}

/** A packed matrix of random weights `[out, inputs]`, with the values that it holds after rounding to its resident dtype; or one by formula. */
export function randomMatrix(rt: Runtime, seed: number, out: number, inputs: number, resident: ResidentDType | "synthetic") {
  if (resident === "synthetic") {
    const [weights, name] = [new SyntheticWeights(rt), `w${seed}`];
    weights.add({ name, shape: [out, inputs], dtype: "bf16" }, "matrix");
    const tensor = weights.at(name);
    return { data: syntheticMatrix(name, out, inputs), tensor, release: () => rt.release(tensor) };
  }
  const data = randomTensor(seed, out * inputs, inputs ** -0.5);
  if (resident === "bf16") for (let i = 0; i < data.length; i++) data[i] = toBf16(data[i]!);
  const weights = new ResidentWeights(rt);
  const tensor = weights.add({ name: "w", shape: [out, inputs], dtype: "f32" }, resident);
  const step = weights.pieceRows("w");
  for (let row = 0; row < out; row += step) {
    const rows = data.subarray(row * inputs, Math.min(out, row + step) * inputs);
    weights.writeRows("w", row, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
  }
  if (resident === "q8") data.set(dequantized(data, inputs));
  if (resident === "q4") data.set(fourBits.dequantized(data, inputs));
  return { data, tensor, release: () => rt.release(tensor) };
}
