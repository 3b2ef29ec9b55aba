import type { Config } from "../model/config.js";
import { type Block, graphOf, type Model } from "../model/graph.js";

/** Parameters of one kind of block, in all layers. */
export interface BlockParameters {
  readonly block: Block;
  readonly tensors: number;
  readonly parameters: number;
  /** Parameters that one token uses: of experts, the top-k. The embedding and the head are left out, as in published counts. */
  readonly activated: number;
  /** Bytes as stored, file headers aside. */
  readonly bytes: number;
}

/** The table of parameters, and its sums. */
export interface ParameterTable {
  readonly blocks: readonly BlockParameters[];
  readonly parameterCount: number;
  /** Without the embedding and the head. */
  readonly activatedParameterCount: number;
  readonly activatedWithEmbeddingAndHead: number;
  readonly checkpointBytes: number;
}

/**
 * Parameters, activated parameters and stored bytes by kind of block.
 *
 * @throws {ConfigError} a configuration of another model, or one that contradicts itself
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
  // A tied head is the embedding once more, and one parameter all the same.
  const [embedding, head] = [sums.get("embedding"), sums.get("head")];
  const activatedWithEmbeddingAndHead = activatedParameterCount + (embedding?.parameters ?? 0) + (head?.parameters ?? 0);
  return { blocks, parameterCount, activatedParameterCount, activatedWithEmbeddingAndHead, checkpointBytes };
}

/** How many of a block's parameters one token uses. */
function activated(block: Block, parameters: number, { numExpertsPerTok, numLocalExperts }: Config): number {
  if (block === "embedding" || block === "head") return 0;
  return block === "expert" ? (parameters * numExpertsPerTok) / numLocalExperts : parameters;
}
