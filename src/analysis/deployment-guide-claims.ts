// Checks the memory claims of MiniMax's deployment guide (experts in int8 on eight GPUs) by computing the memory.

import { graphOf, type Model } from "../model/graph.js";
import { CACHE_BLOCK_TOKENS, deploymentMemory } from "./deployment-memory.js";
import { isMiniMaxM1 } from "./generation-comparison.js";
import { type Gpu, gpus, usableBytes } from "./gpus.js";
import { largestFitting } from "./largest-fitting.js";
import { VLLM_DEFAULTS } from "./vllm.js";

/** A claim of the guide: eight GPUs of this model hold one sequence of `claimedTokens` tokens. */
export interface GuideClaim {
  readonly gpu: Gpu;
  readonly gpuCount: number;
  readonly weights: "experts_int8";
  readonly claimedTokens: number;
  /** Whether a sequence of that length fits, for each of several server settings. */
  readonly verdicts: readonly GuideVerdict[];
}

export interface GuideVerdict {
  /** `--max-num-seqs`: the number of sequences whose lightning states the server reserves at its start. */
  readonly states: number;
  /** `--gpu-memory-utilization`: the share of each GPU's memory that the server may use. */
  readonly utilization: number;
  /** Memory of each GPU that the server may use. */
  readonly usableBytes: number;
  /** Memory that each GPU needs. */
  readonly totalBytes: number;
  readonly holds: boolean;
  /** The length of the longest sequence that fits. */
  readonly mostTokens: number;
}

const GUIDE_CLAIMS = [
  { name: "H800", claimedTokens: 2_000_000 },
  { name: "H20", claimedTokens: 5_000_000 },
] as const;

const GUIDE_GPU_COUNT = 8;

const GUIDE_WEIGHTS = "experts_int8";

/**
 * Returns the settings under which a claim is checked: all combinations of one lightning state or vLLM's default number, and of the given
 * share of memory or vLLM's default.
 */
function checkedSettings(utilization: number): { states: number; utilization: number }[] {
  const shares = [...new Set([utilization, VLLM_DEFAULTS.utilization])];
  return [1, VLLM_DEFAULTS.maxSequences].flatMap((states) => shares.map((utilization) => ({ states, utilization })));
}

/**
 * Checks the guide's claims about memory under several server settings, with {@link deploymentMemory}. The last verdict of each claim is
 * for vLLM's defaults. The settings of the guide's own measurements are not published.
 *
 * @param utilization share of each GPU's memory that may be used. Claims are checked for it and for vLLM's default
 * @returns the checked claims; none for models other than the published model
 */
export function guideClaims(model: Model, utilization = 0.95): GuideClaim[] {
  const known = graphOf(model);
  if (!isMiniMaxM1(known)) return [];
  const longest = known.config.maxPositionEmbeddings;
  return GUIDE_CLAIMS.map(({ name, claimedTokens }) => {
    const gpu = gpus.find((one) => one.name === name)!;
    const totalBytes = (context: number, states: number) => {
      const { totalBytes, stateBytes } = deploymentMemory(known, { weights: GUIDE_WEIGHTS, tensorParallel: GUIDE_GPU_COUNT, context });
      return totalBytes + (states - 1) * stateBytes;
    };
    const verdicts = checkedSettings(utilization).map(({ states, utilization }): GuideVerdict => {
      const usable = usableBytes(gpu, utilization);
      return {
        states,
        utilization,
        usableBytes: usable,
        totalBytes: totalBytes(claimedTokens, states),
        holds: totalBytes(claimedTokens, states) <= usable,
        mostTokens:
          CACHE_BLOCK_TOKENS *
          largestFitting((blocks) => totalBytes(blocks * CACHE_BLOCK_TOKENS, states) <= usable, longest / CACHE_BLOCK_TOKENS),
      };
    });
    return { gpu, gpuCount: GUIDE_GPU_COUNT, weights: GUIDE_WEIGHTS, claimedTokens, verdicts };
  });
}
