import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { callback, flag, number, oneOf, parseOptions } from "../base/options.js";
import type { OpenOptions } from "../io/byte-source.js";
import { openOptionSchemas } from "../io/open-options.js";
import type { KVType } from "../model/cache.js";
import type { Config } from "../model/config.js";
import { buildOption, threadsOption } from "../runtime/options.js";
import type { KernelCall } from "../runtime/runtime.js";
import type { Build } from "../runtime/wasm.js";
import type { ResidentDType } from "../weights/weights.js";

/** Progress of a load over all files, including the download of a hub repository. */
export interface Progress {
  readonly loadedBytes: number;
  /** Total number of bytes. Known from the start, and constant. */
  readonly totalBytes: number;
  /** Progress from 0 to 1. It never decreases. */
  readonly fraction: number;
  readonly phase: "download" | "load";
}

export interface LoadOptions extends OpenOptions {
  /**
   * Precision of matrices in memory. By default, matrices keep their stored precision; float16 becomes float32.
   *
   * `"bf16"` rounds, `"f32"` widens. `"q8"` rounds to 8-bit integers with a scale for each block of 512 inputs of an output, which takes a
   * quarter of the memory of float32. `"q4"` rounds to 4-bit integers with a scale and an offset for each group of 32 inputs of an output,
   * which takes 5 bits per weight; the embedding and the head are then q8. A model in `"q8"` or `"q4"` cannot be saved. Routers and
   * vectors stay float32.
   */
  dtype?: ResidentDType;
  /** Build of the kernels. `"auto"` chooses the fastest build that the engine supports. */
  build?: Build | "auto";
  /**
   * Number of threads that compute, at most 64. The default, `"auto"`, is one per processor, at most 8. If weights are streamed, one
   * processor is left to the reader thread.
   *
   * Results do not depend on the number of threads. In a web page, more than one thread needs cross-origin isolation. Without it,
   * `onWarning` is called and one thread computes.
   */
  threads?: number | "auto";
  /** Precision of keys and values in the cache of softmax layers: float32 (default), bf16 (half the memory) or int8 (about a quarter). */
  kv?: KVType;
  /** Called after every kernel call with its time and number of operations, for profiles. */
  onKernel?: (call: KernelCall) => void;
  /** Called as bytes are loaded; the last call has fraction 1. */
  onProgress?: (progress: Progress) => void;
  /** Configuration that replaces the file `config.json`, as its JSON or typed. */
  config?: Config | Record<string, unknown>;
  /**
   * Where matrices are kept: in memory (`"resident"`, the default), or in their files (`"streamed"`). Vectors and routers always stay in
   * memory.
   *
   * A streamed matrix is read when its layer or a chosen expert needs it. If the need is known in advance, it is read ahead of time. A
   * checkpoint may therefore be larger than memory, but the drive limits the speed. Streaming works in Node and in a browser's worker.
   */
  residency?: "resident" | "streamed";
  /** Maximum memory for streamed matrices, in bytes (1 GiB). A matrix that was read stays in memory as long as there is room. */
  budgetBytes?: number;
  /** Whether weights that contain NaN or infinity are refused (false). */
  checkNaN?: boolean;
  /** Maximum memory for the weights, in bytes. wasm32 limits it to 4 GiB in any case. */
  maxMemoryBytes?: number;
}

const schema = v.strictObject({
  dtype: v.optional(oneOf("f32", "bf16", "q8", "q4")),
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
  ...openOptionSchemas,
});

/** Checks options of `load`. @throws {InputError} invalid or unknown options */
export function checkLoadOptions(options: LoadOptions): void {
  const { residency, budgetBytes } = parseOptions(schema, options, "load");
  if (budgetBytes !== undefined && residency !== "streamed") {
    throw new InputError(
      `load: budgetBytes: expected only with residency "streamed", got ${budgetBytes} (use maxMemoryBytes to limit resident weights)`,
    );
  }
}
