// What is known of llama.cpp v0.5.0: the models that it implements, its limits, and its command line.

import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { Config } from "../model/config.js";
import type { LlamaCppDeployment } from "./plan-llama-cpp.js";

/** The version of llama.cpp that was read. Releases from b10437 on contain the architecture `minimax-01`. */
export const LLAMA_CPP_VERSION = "0.5.0";

/** Maximum number of sequences of a server (`LLAMA_MAX_SEQ`). */
export const MAX_SEQUENCES = 256;
/** The cache of a sequence is allocated in multiples of this number of tokens. */
export const CACHE_PAD_TOKENS = 256;
/** `--batch-size`, which limits `--ubatch-size`, if the command line does not set it. */
const DEFAULT_BATCH_TOKENS = 2048;
/** Copies of a sequence's lightning states that the server keeps in host memory, to continue from (`--ctx-checkpoints`). */
export const CHECKPOINTS = 4;

/**
 * Checks that llama.cpp's architecture `minimax-01` computes this model: experts, no shared expert, both kinds of attention, a rotary
 * embedding, residual branches that carry the normalised input, and one residual scale for all branches.
 *
 * @throws {InputError} it does not
 */
export function expectLlamaCppArchitecture(config: Config, where: string): void {
  const { dialect, numLocalExperts, sharedIntermediateSize, postnorm, residual, rotaryDim, attnTypeList } = config;
  const { alpha } = residual.mlp;
  const reasons: Readonly<Record<string, boolean>> = {
    hypenet: dialect === "hypenet",
    "a model without experts": numLocalExperts === 0,
    "a shared expert": sharedIntermediateSize > 0,
    "postnorm false": !postnorm,
    "one kind of attention": new Set(attnTypeList).size < 2,
    "no rotary embedding": rotaryDim === 0,
    "several residual scales, or a beta other than 1": Object.values(residual).some((scale) => scale.alpha !== alpha || scale.beta !== 1),
  };
  const missing = Object.keys(reasons).find((reason) => reasons[reason]);
  if (missing === undefined) return;
  throw new InputError(
    `${where}: model: expected a model like MiniMax-M1, got ${missing}, which llama.cpp ${LLAMA_CPP_VERSION} does not implement (estimateMemory computes the memory of this library)`,
  );
}

/** Returns the shell command that starts llama.cpp's server. */
export function llamaServerCommand(plan: LlamaCppDeployment): string {
  const isPlan = isObjectLike(plan) && Array.isArray(plan.layersPerGpu);
  expectArgument("llamaServerCommand: plan", isPlan, "a plan of planDeployment for llama.cpp", plan);
  const { served, cacheCells, sequences, passTokens, kv, gpuLayers, cpuExpertLayers, layersPerGpu } = plan;
  return [
    "llama-server",
    ...["--model", served],
    ...["--ctx-size", `${cacheCells}`, "--parallel", `${sequences}`],
    ...(passTokens > DEFAULT_BATCH_TOKENS ? ["--batch-size", `${passTokens}`] : []),
    ...["--ubatch-size", `${passTokens}`, "--flash-attn", "on"],
    ...(kv === "f16" ? [] : ["--cache-type-k", kv, "--cache-type-v", kv]),
    ...["--n-gpu-layers", `${gpuLayers}`],
    ...(cpuExpertLayers > 0 && gpuLayers > 0 ? ["--n-cpu-moe", `${cpuExpertLayers}`] : []),
    ...(layersPerGpu.length > 1 ? ["--tensor-split", layersPerGpu.join(",")] : []),
    ...["--ctx-checkpoints", `${CHECKPOINTS}`, "--cache-ram", "0", "--fit", "off"],
    ...["--port", "8000"],
  ].join(" ");
}
