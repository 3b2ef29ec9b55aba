import { CheckpointError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { printed } from "../base/printed.js";
import type { OpenOptions } from "../io/byte-source.js";
import { type CheckpointSource, openByteSource } from "../io/open-byte-source.js";
import { sizeOf } from "../runtime/tensor.js";
import { findShards, keepListedTensors, readShardHeader, readShardSizes, type Shard, tensorsByName } from "./shards.js";

/** A stored tensor as an array of numbers. */
export interface StoredArray {
  readonly shape: readonly number[];
  /** The dtype as in the file's header. */
  readonly dtype: string;
  /** The values. Floats of any width become float32; 32-bit integers stay as they are. */
  readonly data: Float32Array | Int32Array;
}

const DECODERS: Readonly<Record<string, (bytes: Uint8Array<ArrayBuffer>) => Float32Array | Int32Array>> = {
  F32: (bytes) => new Float32Array(bytes.buffer),
  I32: (bytes) => new Int32Array(bytes.buffer),
  BF16: (bytes) => new Float32Array(Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half << 16).buffer),
  F64: (bytes) => Float32Array.from(new Float64Array(bytes.buffer)),
};

/**
 * Reads tensors of safetensors files as arrays, by name. Accepts every source from which a checkpoint can be loaded.
 *
 * @param given `names` selects the tensors. By default all are read
 * @throws {CheckpointError} nothing to open, a damaged file, an unknown name, or a dtype other than F32, F64, BF16 and I32
 */
export async function readTensors(
  source: CheckpointSource,
  given: OpenOptions & { names?: readonly string[] } = {},
): Promise<Map<string, StoredArray>> {
  expectArgument("readTensors: options", isObjectLike(given), "an object", given);
  const { names, ...options } = given;
  expectArgument("readTensors: names", names === undefined || Array.isArray(names), "an array of names", names);
  const from = await openByteSource(source, options);
  try {
    const { files, index } = await findShards(from, options.signal);
    const shards: Shard[] = [];
    for (const [file, size] of await readShardSizes(from, files, options.signal))
      shards.push(await readShardHeader(from, file, size, options.signal));
    const stored = tensorsByName(keepListedTensors(shards, index, options.onWarning));
    const arrays = new Map<string, StoredArray>();
    for (const name of names ?? stored.keys()) {
      const tensor = stored.get(name);
      if (!tensor)
        throw new CheckpointError(
          `${from.name}: ${printed(name)}: no such tensor (the first ones are ${[...stored.keys()].slice(0, 3).join(", ")}, …)`,
        );
      const { dtype, shape, file, begin, end } = tensor;
      const read = Object.hasOwn(DECODERS, dtype) ? DECODERS[dtype]! : undefined;
      if (!read)
        throw new CheckpointError(
          `${file}: ${name}: dtype: expected one of ${Object.keys(DECODERS).join(", ")}, got ${printed(dtype)} (convert the tensor, or leave it out of names)`,
        );
      // The source may return an unaligned view, so the bytes are copied.
      const data = read(new Uint8Array(await from.read(file, begin, end, options.signal)));
      if (data.length !== sizeOf(shape))
        throw new CheckpointError(`${file}: ${name}: expected ${sizeOf(shape)} numbers, got ${data.length}`);
      arrays.set(name, { shape, dtype, data });
    }
    return arrays;
  } finally {
    await from.close();
  }
}
