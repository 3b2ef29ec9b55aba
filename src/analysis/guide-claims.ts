// What MiniMax's deployment guide says of its model, experts in int8 on eight GPUs, and what the arithmetic says of that.

import { graphOf, type Model } from "../model/graph.js";
import { isMiniMaxM1 } from "./comparison.js";
import { type Gpu, gpus, usableBytes } from "./gpus.js";
import { BLOCK_TOKENS, deploymentMemory } from "./memory.js";
import { most } from "./most.js";

/** A statement of the guide: so many tokens on eight of these GPUs. */
export interface GuideClaim {
  readonly gpu: Gpu;
  readonly gpuCount: number;
  readonly weights: "experts_int8";
  readonly claimedTokens: number;
  /** What may be used of each GPU. */
  readonly usableBytes: number;
  /** What each holds of one sequence of that length: with room for its own lightning state, and for as many as vLLM takes by default. */
  readonly verdicts: readonly GuideVerdict[];
}

export interface GuideVerdict {
  /** Lightning states that the server takes room for. */
  readonly states: number;
  readonly totalBytes: number;
  readonly holds: boolean;
  /** The longest sequence that would fit. */
  readonly mostTokens: number;
}

const CLAIMS = [
  { name: "H800", claimedTokens: 2_000_000 },
  { name: "H20", claimedTokens: 5_000_000 },
] as const;

const GPU_COUNT = 8;

/** One for the sequence itself; vLLM's default for `--max-num-seqs`, for all of which it takes room when it starts. */
const STATES = [1, 128] as const;

const WEIGHTS = "experts_int8";

/**
 * The guide's statements, held against {@link deploymentMemory}; none for another model than the published one.
 *
 * @param utilization share of their memory that may be used
 */
export function guideClaims(model: Model, utilization = 0.95): GuideClaim[] {
  const known = graphOf(model);
  if (!isMiniMaxM1(known)) return [];
  const longest = known.config.maxPositionEmbeddings;
  return CLAIMS.map(({ name, claimedTokens }) => {
    const gpu = gpus.find((one) => one.name === name)!;
    const usable = usableBytes(gpu, utilization);
    const totalBytes = (context: number, states: number) => {
      const { totalBytes, stateBytes } = deploymentMemory(known, { weights: WEIGHTS, tensorParallel: GPU_COUNT, context });
      return totalBytes + (states - 1) * stateBytes;
    };
    return {
      gpu,
      gpuCount: GPU_COUNT,
      weights: WEIGHTS,
      claimedTokens,
      usableBytes: usable,
      verdicts: STATES.map((states) => ({
        states,
        totalBytes: totalBytes(claimedTokens, states),
        holds: totalBytes(claimedTokens, states) <= usable,
        mostTokens: BLOCK_TOKENS * most((blocks) => totalBytes(blocks * BLOCK_TOKENS, states) <= usable, longest / BLOCK_TOKENS),
      })),
    };
  });
}
