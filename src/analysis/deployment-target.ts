import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, flag, number, oneOf, parseOptions, text } from "../base/options.js";
import { printedJson } from "../base/printed.js";
import type { Config } from "../model/config.js";
import { type CacheScheme, defaultContext } from "./deployment-memory.js";
import { type Gpu, gpus } from "./gpus.js";
import { expectServedArchitecture } from "./vllm.js";

/** The hardware and the requirements of a deployment with vLLM. */
export interface DeploymentTarget {
  engine?: "vllm";
  /** A key of {@link gpus}, or the description of another GPU ("H800"). */
  gpu?: string | Gpu;
  /** GPUs per node (8). */
  gpusPerNode?: number;
  /** Number of nodes (1). */
  nodes?: number;
  /** Maximum length of a sequence in tokens. By default 131,072, or the model's context if that is shorter. */
  context?: number;
  /** Number of concurrent sequences of that length, over all replicas (1). */
  concurrency?: number;
  /** The format of the weights in vLLM: `"experts_int8"` by default. */
  weights?: "bf16" | "experts_int8";
  /** Format of cached keys and values (`"bf16"`). */
  kv?: CacheScheme;
  /** The share of each GPU's memory that vLLM may use (0.95). */
  utilization?: number;
  /** Maximum tokens per forward pass (8,192). */
  passTokens?: number;
  /**
   * Whether each GPU holds whole experts instead of a part of every expert (false). The computed memory does not take this into account;
   * the error is at most 0.1 %.
   */
  expertParallel?: boolean;
  /** The hub id or absolute path that the server loads ("MiniMaxAI/MiniMax-M1-80k"). */
  served?: string;
}

export const fraction = number("a number within (0, 1]", (x) => x > 0 && x <= 1);

export const gpuSchema = v.union(
  [
    v.pipe(
      v.custom<string>((x) => gpus.some(({ name }) => name === x)),
      v.transform((name) => gpus.find((gpu) => gpu.name === name)!),
    ),
    v.strictObject({
      name: text,
      memoryMiB: count,
      resource: v.optional(oneOf("nvidia.com/gpu", "amd.com/gpu"), "nvidia.com/gpu"),
      caution: v.optional(text),
      bandwidth: v.optional(number("a number above 0, in bytes per second", (x) => x > 0 && Number.isFinite(x))),
    }),
  ],
  `${gpus.map(({ name }) => JSON.stringify(name)).join(", ")} or { name, memoryMiB }`,
);

const schema = v.strictObject({
  engine: v.optional(oneOf("vllm"), "vllm"),
  gpu: v.optional(gpuSchema, "H800"),
  gpusPerNode: v.optional(count, 8),
  nodes: v.optional(count, 1),
  context: v.optional(count),
  concurrency: v.optional(count, 1),
  weights: v.optional(oneOf("bf16", "experts_int8"), "experts_int8"),
  kv: v.optional(oneOf("bf16", "fp8"), "bf16"),
  utilization: v.optional(fraction, 0.95),
  passTokens: v.optional(count, 8192),
  expertParallel: v.optional(flag, false),
  served: v.optional(text, "MiniMaxAI/MiniMax-M1-80k"),
});

/** Checks a target and applies its defaults. @throws {InputError} an invalid target, or a target that does not suit the model */
export type DeploymentSettings = v.InferOutput<typeof schema> & { readonly context: number };

/** @throws {InputError} an invalid target, or a target that does not suit the model */
export function parseDeploymentTarget(config: Config, options: DeploymentTarget): DeploymentSettings {
  const given = parseOptions(schema, options, "plan");
  expectServedArchitecture(config, "plan");
  const target = { ...given, context: given.context ?? defaultContext(config) };
  check(config, target);
  return target;
}

function check({ maxPositionEmbeddings }: Config, { context, served }: DeploymentSettings): void {
  if (context > maxPositionEmbeddings) {
    throw new InputError(
      `plan: context: expected at most ${maxPositionEmbeddings.toLocaleString("en-US")} tokens (max_position_embeddings), got ${context.toLocaleString("en-US")}`,
    );
  }
  if (!/^[\w/.][\w./:@-]*$/.test(served)) {
    throw new InputError(`plan: served: expected a hub id or a path without spaces and quotes, got ${printedJson(served)}`);
  }
}
