import { decode, encode, type StoredType } from "./number-formats.js";

/** A tensor of a file. Its values are widened exactly to float64. */
export interface StoredTensor {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Reads the tensors of a well-formed safetensors file, by name. It shares no code with the library's own reader. */
export function readSafetensors(bytes: Uint8Array): Map<string, StoredTensor> {
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header: Record<string, { dtype: StoredType; shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)),
  );
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = entry.data_offsets.map((offset) => 8 + headerBytes + offset) as [number, number];
    tensors.set(name, { dtype: entry.dtype, shape: entry.shape, data: decode(entry.dtype, bytes.subarray(begin, end)) });
  }
  return tensors;
}

/** Returns a safetensors file of these tensors in their order. Values are rounded to the dtype of each tensor. */
export function writeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: { dtype: StoredType; shape: readonly number[]; data: ArrayLike<number> }]>,
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    const part = encode(dtype, data);
    header[name] = { dtype, shape, data_offsets: [offset, offset + part.length] };
    parts.push(part);
    offset += part.length;
  }
  const json = JSON.stringify(header);
  const head = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
  const file = new Uint8Array(8 + head.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(head.length), true);
  file.set(head, 8);
  let at = 8 + head.length;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
