// The types of tensors in a GGUF file, and their conversion from stored weights. Source: ggml/src/ggml-quants.c (quantize_row_q8_0_ref) and
// ggml/src/ggml-impl.h (ggml_compute_fp32_to_fp16, ggml_compute_fp32_to_bf16).

import { WeightError } from "../../base/errors.js";
import { sizeOf } from "../../runtime/tensor.js";
import type { StoredDType } from "../../weights/weights.js";

export type TensorType = "F32" | "F16" | "BF16" | "Q8_0";

/** The numbers of the types in the format. */
export const typeIds: Readonly<Record<TensorType, number>> = { F32: 0, F16: 1, Q8_0: 8, BF16: 30 };

/** Number of consecutive inputs that share a scale in Q8_0. Rows must be whole blocks. */
export const Q8_0_BLOCK = 32;

/** Bytes of a Q8_0 block: a float16 scale, and 32 signed integers. */
const Q8_0_BLOCK_BYTES = 2 + Q8_0_BLOCK;

/** Returns the number of bytes of a tensor, without padding. */
export function tensorBytes(shape: readonly number[], type: TensorType): number {
  const size = sizeOf(shape);
  return type === "Q8_0" ? (size / Q8_0_BLOCK) * Q8_0_BLOCK_BYTES : size * (type === "F32" ? 4 : 2);
}

/** Decodes stored numbers to float32. */
export function decodeFloats(bytes: Uint8Array, dtype: StoredDType): Float32Array<ArrayBuffer> {
  // A view needs an aligned offset, which the bytes of a file may not have. Node's Buffer.slice would not copy.
  const { buffer } = new Uint8Array(bytes);
  if (dtype === "f32") return new Float32Array(buffer);
  const halves = new Uint16Array(buffer);
  const words = new Uint32Array(halves.length);
  const decoded = new Float32Array(words.buffer);
  if (dtype === "bf16") for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16;
  else for (let i = 0; i < halves.length; i++) decoded[i] = fromFloat16(halves[i]!);
  return decoded;
}

/**
 * Encodes numbers, which must be whole rows for Q8_0.
 *
 * @param name of the tensor, for messages
 * @throws {WeightError} numbers that the type cannot represent: above 65504 for F16, or non-finite for Q8_0
 */
export function encodeFloats(values: Float32Array<ArrayBuffer>, type: TensorType, name: string): Uint8Array {
  if (type === "F32") return bytesOf(values);
  if (type === "Q8_0") return toQ8(values, name);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  if (type === "BF16") {
    for (let i = 0; i < words.length; i++) halves[i] = toBfloat16(words[i]!);
    return bytesOf(halves);
  }
  for (let i = 0; i < words.length; i++) {
    halves[i] = toFloat16(words[i]!);
    if ((halves[i]! & 0x7fff) === INFINITE_FLOAT16 && Number.isFinite(values[i])) {
      throw new WeightError(`${name}: expected numbers of at most 65504, which F16 can represent, got ${values[i]} (use dtype "bf16")`);
    }
  }
  return bytesOf(halves);
}

const INFINITE_FLOAT16 = 0x7c00;

/** Rounds the bits of a float32 number to bfloat16: to nearest, ties to even. A NaN stays one. */
function toBfloat16(word: number): number {
  if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

/** Rounds the bits of a float32 number to float16: to nearest, ties to even. Numbers that are too large become infinite. */
function toFloat16(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | INFINITE_FLOAT16;
  // Below 2^−14, float16 is subnormal: a multiple of 2^−24.
  if (magnitude < 0x38800000) return sign | roundHalfToEven(absoluteValue(magnitude) * 2 ** 24);
  return sign | ((magnitude - (112 << 23) + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

const scratch = new Float32Array(1);
const scratchWord = new Uint32Array(scratch.buffer);

function absoluteValue(magnitude: number): number {
  scratchWord[0] = magnitude;
  return scratch[0]!;
}

function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/**
 * Quantises numbers to blocks of 32, in float32 arithmetic as ggml does.
 *
 *     d = max |x| / 127,   q = round(x · (1 / d)),   halves away from zero;   d is stored as float16
 */
function toQ8(values: Float32Array, name: string): Uint8Array {
  const out = new Uint8Array((values.length / Q8_0_BLOCK) * Q8_0_BLOCK_BYTES);
  const integers = new Int8Array(out.buffer);
  for (let from = 0, to = 0; from < values.length; from += Q8_0_BLOCK, to += Q8_0_BLOCK_BYTES) {
    let largest = 0;
    for (let i = from; i < from + Q8_0_BLOCK; i++) {
      const magnitude = Math.abs(values[i]!);
      if (!(magnitude < Number.POSITIVE_INFINITY)) throw new WeightError(`${name}: expected finite numbers, got ${values[i]}`);
      if (magnitude > largest) largest = magnitude;
    }
    const scale = Math.fround(largest / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    scratch[0] = scale;
    const stored = toFloat16(scratchWord[0]!);
    if (stored === INFINITE_FLOAT16) throw new WeightError(`${name}: expected numbers of at most 8.3e6, got ${largest} (use dtype "bf16")`);
    out[to] = stored & 0xff;
    out[to + 1] = stored >>> 8;
    for (let i = 0; i < Q8_0_BLOCK; i++) {
      const x = Math.fround(values[from + i]! * inverse);
      // Truncation towards zero, so halves are rounded away from it.
      integers[to + 2 + i] = (x < 0 ? x - 0.5 : x + 0.5) | 0;
    }
  }
  return out;
}

function bytesOf(array: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
