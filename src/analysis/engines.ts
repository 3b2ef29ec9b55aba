// The engines that people ask for, and what each of them can do with MiniMax-M1. Statements name what was read: vLLM's
// minimax_text_01.py in an early and in a late version, pull requests of vLLM and SGLang, and the sources of llama.cpp.

import type { GgufFormat } from "./gguf-tensors.js";
import { LLAMA_CPP_VERSION } from "./llama-cpp.js";
import { VLLM_VERSION } from "./vllm.js";

/** A nominal precision of weights. */
export type Precision = "bf16" | "int8" | "fp8" | "int4";

/** Why an engine does not run the model in a precision, and what to do instead. */
export interface Unsupported {
  readonly reason: string;
  readonly remedy: string;
}

/** An engine, and the weights that it loads for each nominal precision. */
export interface Engine {
  readonly name: "vllm" | "llama.cpp" | "sglang";
  /** The version that was examined. Absent if no version implements the model. */
  readonly version?: string;
  /** Which versions implement the model. */
  readonly support: string;
  /** What to do if another version is needed. */
  readonly remedy: string;
  /** The name of the weights' format in plans, or why there is none. */
  readonly precisions: Readonly<Record<Precision, { readonly weights: "bf16" | "experts_int8" | GgufFormat } | Unsupported>>;
}

const NO_SGLANG: Unsupported = {
  reason: "SGLang never contained this model: its pull requests 7443, 7622, 8124 and 11466 were closed without being merged",
  remedy: "use vllm or llama.cpp",
};

/** The engines, in the order of their support for this model. */
export const engines: readonly Engine[] = [
  {
    name: "vllm",
    version: VLLM_VERSION,
    support: "vLLM 0.9.2 to 0.23.0 contain this model; pull request 45993 removed it from later versions",
    remedy: `use ${VLLM_VERSION}, which the plans start`,
    precisions: {
      bf16: { weights: "bf16" },
      int8: { weights: "experts_int8" },
      fp8: {
        reason: `vLLM ${VLLM_VERSION} rounds to FP8 only after loading the whole model in bfloat16, and its loader does not find the scales of FP8 checkpoints`,
        remedy: "use int8 (experts_int8), which needs as much memory",
      },
      int4: {
        reason: "vLLM's loader for this model reads weight and weight_scale of experts only, not the packed tensors of GPTQ and AWQ",
        remedy: "use int8 (experts_int8), or llama.cpp for int4",
      },
    },
  },
  {
    name: "llama.cpp",
    version: LLAMA_CPP_VERSION,
    support: "llama.cpp contains this model (minimax-01) from b10437 on",
    remedy: `use b10437 or later; ${LLAMA_CPP_VERSION} was examined`,
    precisions: {
      bf16: { weights: "BF16" },
      int8: { weights: "Q8_0" },
      fp8: { reason: "GGUF files have no FP8 type that llama-quantize writes", remedy: "use int8 (Q8_0)" },
      int4: { weights: "Q4_K_M" },
    },
  },
  {
    name: "sglang",
    support: NO_SGLANG.reason,
    remedy: NO_SGLANG.remedy,
    precisions: { bf16: NO_SGLANG, int8: NO_SGLANG, fp8: NO_SGLANG, int4: NO_SGLANG },
  },
];
