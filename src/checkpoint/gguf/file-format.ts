// The container format GGUF, version 3: metadata, descriptions of tensors, and the aligned bytes of the tensors. Everything is little-endian.
// Source: docs/gguf.md of ggml, and ggml/include/gguf.h.

import { type TensorType, tensorBytes, typeIds } from "./tensor-types.js";

/** Types of metadata values, by their number in the format. */
const VALUE_TYPES = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8 } as const;
const ARRAY = 9;
const VERSION = 3;

/** The format's default alignment of tensors in bytes. */
const ALIGNMENT = 32;

type ValueType = keyof typeof VALUE_TYPES;
type Value = number | boolean | string;

/** A metadata entry. An array contains values of one type. */
export type MetadataEntry = readonly [key: string, type: ValueType, value: Value | readonly Value[]];

/** The description of a tensor. The shape is outermost first, as in safetensors; the format itself stores it innermost first. */
export interface TensorDescription {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
}

/** Encodes everything before the first tensor, including the padding. */
export function encodeHeader(metadata: readonly MetadataEntry[], tensors: readonly TensorDescription[]): Uint8Array {
  const out = new ByteWriter();
  out.bytes(new TextEncoder().encode("GGUF"));
  out.u32(VERSION);
  out.u64(tensors.length);
  out.u64(metadata.length);
  for (const [key, type, value] of metadata) {
    out.string(key);
    if (!Array.isArray(value)) {
      out.u32(VALUE_TYPES[type]);
      out.value(type, value as Value);
      continue;
    }
    out.u32(ARRAY);
    out.u32(VALUE_TYPES[type]);
    out.u64(value.length);
    for (const item of value) out.value(type, item);
  }
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    out.string(name);
    out.u32(shape.length);
    for (const dim of shape.toReversed()) out.u64(dim);
    out.u32(typeIds[type]);
    out.u64(offset);
    const bytes = tensorBytes(shape, type);
    offset += bytes + paddingAfter(bytes);
  }
  out.bytes(new Uint8Array(paddingAfter(out.length)));
  return out.result();
}

/** Returns the number of zero bytes that follow this many bytes. */
export function paddingAfter(bytes: number): number {
  return (ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT;
}

/** Collects bytes in an array that doubles its size when it is full. */
class ByteWriter {
  length = 0;
  private buffer = new Uint8Array(1 << 16);
  private view = new DataView(this.buffer.buffer);

  result(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  bytes(bytes: Uint8Array): void {
    const at = this.advance(bytes.byteLength);
    this.buffer.set(bytes, at);
  }

  u32(value: number): void {
    const at = this.advance(4);
    this.view.setUint32(at, value, true);
  }

  u64(value: number): void {
    const at = this.advance(8);
    this.view.setBigUint64(at, BigInt(value), true);
  }

  string(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u64(bytes.byteLength);
    this.bytes(bytes);
  }

  value(type: ValueType, value: Value): void {
    if (type === "string") {
      this.string(value as string);
      return;
    }
    const at = this.advance(type === "bool" ? 1 : 4);
    if (type === "bool") this.view.setUint8(at, Number(value));
    else if (type === "f32") this.view.setFloat32(at, value as number, true);
    else if (type === "i32") this.view.setInt32(at, value as number, true);
    else this.view.setUint32(at, value as number, true);
  }

  /** Makes room for bytes, and returns where they begin. Replaces the buffer if it is full. */
  private advance(bytes: number): number {
    const begin = this.length;
    this.length += bytes;
    if (this.length > this.buffer.byteLength) {
      const grown = new Uint8Array(Math.max(this.length, 2 * this.buffer.byteLength));
      grown.set(this.buffer);
      this.buffer = grown;
      this.view = new DataView(grown.buffer);
    }
    return begin;
  }
}
