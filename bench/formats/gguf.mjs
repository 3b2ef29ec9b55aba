// Writes GGUF, the format of llama.cpp: metadata, tensor descriptions, and then the tensors, aligned to 32 bytes.
import { closeSync, openSync, writeSync } from "node:fs";
import { bytesOf, f32, i32, text, u32, u64 } from "./bytes.mjs";

const VERSION = 3;
const ALIGNMENT = 32;
const Q8_BLOCK = 32;

const string = (s) => {
  const bytes = text(s);
  return Buffer.concat([u64(bytes.length), bytes]);
};

/** Kinds of metadata: their number in the format, and a function that encodes a value. */
const kinds = { u32: [4, u32], i32: [5, i32], f32: [6, f32], bool: [7, (x) => Buffer.of(x ? 1 : 0)], string: [8, string] };
const ARRAY = 9;

/** Tensor types: their number in the format, as general.file_type, and the encoding of float32 numbers. */
export const tensorTypes = {
  F32: { id: 0, fileType: 0, encode: bytesOf },
  BF16: { id: 30, fileType: 32, encode: toBf16 },
  Q8_0: { id: 8, fileType: 7, encode: toQ8 },
};

const wordsOf = (data) => new Uint32Array(data.buffer, data.byteOffset, data.length);

/** Returns the upper halves of float32 numbers, rounded to nearest, ties to even. */
function toBf16(data) {
  const halves = new Uint16Array(data.length);
  for (const [i, word] of wordsOf(data).entries()) halves[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  return bytesOf(halves);
}

/** Converts a positive number within float16's normal range. */
function toFloat16(x) {
  const [word] = wordsOf(Float32Array.of(x));
  return (word - (112 << 23) + 0xfff + ((word >>> 13) & 1)) >>> 13;
}

/** Converts numbers to blocks of 32: a float16 scale, which is the largest magnitude / 127, and 32 signed bytes. */
function toQ8(data) {
  const out = Buffer.alloc((data.length / Q8_BLOCK) * (2 + Q8_BLOCK));
  for (let from = 0, to = 0; from < data.length; from += Q8_BLOCK) {
    const block = data.subarray(from, from + Q8_BLOCK);
    const scale = block.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0) / 127;
    to = out.writeUInt16LE(toFloat16(scale), to);
    for (const x of block) to = out.writeInt8(Math.round(x / scale), to);
  }
  return out;
}

const padding = (length) => Buffer.alloc(-length & (ALIGNMENT - 1));

/**
 * @param {string} file
 * @param {[key: string, kind: string, value: unknown][]} metadata an array value is an array of that kind
 * @param {{ name: string, shape: number[], type: string, read: () => Float32Array }[]} tensors shapes outermost first
 */
export function writeGguf(file, metadata, tensors) {
  const entries = metadata.map(([key, kind, value]) => {
    const [id, write] = kinds[kind];
    const body = Array.isArray(value) ? [u32(ARRAY), u32(id), u64(value.length), ...value.map(write)] : [u32(id), write(value)];
    return Buffer.concat([string(key), ...body]);
  });
  let offset = 0;
  const infos = tensors.map(({ name, shape, type }) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const info = [string(name), u32(shape.length), ...shape.toReversed().map(u64), u32(tensorTypes[type].id), u64(offset)];
    const bytes = type === "F32" ? size * 4 : type === "BF16" ? size * 2 : (size / Q8_BLOCK) * (2 + Q8_BLOCK);
    offset += bytes + padding(bytes).length;
    return Buffer.concat(info);
  });
  const head = Buffer.concat([text("GGUF"), u32(VERSION), u64(tensors.length), u64(metadata.length), ...entries, ...infos]);
  const out = openSync(file, "w");
  for (const part of [head, padding(head.length)]) writeSync(out, part);
  for (const { type, read } of tensors) {
    const bytes = tensorTypes[type].encode(read());
    for (const part of [bytes, padding(bytes.length)]) writeSync(out, part);
  }
  closeSync(out);
}
