import { expectArgument, isObjectLike } from "../base/options.js";
import type { Config } from "../model/config.js";
import { expectServedArchitecture } from "./vllm.js";

/**
 * Returns whether p GPUs can share every layer. p must divide the heads, the experts' width and the padded vocabulary. It must also divide
 * the number of KV heads or be a multiple of it. If it is a multiple, several GPUs hold copies of the same KV head.
 */
export function canShareLayers(config: Config, p: number): boolean {
  const { numAttentionHeads, numKeyValueHeads, intermediateSize } = config;
  return (
    numAttentionHeads % p === 0 &&
    (numKeyValueHeads % p === 0 || p % numKeyValueHeads === 0) &&
    intermediateSize % p === 0 &&
    paddedVocab(config) % p === 0
  );
}

/** Describes the allowed numbers of GPUs, for error messages. */
export function describeTensorParallelSizes(config: Config): string {
  return `one of ${tensorParallelSizes(config).join(", ")} (it divides heads, KV heads, experts' width and vocabulary)`;
}

/** Returns all numbers of GPUs that can share every layer, ascending. @throws {InputError} a model that vLLM does not implement */
export function tensorParallelSizes(config: Config): number[] {
  expectArgument("tensorParallelSizes: config", isObjectLike(config), "a configuration", config);
  expectServedArchitecture(config, "tensorParallelSizes");
  return Array.from({ length: config.numAttentionHeads }, (_, i) => i + 1).filter((p) => canShareLayers(config, p));
}

/** Returns the number of rows of embedding and head on the GPUs. vLLM pads vocabularies to a multiple of 64. */
export function paddedVocab({ vocabSize }: Config): number {
  return Math.ceil(vocabSize / 64) * 64;
}
