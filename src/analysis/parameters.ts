import type { Config } from "../model/config.js";
import { type Block, graphOf, type Model } from "../model/graph.js";

/** Parameters of one kind of block, summed over all layers. */
export interface BlockParameters {
  readonly block: Block;
  readonly tensors: number;
  readonly parameters: number;
  /**
   * Number of parameters that one token uses, with only the top-k of the experts. Embedding and head are left out, as in published counts.
   */
  readonly activated: number;
  /** Stored bytes, without file headers. */
  readonly bytes: number;
}

/** Parameters by kind of block, and their sums. */
export interface ParameterTable {
  readonly blocks: readonly BlockParameters[];
  readonly parameterCount: number;
  /** Without the embedding and the head. */
  readonly activatedParameterCount: number;
  readonly activatedWithEmbeddingAndHead: number;
  readonly checkpointBytes: number;
}

/**
 * Computes parameters, activated parameters and stored bytes by kind of block.
 *
 * @throws {ConfigError} a configuration of another architecture, or an inconsistent one
 */
export function parameterTable(model: Model): ParameterTable {
  const { config, tensors, parameterCount, activatedParameterCount, checkpointBytes } = graphOf(model);
  const sums = new Map<Block, { tensors: number; parameters: number; bytes: number }>();
  for (const { block, shape, bytes } of tensors) {
    const sum = sums.get(block) ?? { tensors: 0, parameters: 0, bytes: 0 };
    sum.tensors++;
    sum.parameters += shape.reduce((product, dim) => product * dim, 1);
    sum.bytes += bytes;
    sums.set(block, sum);
  }
  const blocks = [...sums].map(([block, sum]) => ({ block, ...sum, activated: activated(block, sum.parameters, config) }));
  // A tied head has no tensor of its own, so the embedding counts once.
  const [embedding, head] = [sums.get("embedding"), sums.get("head")];
  const activatedWithEmbeddingAndHead = activatedParameterCount + (embedding?.parameters ?? 0) + (head?.parameters ?? 0);
  return { blocks, parameterCount, activatedParameterCount, activatedWithEmbeddingAndHead, checkpointBytes };
}

/** Returns how many parameters of a block one token uses. */
function activated(block: Block, parameters: number, { numExpertsPerTok, numLocalExperts }: Config): number {
  if (block === "embedding" || block === "head") return 0;
  return block === "expert" ? (parameters * numExpertsPerTok) / Math.max(1, numLocalExperts) : parameters;
}
