import * as v from "valibot";
import { platform } from "#platform";
import { formatBytes, InputError, MemoryError } from "../base/errors.js";
import { number, parseOptions, signal } from "../base/options.js";
import type { Destination } from "../io/byte-source.js";
import { encodeSafetensorsHeader } from "../io/safetensors.js";
import { sizeOf } from "../runtime/tensor.js";
import { STORED_BYTES } from "../weights/stored-rows.js";
import type { StoredWeights } from "../weights/weights.js";
import { type Checkpoint, CONFIG_FILE, type Layout, type StoredBuffer } from "./checkpoint.js";
import { INDEX_FILE, WEIGHTS_FILE } from "./shards.js";

/** What can be saved: a loaded checkpoint, or weights with their configuration alone. */
export type SaveableCheckpoint = Pick<Checkpoint, "config" | "weights"> & Partial<Pick<Checkpoint, "buffers" | "files" | "layout">>;

export interface SaveOptions {
  /** Divides the weights anew into files of at most this size, or one tensor. By default loaded weights keep their files; new ones get 5 GB. */
  maxShardBytes?: number;
  signal?: AbortSignal;
}

/** A tensor to write, in parts that are made when they are due. */
interface TensorToWrite {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
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
 * Writes a checkpoint in the layout and dialect in which it was loaded, so that transformers and vLLM can read it. Tensors
 * keep their bytes; those that were rounded to bf16 on loading are written as bf16, and the configuration says so.
 *
 * Into a directory, files are written beside their final names. When all are complete, one renaming makes them the checkpoint: a process that
 * ends at any moment leaves the old one or the new one, and the directory may be the one loaded from. Weights of an earlier checkpoint under
 * the usual names are removed, and so are temporary files of saves whose process has ended.
 *
 * @param destination a directory (Node); without it the files are returned by name
 * @throws {CheckpointError} a file that cannot be written
 * @throws {InputError} options that do not fit; weights that were rounded to 8 bits on loading
 * @throws {MemoryError} without a destination: files that do not fit into memory
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
  const memory = destination === undefined ? new MemoryDestination() : undefined;
  await writeCheckpoint(checkpoint, memory ?? (await platform.openDestination(destination!)), options);
  return memory?.files;
}

const schema = v.strictObject({
  maxShardBytes: v.optional(number("a number of bytes above 0", (x) => x > 0)),
  signal: v.optional(signal),
});

async function writeCheckpoint(checkpoint: SaveableCheckpoint, to: Destination, options: SaveOptions): Promise<void> {
  const { maxShardBytes, signal } = parseOptions(schema, options, "save");
  const { weights, config, buffers = [], files = new Map<string, Uint8Array>(), layout } = checkpoint;
  const rounded = [...weights.specs()].find(({ name }) => weights.isRounded(name));
  if (rounded) {
    throw new InputError(
      `save: ${rounded.name}: expected the weights as they were stored, got 8-bit ones (load the checkpoint without dtype "q8" to save it)`,
    );
  }
  const items = [...[...weights.specs()].map((spec) => weightToWrite(weights, spec.name)), ...buffers.map(bufferToWrite)];
  const kept = maxShardBytes === undefined ? layout : undefined;
  const shards = kept ? originalShards(items, kept) : newShards(items, maxShardBytes ?? 5e9);
  try {
    for (const { file, metadata, items } of shards) {
      const header = encodeSafetensorsHeader(items, metadata);
      await to.create(file, header.byteLength + totalBytes(items));
      await to.write(header);
      for (const item of items) {
        for (const part of item.chunks()) {
          signal?.throwIfAborted();
          await to.write(part);
        }
      }
    }
    const texts = new Map([...files].filter(([file]) => file !== CONFIG_FILE));
    texts.set(CONFIG_FILE, files.get(CONFIG_FILE) ?? encodeJson(config.source));
    if (shards.length > 1 || kept?.index) texts.set(INDEX_FILE, encodeIndex(shards, layout?.index));
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

/** The files as loaded. A single file gets the name under which every loader looks for it. */
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

/** Files as bytes by name. */
class MemoryDestination implements Destination {
  readonly files = new Map<string, Uint8Array>();
  private target = new Uint8Array();
  private written = 0;

  async create(file: string, bytes: number): Promise<void> {
    try {
      this.target = new Uint8Array(bytes);
    } catch (cause) {
      throw new MemoryError(`save: ${file}: needs ${formatBytes(bytes)} (save into a directory, or in smaller files: maxShardBytes)`, {
        cause,
      });
    }
    this.written = 0;
    this.files.set(file, this.target);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.target.set(bytes, this.written);
    this.written += bytes.byteLength;
  }

  async commit(): Promise<void> {}

  async discard(): Promise<void> {
    this.files.clear();
  }
}
