// What MiniMax's deployment guide says of its model, experts in int8 on eight GPUs, and what the arithmetic says of that.

import { graphOf, type Model } from "../model/graph.js";
import { CACHE_BLOCK_TOKENS, deploymentMemory } from "./deployment-memory.js";
import { isMiniMaxM1 } from "./generation-comparison.js";
import { type Gpu, gpus, usableBytes } from "./gpus.js";
import { largestFitting } from "./largest-fitting.js";
import { VLLM_DEFAULTS } from "./vllm.js";

/** A statement of the guide: so many tokens on eight of these GPUs. */
export interface GuideClaim {
  readonly gpu: Gpu;
  readonly gpuCount: number;
  readonly weights: "experts_int8";
  readonly claimedTokens: number;
  /** Whether one sequence of that length fits, by settings of the server: one state or as many as vLLM takes by default, under each share of memory. */
  readonly verdicts: readonly GuideVerdict[];
}

export interface GuideVerdict {
  /** `--max-num-seqs`: lightning states that the server takes room for when it starts. */
  readonly states: number;
  /** `--gpu-memory-utilization`. */
  readonly utilization: number;
  /** What each GPU may hold under this utilization. */
  readonly usableBytes: number;
  /** What each GPU holds. */
  readonly totalBytes: number;
  readonly holds: boolean;
  /** The longest sequence that would fit. */
  readonly mostTokens: number;
}

const GUIDE_CLAIMS = [
  { name: "H800", claimedTokens: 2_000_000 },
  { name: "H20", claimedTokens: 5_000_000 },
] as const;

const GUIDE_GPU_COUNT = 8;

const GUIDE_WEIGHTS = "experts_int8";

/** Room for one state or for as many as vLLM takes by default, and the share of memory that is asked for or vLLM's default. */
function guideSettings(utilization: number): { states: number; utilization: number }[] {
  const shares = [...new Set([utilization, VLLM_DEFAULTS.utilization])];
  return [1, VLLM_DEFAULTS.maxSequences].flatMap((states) => shares.map((utilization) => ({ states, utilization })));
}

/**
 * The guide's statements, held against {@link deploymentMemory} under several settings; none for another model than the published one. The last
 * verdict is that of vLLM's defaults. With which settings the guide's figures were measured is not published.
 *
 * @param utilization share of the GPUs' memory that may be used, besides vLLM's default
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
    const verdicts = guideSettings(utilization).map(({ states, utilization }): GuideVerdict => {
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
