// Converts float32, bfloat16 and float16 numbers between values and little-endian bytes, for test checkpoints.

/** Storage types of the test checkpoints, under their names in safetensors. */
export type StoredType = "F32" | "F16" | "BF16" | "I32";

export const WIDTHS: Readonly<Record<StoredType, number>> = { F32: 4, F16: 2, BF16: 2, I32: 4 };

/**
 * Returns the nearest value that the type can represent, with ties to even. The value is first rounded to float32, as in real checkpoints.
 */
export function roundTo(type: StoredType, value: number): number {
  if (type === "I32") return Math.round(value);
  const x = Math.fround(value);
  if (type === "F32" || x === 0 || !Number.isFinite(x)) return x;
  const [mantissaBits, minExponent] = type === "BF16" ? [7, -126] : [10, -14];
  const quantum = 2 ** (Math.max(exponentOf(x), minExponent) - mantissaBits);
  return roundEven(x / quantum) * quantum;
}

/** Reads values of `type` from little-endian bytes, without rounding. */
export function decode(type: StoredType, bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = WIDTHS[type];
  return new Float64Array(bytes.byteLength / width).map((_, i) => {
    if (type === "I32") return view.getInt32(i * width, true);
    if (type === "F32") return view.getFloat32(i * width, true);
    return valuesOf16Bits(type)[view.getUint16(i * width, true)]!;
  });
}

const tables: Partial<Record<"BF16" | "F16", Float64Array>> = {};

/** Returns the values of all bit patterns. They are computed on first use. */
function valuesOf16Bits(type: "BF16" | "F16"): Float64Array {
  const [exponentBits, mantissaBits] = type === "BF16" ? [8, 7] : [5, 10];
  tables[type] ??= new Float64Array(2 ** 16).map((_, bits) => fromBits(bits, exponentBits, mantissaBits));
  return tables[type];
}

/** Returns the little-endian bytes of values, each of which is first rounded to `type`. */
export function encode(type: StoredType, values: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const width = WIDTHS[type];
  const view = new DataView(new ArrayBuffer(values.length * width));
  for (let i = 0; i < values.length; i++) {
    const value = roundTo(type, values[i]!);
    if (type === "I32") view.setInt32(i * width, value, true);
    else if (type === "F32") view.setFloat32(i * width, value, true);
    else view.setUint16(i * width, type === "BF16" ? toBits(value, 8, 7) : toBits(value, 5, 10), true);
  }
  return new Uint8Array(view.buffer);
}

/**
 * Computes `±2^(e − bias) · (1 + m / 2^mantissaBits)`. e = 0 stands for zero and the subnormals, and the largest e for infinity and NaN.
 */
function fromBits(bits: number, exponentBits: number, mantissaBits: number): number {
  const sign = bits >> (exponentBits + mantissaBits) ? -1 : 1;
  const exponent = (bits >> mantissaBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - bias) * (1 + fraction) : 2 ** (1 - bias) * fraction);
}

/** Computes the inverse of {@link fromBits} for values that the format can represent. Larger values become infinite. */
function toBits(value: number, exponentBits: number, mantissaBits: number): number {
  const top = 2 ** exponentBits - 1;
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = value < 0 || Object.is(value, -0) ? 2 ** (exponentBits + mantissaBits) : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return top * 2 ** mantissaBits + 2 ** (mantissaBits - 1);
  if (magnitude >= 2 ** (top - bias)) return sign + top * 2 ** mantissaBits;
  // Counted in steps of its binade, a value is its own bit pattern. A subnormal has the exponent field 0 and no leading one.
  const exponent = magnitude === 0 ? 1 - bias : Math.max(exponentOf(magnitude), 1 - bias);
  return sign + (exponent + bias - 1) * 2 ** mantissaBits + magnitude / 2 ** (exponent - mantissaBits);
}

/** Returns e with 2^e ≤ |x| < 2^(e+1), for float32 values. */
function exponentOf(x: number): number {
  const e = Math.floor(Math.log2(Math.abs(x)));
  return 2 ** e > Math.abs(x) ? e - 1 : 2 ** (e + 1) <= Math.abs(x) ? e + 1 : e;
}

function roundEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** Returns keys or values `[tokens, heads, headDim]` as a cache stores them. int8 has a scale for every position and head. */
export function roundKeysValues(x: Float32Array, headDim: number, kv: "f32" | "bf16" | "q8"): Float32Array {
  if (kv === "f32") return x;
  if (kv === "bf16") return x.map((value) => roundTo("BF16", value));
  const rows = x.slice();
  for (let at = 0; at < x.length; at += headDim) {
    const row = rows.subarray(at, at + headDim);
    const top = row.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    const [scale, inverse] = [Math.fround(top / 127), top > 0 ? Math.fround(127 / top) : 0];
    row.forEach((value, i) => {
      row[i] = scale * roundEven(Math.fround(value * inverse));
    });
  }
  return rows;
}
