import * as v from "valibot";
import { ConfigError, formatBytes, MemoryError } from "../base/errors.js";
import { callback, parseOptions, seedNumber } from "../base/options.js";
import { Random } from "../base/random.js";
import { type Config, parseConfig } from "../model/config.js";
import { graph, isConfig } from "../model/graph.js";
import { MAX_MEMORY_BYTES } from "../runtime/heap.js";
import { buildOption, threadsOption } from "../runtime/options.js";
import { type KernelCall, Runtime } from "../runtime/runtime.js";
import { sizeOf } from "../runtime/tensor.js";
import type { Build } from "../runtime/wasm.js";
import { ResidentWeights } from "../weights/resident.js";
import type { Checkpoint } from "./checkpoint.js";
import { residentBytes } from "./estimate-memory.js";

export interface CreateOptions {
  /** Integer within [0, 2^32): the same seed gives the same weights. By default any. */
  seed?: number;
  /** A tokenizer's files, by name, as `trainTokenizer` returns them; saved with the model. */
  files?: ReadonlyMap<string, Uint8Array>;
  /** Which kernels run; `"auto"` takes the fastest that the engine has. */
  build?: Build | "auto";
  /** Threads to compute with; `"auto"`, the default, takes one per processor, at most 8. */
  threads?: number | "auto";
  /** Told of every kernel call with its time and its operations: for profiles. */
  onKernel?: (call: KernelCall) => void;
  onWarning?: (message: string) => void;
}

const schema = v.strictObject({
  seed: v.optional(seedNumber),
  files: v.optional(v.custom<ReadonlyMap<string, Uint8Array>>((x) => x instanceof Map, "a Map of files by name")),
  build: v.optional(buildOption),
  threads: v.optional(threadsOption, "auto"),
  onKernel: v.optional(callback<(call: KernelCall) => void>()),
  onWarning: v.optional(callback<(message: string) => void>()),
});

/**
 * A checkpoint that nobody trained: matrices are normal with standard deviation `initializer_range`, norms are 1, as the published code has it. In memory
 * weights are float32, ready for training; `save` rounds them to the configuration's dtype.
 *
 * @throws {ConfigError} a configuration that contradicts itself
 * @throws {MemoryError} weights that do not fit
 */
export async function initialiseCheckpoint(config: Config | Record<string, unknown>, options: CreateOptions = {}): Promise<Checkpoint> {
  const { seed = Random.anySeed(), files = new Map(), build, threads, onKernel, onWarning } = parseOptions(schema, options, "create");
  const typed = isConfig(config) ? config : parseConfig(config, onWarning);
  // What is saved is the JSON.
  if (JSON.stringify(parseConfig(typed.source)) !== JSON.stringify(typed)) {
    throw new ConfigError(
      "create: config: expected what its own source says, got other values (change the JSON instead: create({ ...config.source, vocab_size: … }))",
    );
  }
  const { tensors } = graph(typed);
  const bytes = residentBytes(tensors, "f32");
  if (bytes > MAX_MEMORY_BYTES) {
    throw new MemoryError(
      `create: the weights need ${formatBytes(bytes)}, wasm32 holds ${formatBytes(MAX_MEMORY_BYTES)} (a smaller model)`,
    );
  }
  const rt = await Runtime.create(build, { threads, bytes, onWarning });
  rt.onKernel = onKernel;
  try {
    const weights = new ResidentWeights(rt);
    const normal = normalGenerator(Random.seeded(seed));
    for (const spec of tensors) {
      weights.add(spec, "f32");
      const [rows, width] = spec.shape.length === 2 ? (spec.shape as [number, number]) : [1, sizeOf(spec.shape)];
      const step = weights.pieceRows(spec.name);
      for (let row = 0; row < rows; row += step) {
        const size = Math.min(step, rows - row) * width;
        const values = Float32Array.from({ length: size }, () => (spec.shape.length === 2 ? typed.initializerRange * normal() : 1));
        weights.writeRows(spec.name, row, new Uint8Array(values.buffer), "f32");
      }
    }
    return { config: typed, rt, weights, buffers: [], files: new Map(files), layout: undefined };
  } catch (error) {
    rt.dispose();
    throw error;
  }
}

/** Normal numbers, two by two (Box and Muller 1958). */
function normalGenerator(random: Random): () => number {
  let next: number | undefined;
  return () => {
    if (next !== undefined) {
      const value = next;
      next = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
    const angle = 2 * Math.PI * random.next();
    next = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
