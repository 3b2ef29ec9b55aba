import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { callback, number, oneOf, parseOptions, signal } from "../base/options.js";
import type { OpenOptions } from "../io/byte-source.js";

/** Precision of matrices in a GGUF file. `q8_0` has 8 bits per number, and a scale for each block of 32. */
export type GgufDType = "f32" | "f16" | "bf16" | "q8_0";

/** Progress of a save or an export. */
export interface SaveProgress {
  /** Files of a hub id are downloaded before they are converted. */
  readonly phase: "download" | "write";
  /** Number of bytes of this phase so far. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Progress of this phase from 0 to 1. */
  readonly fraction: number;
}

export interface SaveOptions {
  /**
   * `"safetensors"` (default) is the format of transformers and vLLM. `"gguf"` is one file for llama.cpp and programs that contain it. It also
   * holds the tokenizer and the chat template.
   */
  format?: "safetensors" | "gguf";
  /** Precision of matrices in a GGUF file (as stored). Vectors and routers are always float32. */
  dtype?: GgufDType;
  /**
   * Divides the weights into safetensors files of at most this size. A larger tensor gets a file of its own. By default, loaded weights keep
   * their division into files, and new weights get files of at most 5 GB.
   */
  maxShardBytes?: number;
  /** Called as bytes are written; the last call has fraction 1. */
  onProgress?: (progress: SaveProgress) => void;
  signal?: AbortSignal;
}

/** Options of `exportGguf`: those of opening a checkpoint, precision and progress. */
export interface ExportOptions extends OpenOptions, Pick<SaveOptions, "dtype" | "onProgress"> {}

/** Schema of a precision. */
export const ggufDType = oneOf("f32", "f16", "bf16", "q8_0");

const saveSchema = v.strictObject({
  format: v.optional(oneOf("safetensors", "gguf")),
  dtype: v.optional(ggufDType),
  maxShardBytes: v.optional(number("a number of bytes above 0", (x) => x > 0)),
  onProgress: v.optional(callback<NonNullable<SaveOptions["onProgress"]>>()),
  signal: v.optional(signal),
});

/** Checks options of `save`. @throws {InputError} invalid or unknown options, or a precision of safetensors */
export function parseSaveOptions(options: SaveOptions) {
  const parsed = parseOptions(saveSchema, options, "save");
  if (parsed.dtype !== undefined && parsed.format !== "gguf") {
    throw new InputError(
      `save: dtype: expected only with format "gguf", got ${JSON.stringify(parsed.dtype)} (safetensors keep the stored precision)`,
    );
  }
  return parsed;
}

/** Returns a function that adds bytes and reports the progress of a phase. */
export function progressReporter(phase: SaveProgress["phase"], onProgress: NonNullable<SaveOptions["onProgress"]> = () => {}) {
  let doneBytes = 0;
  return (bytes: number, totalBytes: number): void => {
    doneBytes += bytes;
    onProgress({ phase, doneBytes, totalBytes, fraction: doneBytes / totalBytes });
  };
}
