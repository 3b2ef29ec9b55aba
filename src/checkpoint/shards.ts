import { CheckpointError, formatBytes } from "../base/errors.js";
import { decodeJson, isObject } from "../base/json.js";
import { type ByteSource, MAX_TEXT_FILE_BYTES, missingFileHint } from "../io/byte-source.js";
import { INDEX_FILE, isPlainName, WEIGHTS_FILE } from "../io/checkpoint-files.js";
import { headerLength, PREFIX_BYTES, parseSafetensorsHeader, type SafetensorsHeader, type TensorEntry } from "../io/safetensors.js";

/** Bytes of the first read: enough for most headers. */
const FIRST_READ_BYTES = 1 << 16;

/** The contents of `model.safetensors.index.json`: which file holds which tensor. */
export interface ShardIndex {
  readonly metadata: Readonly<Record<string, unknown>>;
  /** File names by tensor name. */
  readonly files: ReadonlyMap<string, string>;
}

/** One file of weights and its header. */
export interface Shard extends SafetensorsHeader {
  readonly file: string;
  /** Offset of the first tensor in the file, in bytes. */
  readonly dataOffset: number;
  /** Tensors that the index does not list. */
  readonly unlisted: readonly TensorEntry[];
}

/** A tensor and the file that holds it. */
export interface StoredTensor extends TensorEntry {
  readonly file: string;
}

/** Reads a whole text file; undefined if it does not exist. @throws {CheckpointError} a file that is too large */
export async function readTextFile(source: ByteSource, file: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const size = await source.size(file, signal);
  if (size === undefined) return undefined;
  if (size > MAX_TEXT_FILE_BYTES)
    throw new CheckpointError(
      `${file}: expected at most ${formatBytes(MAX_TEXT_FILE_BYTES)}, got ${formatBytes(size)} (the file may be damaged)`,
    );
  return source.read(file, 0, size, signal);
}

/**
 * Finds the files of weights. These are the file that the caller named, the files in the index, `model.safetensors`, or the only
 * `.safetensors` file, in this order.
 *
 * @throws {CheckpointError} no file, several files without an index, or a damaged index
 */
export async function findShards(source: ByteSource, signal?: AbortSignal): Promise<{ files: string[]; index?: ShardIndex }> {
  if (source.weightsFile) return { files: [source.weightsFile] };
  const bytes = await readTextFile(source, INDEX_FILE, signal);
  if (bytes) {
    const index = parseIndex(decodeJson(bytes, INDEX_FILE));
    return { files: [...new Set(index.files.values())].sort(), index };
  }
  if ((await source.size(WEIGHTS_FILE, signal)) !== undefined) return { files: [WEIGHTS_FILE] };
  const all = (await source.list(signal)) ?? [];
  const files = all.filter((file) => file.endsWith(".safetensors"));
  if (files.length === 1) return { files };
  const found =
    files.length > 1
      ? `${files.length} .safetensors files and no index`
      : all.some((file) => /\.(bin|pt|pth|gguf)$/.test(file))
        ? "weights in another format"
        : "neither";
  throw new CheckpointError(
    `${source.name}: expected ${WEIGHTS_FILE} or ${INDEX_FILE}, got ${found} (save the model with transformers' save_pretrained${missingFileHint(source)})`,
  );
}

function parseIndex(json: unknown): ShardIndex {
  const where = `${INDEX_FILE}: weight_map`;
  const map = isObject(json) ? json.weight_map : undefined;
  if (!isObject(map))
    throw new CheckpointError(
      `${where}: expected an object of file names by tensor name, got ${map === undefined ? "nothing" : JSON.stringify(map).slice(0, 80)}`,
    );
  const files = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !isPlainName(file) || !file.endsWith(".safetensors")) {
      throw new CheckpointError(
        `${where}: ${name}: expected the name of a .safetensors file beside the index, got ${JSON.stringify(file)}`,
      );
    }
    files.set(name, file);
  }
  const { metadata } = json as Record<string, unknown>;
  return { files, metadata: isObject(metadata) ? metadata : {} };
}

/** Returns the sizes of the files of weights by name. @throws {CheckpointError} a missing file */
export async function readShardSizes(source: ByteSource, files: readonly string[], signal?: AbortSignal): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const file of files) {
    const size = await source.size(file, signal);
    if (size === undefined)
      throw new CheckpointError(`${source.name}: ${file}: missing (the download is incomplete: load the whole checkpoint)`);
    sizes.set(file, size);
  }
  return sizes;
}

/** Reads and checks the header of a file of weights. @throws {CheckpointError} a damaged header */
export async function readShardHeader(source: ByteSource, file: string, fileBytes: number, signal?: AbortSignal): Promise<Shard> {
  let head = await source.read(file, 0, Math.min(FIRST_READ_BYTES, fileBytes), signal);
  const end = PREFIX_BYTES + headerLength(head.subarray(0, PREFIX_BYTES), fileBytes, file);
  if (end > head.byteLength) head = await source.read(file, 0, end, signal);
  return { file, dataOffset: end, unlisted: [], ...parseSafetensorsHeader(head.subarray(PREFIX_BYTES, end), fileBytes, file) };
}

/**
 * Moves tensors that the index does not list from `tensors` to `unlisted`, and reports them in one warning. Such tensors can be leftovers
 * of a conversion. Without an index, every tensor is kept.
 *
 * @throws {CheckpointError} a tensor that is not in the file that the index names
 */
export function keepListedTensors(
  shards: readonly Shard[],
  index: ShardIndex | undefined,
  warn: (message: string) => void = () => {},
): Shard[] {
  if (!index) return [...shards];
  const places = new Map<string, string[]>();
  for (const { file, tensors } of shards) for (const { name } of tensors) places.set(name, [...(places.get(name) ?? []), file]);
  for (const [name, file] of index.files) {
    const found = places.get(name) ?? [];
    if (found.includes(file)) continue;
    const got = found.length > 0 ? `it in ${found.join(" and ")}` : "no such tensor there";
    throw new CheckpointError(`${INDEX_FILE}: weight_map: ${name}: expected in ${file}, got ${got}`);
  }
  const listed = shards.map((shard) => {
    const isListed = ({ name }: TensorEntry) => index.files.get(name) === shard.file;
    return { ...shard, tensors: shard.tensors.filter(isListed), unlisted: shard.tensors.filter((tensor) => !isListed(tensor)) };
  });
  const left = listed.flatMap(({ file, unlisted }) => unlisted.map(({ name }) => `${name} in ${file}`));
  if (left.length > 0) {
    const rest = left.length > 3 ? ` and ${left.length - 3} more` : "";
    warn(`${INDEX_FILE}: weight_map: does not list ${left.slice(0, 3).join(", ")}${rest} (these tensors are ignored)`);
  }
  return listed;
}

/**
 * Collects all tensors by name.
 *
 * @throws {CheckpointError} a tensor that two files hold
 */
export function tensorsByName(shards: readonly Shard[]): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const { file, tensors: own } of shards) {
    for (const tensor of own) {
      const other = tensors.get(tensor.name);
      if (other)
        throw new CheckpointError(
          `${file}: ${tensor.name}: expected every tensor once, got a second copy in ${other.file} (remove one of the files)`,
        );
      tensors.set(tensor.name, { ...tensor, file });
    }
  }
  return tensors;
}
