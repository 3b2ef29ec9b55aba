import { platform } from "#platform";
import { InputError } from "../base/errors.js";
import { CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE } from "../io/checkpoint-files.js";
import { type Destination, MemoryDestination } from "../io/destination.js";
import { encodeSafetensorsHeader } from "../io/safetensors.js";
import { sizeOf } from "../runtime/tensor.js";
import { STORED_BYTES } from "../weights/stored-rows.js";
import type { StoredWeights } from "../weights/weights.js";
import type { Checkpoint, Layout, StoredBuffer } from "./checkpoint.js";
import { parseSaveOptions, progressReporter, type SaveOptions } from "./save-options.js";

/** A loaded checkpoint, or just weights with their configuration. */
export type SaveableCheckpoint = Pick<Checkpoint, "config" | "weights"> & Partial<Pick<Checkpoint, "buffers" | "files" | "layout">>;

/** A tensor to write. Its bytes are produced chunk by chunk as they are written. */
interface TensorToWrite {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Size in bytes. */
  readonly bytes: number;
  chunks(): Iterable<Uint8Array>;
}

/** A file of weights to write. */
interface ShardToWrite {
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly items: readonly TensorToWrite[];
}

/**
 * Writes a checkpoint with the file layout and the tensor names with which it was loaded, so that transformers and vLLM can read it.
 * Tensors keep their bytes. Tensors that were rounded to bf16 while loading are written as bf16, and the configuration declares it.
 *
 * In a directory, files are first written under temporary names. When all are complete, a single rename makes them the checkpoint. If the
 * process ends at any moment, the directory therefore holds either the old checkpoint or the new one. This also holds for the directory
 * that the checkpoint was loaded from.
 *
 * Weights of an earlier checkpoint under the usual names are removed, and so are temporary files of saves whose process has ended.
 *
 * With format `"gguf"`, writes one file for llama.cpp instead. It replaces an earlier file when it is complete.
 *
 * @param destination a directory, or the path of a GGUF file (Node). Without it, the files are returned by name
 * @throws {CheckpointError} a file that cannot be written, or a tokenizer that llama.cpp cannot express
 * @throws {ConfigError} a model that llama.cpp cannot express
 * @throws {InputError} invalid options; weights that were rounded to 8 bits while loading
 * @throws {MemoryError} without a destination, files that do not fit into memory
 */
export async function saveCheckpoint(
  checkpoint: SaveableCheckpoint,
  destination?: undefined,
  options?: SaveOptions,
): Promise<Map<string, Uint8Array>>;
export async function saveCheckpoint(checkpoint: SaveableCheckpoint, destination: string, options?: SaveOptions): Promise<undefined>;
export async function saveCheckpoint(
  checkpoint: SaveableCheckpoint,
  destination?: string,
  options: SaveOptions = {},
): Promise<Map<string, Uint8Array> | undefined> {
  const parsed = parseSaveOptions(options);
  // The writer of GGUF files is loaded when it is needed, because few programs need it.
  if (parsed.format === "gguf") return (await import("./gguf/index.js")).saveModel(checkpoint, destination, parsed);
  const memory = destination === undefined ? new MemoryDestination() : undefined;
  await writeCheckpoint(checkpoint, memory ?? (await platform.openDestination(destination!)), parsed);
  return memory?.files;
}

async function writeCheckpoint(
  checkpoint: SaveableCheckpoint,
  to: Destination,
  { maxShardBytes, onProgress, signal }: SaveOptions,
): Promise<void> {
  const { weights, config, buffers = [], files = new Map<string, Uint8Array>(), layout } = checkpoint;
  const rounded = [...weights.specs()].find(({ name }) => weights.isRounded(name));
  if (rounded) {
    throw new InputError(
      `save: ${rounded.name}: expected weights in their stored precision, got rounded weights (to save the checkpoint, load it without dtype "q8" or "q4")`,
    );
  }
  const tensors = [...[...weights.specs()].map((spec) => weightToWrite(weights, spec.name)), ...buffers.map(bufferToWrite)];
  const originalLayout = maxShardBytes === undefined ? layout : undefined;
  const report = progressReporter("write", onProgress);
  const shards = originalLayout ? originalShards(tensors, originalLayout) : newShards(tensors, maxShardBytes ?? 5e9);
  const weightBytes = totalBytes(shards.flatMap(({ items }) => items));
  try {
    for (const { file, metadata, items } of shards) {
      const header = encodeSafetensorsHeader(items, metadata);
      await to.create(file, header.byteLength + totalBytes(items));
      await to.write(header);
      for (const item of items) {
        for (const chunk of item.chunks()) {
          signal?.throwIfAborted();
          await to.write(chunk);
          report(chunk.byteLength, weightBytes);
        }
      }
    }
    const texts = new Map([...files].filter(([file]) => file !== CONFIG_FILE));
    texts.set(CONFIG_FILE, files.get(CONFIG_FILE) ?? encodeJson(config.source));
    if (shards.length > 1 || originalLayout?.index) texts.set(INDEX_FILE, encodeIndex(shards, layout?.index));
    for (const [file, bytes] of texts) {
      await to.create(file, bytes.byteLength);
      await to.write(bytes);
    }
    signal?.throwIfAborted();
    await to.commit();
  } catch (error) {
    await to.discard();
    throw error;
  }
}

function weightToWrite(weights: StoredWeights, name: string): TensorToWrite {
  const { shape, dtype } = weights.spec(name);
  const rows = shape.length === 2 ? shape[0]! : 1;
  const step = weights.pieceRows(name);
  return {
    name,
    dtype: dtype.toUpperCase(),
    shape,
    bytes: sizeOf(shape) * STORED_BYTES[dtype],
    *chunks() {
      for (let row = 0; row < rows; row += step) yield weights.readRows(name, row, Math.min(row + step, rows));
    },
  };
}

function bufferToWrite({ name, dtype, shape, bytes }: StoredBuffer): TensorToWrite {
  return { name, dtype, shape, bytes: bytes.byteLength, chunks: () => [bytes] };
}

/** Returns the division into files with which the checkpoint was loaded. A single file gets the name that every loader looks for. */
function originalShards(items: readonly TensorToWrite[], { shards, index }: Layout): ShardToWrite[] {
  const named = new Map(items.map((item) => [item.name, item]));
  return shards.map(({ file, metadata, tensors }) => ({
    file: index ? file : WEIGHTS_FILE,
    metadata: "format" in metadata ? metadata : { format: "pt", ...metadata },
    items: tensors.map((name) => named.get(name)!),
  }));
}

function newShards(items: readonly TensorToWrite[], maxShardBytes: number): ShardToWrite[] {
  const groups: TensorToWrite[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    if (bytes > 0 && bytes + item.bytes > maxShardBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(item);
    bytes += item.bytes;
  }
  const digits = (n: number) => String(n).padStart(5, "0");
  return groups.map((items, i) => ({
    file: groups.length === 1 ? WEIGHTS_FILE : `model-${digits(i + 1)}-of-${digits(groups.length)}.safetensors`,
    metadata: { format: "pt" },
    items,
  }));
}

function encodeIndex(shards: readonly ShardToWrite[], metadata: Readonly<Record<string, unknown>> = {}): Uint8Array {
  const map = shards.flatMap(({ file, items }) => items.map(({ name }) => [name, file] as const));
  map.sort(([a], [b]) => (a < b ? -1 : 1));
  const total_size = shards.reduce((sum, { items }) => sum + totalBytes(items), 0);
  return encodeJson({ metadata: { ...metadata, total_size }, weight_map: Object.fromEntries(map) });
}

function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

function totalBytes(items: readonly TensorToWrite[]): number {
  return items.reduce((sum, { bytes }) => sum + bytes, 0);
}
