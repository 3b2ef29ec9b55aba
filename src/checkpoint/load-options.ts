import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { callback, flag, number, oneOf, parseOptions, signal, text } from "../base/options.js";
import type { OpenOptions } from "../io/byte-source.js";
import { retryOptionSchemas } from "../io/retry-options.js";
import type { KVType } from "../model/cache.js";
import type { Config } from "../model/config.js";
import { buildOption, threadsOption } from "../runtime/options.js";
import type { KernelCall } from "../runtime/runtime.js";
import type { Build } from "../runtime/wasm.js";
import type { ResidentDType } from "../weights/weights.js";

/** Progress of a load over all files, including the download of a hub repository. */
export interface Progress {
  readonly loadedBytes: number;
  /** Known from the start; constant. */
  readonly totalBytes: number;
  /** From 0 to 1; never decreases. */
  readonly fraction: number;
  readonly phase: "download" | "load";
}

export interface LoadOptions extends OpenOptions {
  /**
   * Precision of matrices in memory. By default as stored, with float16 as float32. `"bf16"` rounds; `"f32"` widens. `"q8"` rounds to
   * 8-bit integers with a scale for every output and 512 inputs, which takes a quarter of float32; such a model cannot be saved. Routers
   * and vectors stay float32.
   */
  dtype?: ResidentDType;
  /** Which kernels run. `"auto"` chooses the fastest build that the engine supports. */
  build?: Build | "auto";
  /**
   * Threads to compute with, at most 64. The default, `"auto"`, takes one per processor, at most 8, and leaves one processor to the
   * reader of streamed weights. Results do not depend on the number of threads. In a page, more than one thread needs cross-origin
   * isolation; without it, `onWarning` is called and one thread computes.
   */
  threads?: number | "auto";
  /** Precision of keys and values in the cache of softmax layers: float32 (default), bf16 (half the memory) or int8 (about a quarter). */
  kv?: KVType;
  /** Called after every kernel call with its time and number of operations, for profiles. */
  onKernel?: (call: KernelCall) => void;
  /** Called as bytes are loaded; the last call has fraction 1. */
  onProgress?: (progress: Progress) => void;
  /** Replaces the file `config.json`: its JSON, or a typed configuration. */
  config?: Config | Record<string, unknown>;
  /**
   * Where matrices are kept: in memory (`"resident"`, the default), or in their files (`"streamed"`). Streamed matrices are read when a
   * layer or a chosen expert needs them, ahead of time if the need is known, so a checkpoint may be larger than memory; the drive limits
   * the speed. Works in Node and in a browser's worker. Vectors and routers stay in memory.
   */
  residency?: "resident" | "streamed";
  /** With `residency: "streamed"`, the maximum memory for matrices (1 GiB). A matrix stays in memory as long as there is room. */
  budgetBytes?: number;
  /** Refuses weights that contain NaN or infinity. */
  checkNaN?: boolean;
  /** Maximum memory for the weights. wasm32 limits it to 4 GiB in any case. */
  maxMemoryBytes?: number;
}

const schema = v.strictObject({
  dtype: v.optional(oneOf("f32", "bf16", "q8")),
  build: v.optional(buildOption),
  threads: v.optional(threadsOption),
  kv: v.optional(oneOf("f32", "bf16", "q8")),
  onKernel: v.optional(callback()),
  onProgress: v.optional(callback()),
  onWarning: v.optional(callback()),
  config: v.optional(v.record(v.string(), v.unknown(), "a configuration, or the JSON of a config.json")),
  residency: v.optional(oneOf("resident", "streamed")),
  budgetBytes: v.optional(number("a number of bytes above 0", (x) => x > 0)),
  checkNaN: v.optional(flag),
  maxMemoryBytes: v.optional(number("a number of bytes above 0", (x) => x > 0)),
  revision: v.optional(text),
  localFilesOnly: v.optional(flag),
  ...retryOptionSchemas,
  signal: v.optional(signal),
});

/** @throws {InputError} invalid or unknown options */
export function checkLoadOptions(options: LoadOptions): void {
  const { residency, budgetBytes } = parseOptions(schema, options, "load");
  if (budgetBytes !== undefined && residency !== "streamed") {
    throw new InputError(
      `load: budgetBytes: expected only with residency "streamed", got ${budgetBytes} (use maxMemoryBytes to limit resident weights)`,
    );
  }
}
