import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, flag, index, number, oneOf, parseOptions, text } from "../base/options.js";
import { printed, printedJson } from "../base/printed.js";
import type { Config } from "../model/config.js";
import { defaultContext } from "./deployment-memory.js";
import { fraction, gpuSchema } from "./deployment-target.js";
import { type GgufFormat, ggmlTypes, ggufFormats } from "./gguf-tensors.js";
import type { Gpu } from "./gpus.js";
import { expectLlamaCppArchitecture, LLAMA_CPP_VERSION, MAX_SEQUENCES } from "./llama-cpp.js";

/** The format of cached keys and values in llama.cpp. */
export type LlamaCppCache = "f16" | "q8_0" | "q4_0";

/** Bits per number of cached keys and values. */
export const CACHE_BITS: Readonly<Record<LlamaCppCache, number>> = { f16: 16, q8_0: (8 * 34) / 32, q4_0: (8 * 18) / 32 };

/** The hardware and the requirements of a deployment with llama.cpp, on one machine. */
export interface LlamaCppTarget {
  engine: "llama.cpp";
  /** A key of {@link gpus}, or the description of another GPU ("H800"). */
  gpu?: string | Gpu;
  /** GPUs of the machine (8). The plan uses the smallest number that fits. 0: the model runs on the CPU. */
  gpusPerNode?: number;
  /**
   * Memory of the host in bytes. If it is given, experts and, if that is not enough, whole layers that the GPUs cannot hold are placed
   * there.
   */
  ramBytes?: number;
  /** Bytes per second that the CPU reads from the host's memory. Only the estimated speed depends on it. */
  ramBandwidth?: number;
  /** Whether `gpu` describes a machine whose CPU and GPU share their memory (false). Such a machine has one GPU and no `ramBytes`. */
  unified?: boolean;
  /** Maximum length of a sequence in tokens. By default 131,072, or the model's context if that is shorter. */
  context?: number;
  /** Number of concurrent sequences of that length (1). At most 256. */
  concurrency?: number;
  /** The format of the GGUF file ("Q4_K_M"). */
  weights?: GgufFormat;
  /** Format of cached keys and values (`"f16"`). */
  kv?: LlamaCppCache;
  /** The share of the memory of GPUs and host that may be used (0.95). */
  utilization?: number;
  /** Tokens per forward pass, `--ubatch-size` (512). It is rounded up to a multiple of `concurrency`. */
  passTokens?: number;
  /** The GGUF file ("MiniMax-M1-80k-" and the format). */
  served?: string;
}

const rate = number("a number above 0, in bytes per second", (x) => x > 0 && Number.isFinite(x));

const schema = v.strictObject({
  engine: oneOf("llama.cpp"),
  gpu: v.optional(gpuSchema, "H800"),
  gpusPerNode: v.optional(index),
  ramBytes: v.optional(count),
  ramBandwidth: v.optional(rate),
  unified: v.optional(flag, false),
  context: v.optional(count),
  concurrency: v.optional(count, 1),
  weights: v.optional(oneOf(...ggufFormats), "Q4_K_M"),
  kv: v.optional(oneOf("f16", "q8_0", "q4_0"), "f16"),
  utilization: v.optional(fraction, 0.95),
  passTokens: v.optional(count, 512),
  served: v.optional(text),
});

/** A target with all defaults. */
export type LlamaCppSettings = Omit<v.InferOutput<typeof schema>, "gpusPerNode" | "context" | "served"> & {
  readonly gpusPerNode: number;
  readonly context: number;
  readonly served: string;
};

/** Checks a target and applies its defaults. @throws {InputError} an invalid target, or a target that does not suit the model */
export function parseLlamaCppTarget(config: Config, options: LlamaCppTarget): LlamaCppSettings {
  const given = parseOptions(schema, options, "plan");
  expectLlamaCppArchitecture(config, "plan");
  const settings = {
    ...given,
    gpusPerNode: given.gpusPerNode ?? (given.unified ? 1 : 8),
    context: given.context ?? defaultContext(config),
    served: given.served ?? `MiniMax-M1-80k-${given.weights}.gguf`,
  };
  check(config, settings);
  return settings;
}

function check(config: Config, { context, concurrency, served, unified, gpusPerNode, ramBytes, kv }: LlamaCppSettings): void {
  const { maxPositionEmbeddings, numKeyValueHeads, headDim } = config;
  if (context > maxPositionEmbeddings) {
    throw new InputError(
      `plan: context: expected at most ${maxPositionEmbeddings.toLocaleString("en-US")} tokens (max_position_embeddings), got ${context.toLocaleString("en-US")}`,
    );
  }
  if (concurrency > MAX_SEQUENCES) {
    throw new InputError(
      `plan: concurrency: expected at most ${MAX_SEQUENCES} sequences, the limit of llama.cpp ${LLAMA_CPP_VERSION}, got ${printed(concurrency)} (start several servers)`,
    );
  }
  if (unified && (gpusPerNode !== 1 || ramBytes !== undefined)) {
    throw new InputError("plan: unified: expected one GPU and no ramBytes, because its memory is the machine's memory");
  }
  if (gpusPerNode === 0 && ramBytes === undefined) {
    throw new InputError("plan: ramBytes: expected the memory of the host, because there are no GPUs, got none");
  }
  if (kv !== "f16" && (numKeyValueHeads * headDim) % ggmlTypes.Q8_0.block !== 0) {
    throw new InputError(`plan: kv: expected "f16" for ${numKeyValueHeads} × ${headDim} numbers per token, got ${printedJson(kv)}`);
  }
  if (!/^[\w/.][\w./:@+-]*$/.test(served)) {
    throw new InputError(`plan: served: expected the path of a GGUF file without spaces and quotes, got ${printedJson(served)}`);
  }
}
