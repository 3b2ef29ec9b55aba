// What each part of the model does, in a sentence or two.

import type { Config } from "lightning-m1";
import type { TreeNode } from "./model-tree.ts";

const n = (value: number) => value.toLocaleString("en");

export function purposeOf(node: TreeNode, config: Config): string {
  const { attnTypeList, headDim, lightning, numAttentionHeads, numKeyValueHeads, numLocalExperts, numExpertsPerTok, hiddenSize } = config;
  const softmax = attnTypeList.filter((type) => type === 1).length;
  switch (node.kind) {
    case "model":
      return (
        `${attnTypeList.length} layers: ${attnTypeList.length - softmax} with lightning attention, whose state never grows, and ` +
        `${softmax} with softmax attention, whose cache grows with every token. Embedding and head are not part of the parameters ` +
        "that a token uses, as in published counts."
      );
    case "range":
      return "Consecutive layers with tensors of the same shapes.";
    case "layer":
      return (
        "Attention mixes information between tokens; then " +
        `${numLocalExperts > 0 ? "the router sends each token through a few experts" : "an MLP changes each token"}. ` +
        "Both have a norm and a residual connection."
      );
    case "expert":
      return (
        "A feed-forward network: w2 · (silu(w1 · x) ⊙ (w3 · x)). " +
        `The router chooses ${numExpertsPerTok} of ${numLocalExperts} experts for each token.`
      );
  }
  switch (node.block) {
    case "embedding":
      return `One vector of ${n(hiddenSize)} numbers for each token of the vocabulary.`;
    case "lightning":
      return (
        `Linear attention with decay. Each of the ${lightning.heads} heads keeps a state of ${lightning.headDim} × ${lightning.headDim} float32 numbers, ` +
        "whatever the length of the text."
      );
    case "softmax":
      return (
        `Attention over all earlier tokens. ${numAttentionHeads} query heads share ${numKeyValueHeads} heads of keys and values, which are ` +
        `kept for every token: ${n(2 * numKeyValueHeads * headDim)} numbers per token and layer.`
      );
    case "norm":
      return "RMS norm: scales a vector to unit root mean square, then by a learned weight per dimension.";
    case "router":
      return `Scores the experts; each token goes to the ${numExpertsPerTok} best of ${numLocalExperts}.`;
    case "expert":
      return `${numLocalExperts} feed-forward networks, of which each token uses ${numExpertsPerTok}. They hold most of the parameters.`;
    case "mlp":
      return "A feed-forward network that every token uses: down · (silu(gate · x) ⊙ (up · x)).";
    case "shared":
      return "A feed-forward network that every token uses, beside the chosen experts.";
    case "head":
      return "Turns the last hidden state into a score for each token of the vocabulary.";
    default:
      return "";
  }
}
