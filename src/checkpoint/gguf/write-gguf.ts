// Writes a model as a GGUF file for llama.cpp, tensor by tensor, so that no more than one piece or one rearranged tensor is in memory.

import type { Destination } from "../../io/destination.js";
import type { Config } from "../../model/config.js";
import type { GgufDType } from "../save-options.js";
import { readTextSettings, readTokenizerFiles } from "../text-settings.js";
import { encodeHeader, type MetadataEntry, paddingAfter } from "./file-format.js";
import { expectLlamaCppModel, modelMetadata, modelTensors, type TensorToConvert } from "./llama-cpp-model.js";
import { tokenizerMetadata } from "./llama-cpp-tokenizer.js";
import { decodeFloats, encodeFloats, type TensorType, tensorBytes } from "./tensor-types.js";
import type { WeightReader } from "./weight-readers.js";

/** A model to write. */
export interface GgufModel {
  readonly config: Config;
  /** Text files of the checkpoint by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly weights: WeightReader;
}

const TYPES: Readonly<Record<GgufDType, TensorType>> = { f32: "F32", f16: "F16", bf16: "BF16", q8_0: "Q8_0" };

/**
 * Writes one file. All checks of the model and its tokenizer come before the first byte. If anything fails, the destination is discarded.
 *
 * @param path path or name of the file. Its last part is the name of the model
 * @param given `dtype` of matrices, by default that of the stored embedding; `onBytes` is called with the number of bytes of each write and
 *   the size of the file
 * @throws {ConfigError} a model that llama.cpp cannot express
 * @throws {CheckpointError} a tokenizer that llama.cpp cannot express, or a file that cannot be written
 * @throws {WeightError} weights that the precision cannot represent
 */
export async function writeGguf(
  { config, files, weights }: GgufModel,
  to: Destination,
  path: string,
  given: { dtype?: GgufDType; onBytes?: (written: number, total: number) => void; signal?: AbortSignal },
): Promise<void> {
  const { dtype = weights.dtype("model.embed_tokens.weight"), onBytes = () => {}, signal } = given;
  expectLlamaCppModel(config);
  const type = TYPES[dtype];
  const tensors = modelTensors(config, type);
  const metadata = [...modelMetadata(config, modelName(path), type), ...(await textMetadata(config, files))];
  const header = encodeHeader(metadata, tensors);
  const sizes = tensors.map(({ shape, type }) => tensorBytes(shape, type));
  const total = sizes.reduce((sum, bytes) => sum + bytes + paddingAfter(bytes), header.byteLength);
  const write = async (bytes: Uint8Array) => {
    signal?.throwIfAborted();
    await to.write(bytes);
    onBytes(bytes.byteLength, total);
  };
  try {
    await to.create(path, total);
    await write(header);
    for (const [i, tensor] of tensors.entries()) {
      for await (const bytes of convert(tensor, weights)) await write(bytes);
      await write(new Uint8Array(paddingAfter(sizes[i]!)));
    }
    signal?.throwIfAborted();
    await to.commit();
  } catch (error) {
    await to.discard();
    throw error;
  }
}

/** Returns the metadata of the tokenizer and the chat templates. @throws {CheckpointError} a tokenizer that llama.cpp cannot express */
export async function textMetadata(config: Config, files: GgufModel["files"]): Promise<MetadataEntry[]> {
  return tokenizerMetadata(config, readTokenizerFiles(files), await readTextSettings(files));
}

/** Returns the last part of a path, without its extension. */
function modelName(path: string): string {
  return path.replace(/^.*[\\/]/, "").replace(/\.gguf$/i, "");
}

/** Yields the bytes of a tensor. */
async function* convert({ sources, type, rearrange }: TensorToConvert, weights: WeightReader): AsyncGenerator<Uint8Array> {
  for (const name of sources) {
    const dtype = weights.dtype(name);
    if (rearrange) yield encodeFloats(rearrange(await readWhole(weights, name)), type, name);
    else if (TYPES[dtype] === type) yield* weights.pieces(name);
    else for await (const bytes of weights.pieces(name)) yield encodeFloats(decodeFloats(bytes, dtype), type, name);
  }
}

async function readWhole(weights: WeightReader, name: string): Promise<Float32Array<ArrayBuffer>> {
  const dtype = weights.dtype(name);
  const pieces: Float32Array<ArrayBuffer>[] = [];
  for await (const bytes of weights.pieces(name)) pieces.push(decodeFloats(bytes, dtype));
  const whole = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
