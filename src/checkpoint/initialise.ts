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
  /** Seed of the weights, an integer within [0, 2^32). The same seed gives the same weights. By default random. */
  seed?: number;
  /** Tokenizer files by name, as `trainTokenizer` returns them. They are saved with the model. */
  files?: ReadonlyMap<string, Uint8Array>;
  /** Build of the kernels. `"auto"` chooses the fastest build that the engine supports. */
  build?: Build | "auto";
  /** Number of threads that compute. The default, `"auto"`, is one per processor, at most 8. */
  threads?: number | "auto";
  /** Called after every kernel call with its time and number of operations, for profiles. */
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
 * Creates a checkpoint with random weights, initialised as in the published code. Matrices are drawn from a normal distribution with mean 0
 * and standard deviation `initializer_range`. Norm weights are 1.
 *
 * Weights are float32 in memory, ready for training. Saving rounds them to the configuration's dtype.
 *
 * @throws {ConfigError} an inconsistent configuration
 * @throws {MemoryError} weights that do not fit into memory
 */
export async function initialiseCheckpoint(config: Config | Record<string, unknown>, options: CreateOptions = {}): Promise<Checkpoint> {
  const { seed = Random.anySeed(), files = new Map(), build, threads, onKernel, onWarning } = parseOptions(schema, options, "create");
  const typed = isConfig(config) ? config : parseConfig(config, onWarning);
  // Saving writes the configuration's JSON source, so the typed values must agree with it.
  if (JSON.stringify(parseConfig(typed.source)) !== JSON.stringify(typed)) {
    throw new ConfigError(
      "create: config: expected the values of config.source, got different ones (change the JSON instead: create({ ...config.source, vocab_size: … }))",
    );
  }
  const { tensors } = graph(typed);
  const bytes = residentBytes(tensors, "f32");
  if (bytes > MAX_MEMORY_BYTES) {
    throw new MemoryError(
      `create: the weights need ${formatBytes(bytes)}, wasm32 holds ${formatBytes(MAX_MEMORY_BYTES)} (use a smaller model)`,
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

/** Creates a generator of standard normal numbers, which come in pairs (Box and Muller 1958). */
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
