// Reads and writes safetensors: a JSON header of names, dtypes, shapes and offsets, followed by the bytes.
import { readFileSync } from "node:fs";
import { bytesOf, text, u64 } from "./bytes.mjs";

/** @param {{ name: string, shape: number[], data: Float32Array }[]} tensors */
export function encodeSafetensors(tensors) {
  let end = 0;
  const header = Object.fromEntries(
    tensors.map(({ name, shape, data }) => {
      const begin = end;
      end += data.byteLength;
      return [name, { dtype: "F32", shape, data_offsets: [begin, end] }];
    }),
  );
  const json = text(JSON.stringify({ __metadata__: { format: "pt" }, ...header }));
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, " ")]);
  return Buffer.concat([u64(padded.length), padded, ...tensors.map(({ data }) => bytesOf(data))]);
}

/** Opens a file and returns a reader of its float32 tensors: name → `{ shape, data }`. */
export function openSafetensors(file) {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  return (name) => {
    const { dtype, shape, data_offsets } = header[name];
    if (dtype !== "F32") throw new Error(`${file}: ${name}: expected F32, got ${dtype}`);
    const [begin, end] = data_offsets.map((offset) => bytes.byteOffset + 8 + length + offset);
    return { shape, data: new Float32Array(bytes.buffer.slice(begin, end)) };
  };
}
