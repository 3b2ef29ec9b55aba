import { CheckpointError, formatBytes } from "../base/errors.js";
import { decodeJson, isObject } from "../base/json.js";

/*
 * The safetensors format: 8 bytes of header length (little-endian), a JSON header, and the tensors one after the other.
 *
 *     {"__metadata__": {"format": "pt"}, "lm_head.weight": {"dtype": "BF16", "shape": [out, in], "data_offsets": [begin, end]}, …}
 *
 * Offsets count from the end of the header. Every byte of the data belongs to exactly one tensor.
 */

/** One tensor of a file. */
export interface TensorEntry {
  readonly name: string;
  /** The dtype as in the header, for example `BF16`. An unknown dtype is an error only if the tensor is needed. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The tensor's bytes are `begin` to `end` (exclusive), counted from the beginning of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** The tensors, in the order of their offsets. */
  readonly tensors: readonly TensorEntry[];
  /** Metadata by name. Values that are not strings are converted to JSON text. Metadata does not affect any computation. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Number of bytes before the header. They contain its length. */
export const PREFIX_BYTES = 8;

/** Maximum length of the header in bytes, as in the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;

const BITS_PER_ELEMENT: Readonly<Record<string, number>> = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  U16: 16,
  I16: 16,
  U32: 32,
  I32: 32,
  U64: 64,
  I64: 64,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F16: 16,
  BF16: 16,
  F32: 32,
  F64: 64,
  C64: 64,
};

/**
 * Returns the length of the JSON header in bytes.
 *
 * @param prefix the file's first 8 bytes
 * @throws {CheckpointError} a file that is too short, or a header that is longer than the file or 100 MB
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (prefix.byteLength < PREFIX_BYTES) {
    throw new CheckpointError(`${file}: expected a safetensors file, got ${fileBytes} bytes (the download may be truncated)`);
  }
  if (new TextDecoder().decode(prefix) === "version ") {
    throw new CheckpointError(`${file}: expected a safetensors file, got a git-lfs pointer to one (git lfs pull fetches it)`);
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset);
  const length = view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
  const most = Math.min(MAX_HEADER_BYTES, fileBytes - PREFIX_BYTES);
  if (length > most) {
    throw new CheckpointError(
      `${file}: header: expected at most ${formatBytes(most)}, got ${formatBytes(length)} (truncated, or not a safetensors file)`,
    );
  }
  return length;
}

/**
 * Parses and checks a header.
 *
 * @param json the header without the prefix
 * @throws {CheckpointError} a violation of the format: other JSON, duplicate keys, sizes that contradict the shape, overlaps, gaps, tensors
 *   outside the file, or bytes after the last tensor
 */
export function parseSafetensorsHeader(json: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const where = `${file}: header`;
  if (json[0] !== 0x7b) throw new CheckpointError(`${where}: expected JSON, got other bytes (check that this is a safetensors file)`);
  const header = decodeJson(json, where) as Record<string, unknown>;
  const dataBegin = PREFIX_BYTES + json.byteLength;
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = Object.entries(entries).map(([name, entry]) => parseEntry(entry, dataBegin, `${file}: ${name}`, name));
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = dataBegin;
  for (const tensor of tensors) {
    if (tensor.begin !== end) {
      const fault = tensor.begin < end ? "overlaps another tensor" : "leaves a hole before it";
      throw new CheckpointError(
        `${file}: ${tensor.name}: data_offsets: expected to begin at ${end - dataBegin}, got ${tensor.begin - dataBegin} (${fault})`,
      );
    }
    end = tensor.end;
  }
  if (end !== fileBytes) {
    const fault = end > fileBytes ? "truncated, download it again" : "too long: the last bytes belong to no tensor";
    throw new CheckpointError(`${file}: expected ${end} bytes, got ${fileBytes} (${fault})`);
  }
  return { tensors, metadata: parseMetadata(metadata, where) };
}

/**
 * Returns the number of data bytes after a header, according to its offsets. The offsets are not checked here; {@link
 * parseSafetensorsHeader} checks them.
 *
 * @param json the header without the prefix
 */
export function declaredDataBytes(json: Uint8Array, file: string): number {
  const header = decodeJson(json, `${file}: header`);
  let bytes = 0;
  for (const entry of isObject(header) ? Object.values(header) : []) {
    const end = isObject(entry) && areCounts(entry.data_offsets) ? entry.data_offsets[1] : undefined;
    bytes = Math.max(bytes, end ?? 0);
  }
  return bytes;
}

function parseEntry(entry: unknown, dataBegin: number, where: string, name: string): TensorEntry {
  if (!isObject(entry)) throw new CheckpointError(`${where}: expected {dtype, shape, data_offsets}, got ${JSON.stringify(entry)}`);
  // Other keys are ignored, as in the reference implementation.
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string") throw new CheckpointError(`${where}: dtype: expected a string, got ${JSON.stringify(dtype)}`);
  if (!areCounts(shape)) throw new CheckpointError(`${where}: shape: expected non-negative integers, got ${excerpt(shape)}`);
  if (!areCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw new CheckpointError(`${where}: data_offsets: expected [begin, end], got ${excerpt(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const bits = Object.hasOwn(BITS_PER_ELEMENT, dtype) ? BITS_PER_ELEMENT[dtype]! : undefined;
  const size = bits && (shape.includes(0) ? 0 : shape.reduce((product, dim) => product * dim, bits) / 8);
  if (size !== undefined && (!Number.isSafeInteger(size) || size !== end - begin)) {
    throw new CheckpointError(`${where}: data_offsets: expected ${size} bytes for [${shape.join(", ")}] ${dtype}, got ${end - begin}`);
  }
  return { name, dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

function parseMetadata(metadata: unknown, where: string): Record<string, string> {
  if (metadata === null) return {};
  if (!isObject(metadata)) throw new CheckpointError(`${where}: __metadata__: expected strings by name, got ${excerpt(metadata)}`);
  const given = Object.entries(metadata).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]));
}

function areCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && (count as number) >= 0);
}

function excerpt(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? "nothing";
}

/**
 * Encodes prefix and header of a file. The header is padded with spaces to a multiple of 8 bytes, so that the data is aligned.
 *
 * @param tensors in the order of their bytes in the file
 */
export function encodeSafetensorsHeader(
  tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[]; readonly bytes: number }[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  let begin = 0;
  const entries = tensors.map(({ name, dtype, shape, bytes }) => {
    const entry = { dtype, shape, data_offsets: [begin, begin + bytes] };
    begin += bytes;
    return [name, entry] as const;
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries([["__metadata__", metadata], ...entries])));
  const length = Math.ceil(json.byteLength / 8) * 8;
  const bytes = new Uint8Array(PREFIX_BYTES + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, PREFIX_BYTES);
  return bytes;
}
