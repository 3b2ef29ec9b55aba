import { WeightError } from "../base/errors.js";
import { INDEX_FILE } from "../io/checkpoint-files.js";
import type { Config, Dialect } from "../model/config.js";
import type { Graph, GraphTensor } from "../model/graph.js";
import type { StoredDType, WeightSpec } from "../weights/weights.js";
import type { Shard, StoredTensor } from "./shards.js";

/** A parameter of the model and the stored tensor that holds it. */
export interface MatchedWeight {
  readonly spec: WeightSpec & Pick<GraphTensor, "block" | "layer">;
  readonly stored: StoredTensor;
}

const DTYPES: Readonly<Record<string, StoredDType>> = { F32: "f32", F16: "f16", BF16: "bf16" };

/** Maximum number of faults of one kind that a message names. Further faults are only counted. */
const MAX_NAMED_FAULTS = 3;

/**
 * Matches the tensors of a checkpoint with the parameters of the model's graph.
 *
 * @param shards the files. They show which tensors the index does not list
 * @returns the weights in the graph's order, and the stored tensors that no computation uses. These are buffers that transformers derives
 *   from the configuration, and a stored head if the configuration ties the head to the embedding
 * @throws {WeightError} tensors that are missing, superfluous, of another shape, or of an unsupported dtype
 */
export function matchWeights(
  graph: Graph,
  stored: ReadonlyMap<string, StoredTensor>,
  shards: readonly Shard[] = [],
): { weights: MatchedWeight[]; buffers: StoredTensor[] } {
  const expected = new Map(graph.tensors.map((tensor) => [tensor.name, tensor]));
  const others = [...stored.values()].filter(({ name }) => !expected.has(name));
  const buffers = others.filter((tensor) => isBuffer(tensor, graph.config));
  const extra = others.filter((tensor) => !isBuffer(tensor, graph.config)).map(({ name }) => name);
  const missing = graph.tensors.filter(({ name }) => !stored.has(name));
  const unlisted = new Map(shards.flatMap(({ file, unlisted }) => unlisted.map(({ name }) => [name, file])));
  throwIfAny(missing, (tensor) => {
    const file = unlisted.get(tensor.name);
    const hint = file ? ` (it is in ${file}, but ${INDEX_FILE} does not list it)` : missingWeightHint(tensor, graph.config, extra, stored);
    return `${tensor.name}: missing${hint}`;
  });
  throwIfAny(extra, (name) => `${name}: not a weight of this model${extraWeightHint(name, graph.config)}`);
  const weights = graph.tensors.map(({ name, shape, block, layer }) => ({ name, shape, block, layer, stored: stored.get(name)! }));
  throwIfAny(
    weights.filter(({ shape, stored }) => shape.join() !== stored.shape.join()),
    ({ name, shape, stored }) =>
      `${name}: expected [${shape.join(", ")}], got [${stored.shape.join(", ")}] (check that the configuration belongs to these weights)`,
  );
  throwIfAny(
    weights.filter(({ stored }) => !Object.hasOwn(DTYPES, stored.dtype)),
    ({ name, stored }) => `${name}: expected F32, F16 or BF16, got ${stored.dtype} (use a checkpoint that is not quantised)`,
  );
  return { weights: weights.map(({ stored, ...named }) => ({ spec: { ...named, dtype: DTYPES[stored.dtype]! }, stored })), buffers };
}

/** Returns whether a tensor may be stored although it is not a parameter. */
function isBuffer({ name, shape }: StoredTensor, config: Config): boolean {
  if (config.tieWordEmbeddings && name === "lm_head.weight") return shape.join() === [config.vocabSize, config.hiddenSize].join();
  const layer = /^model\.layers\.(\d+)\.self_attn\.(slope_rate|query_decay|key_decay|diagonal_decay)$/.exec(name)?.[1];
  return config.dialect === "minimax" && layer !== undefined && Number(layer) < config.numHiddenLayers;
}

/** Throws one error for all faults. @throws {WeightError} if there are faults */
function throwIfAny<T>(faults: readonly T[], describe: (fault: T) => string): void {
  if (faults.length === 0) return;
  const rest = faults.length - MAX_NAMED_FAULTS;
  throw new WeightError(faults.slice(0, MAX_NAMED_FAULTS).map(describe).join("; ") + (rest > 0 ? `; and ${rest} more` : ""));
}

function missingWeightHint(
  { name, block, layer }: GraphTensor,
  config: Config,
  extra: readonly string[],
  stored: ReadonlyMap<string, unknown>,
): string {
  const near = nearestName(name, extra.length > 0 ? extra : [...stored.keys()]);
  const hints = near === undefined ? [] : [`; nearest is ${near}`];
  if ((block === "lightning" || block === "softmax") && extra.some((other) => other.startsWith(`model.layers.${layer}.self_attn.`))) {
    hints.push(` (layer ${layer} is ${block}: check ${LAYER_TYPE_KEYS[config.dialect]})`);
  } else if (name === "lm_head.weight") hints.push(" (if the model has no head of its own, set tie_word_embeddings to true)");
  else if (layer !== undefined && ![...stored.keys()].some((other) => other.startsWith(`model.layers.${layer}.`))) {
    hints.push(` (these files have no layer ${layer}: check num_hidden_layers, or give the whole checkpoint)`);
  }
  return hints.join("");
}

/** The keys that give the attention type of each layer. */
const LAYER_TYPE_KEYS: Readonly<Record<Dialect, string>> = {
  minimax_m1: "attn_type_list",
  minimax: "layer_types",
  hypenet: "mixer_types",
};

/** Switches of HypeNet's configuration that add weights, by the name of the weight. */
const HYPENET_SWITCHES: readonly (readonly [RegExp, string])[] = [
  [/\.self_attn\.z_proj\./, "lightning_use_output_gate"],
  [/\.self_attn\.o_norm\./, "lightning_use_output_norm"],
  [/\.self_attn\.[qk]_norm\./, "lightning_use_qk_norm"],
  [/\.self_attn\.o_gate\./, "attn_use_output_gate"],
];

function hypeNetHint(name: string): string {
  const key = HYPENET_SWITCHES.find(([pattern]) => pattern.test(name))?.[1];
  return ` (check ${key ? `mixer_types and ${key}` : "that the configuration belongs to these weights"})`;
}

function extraWeightHint(name: string, config: Config): string {
  const layer = Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? 0);
  const expert = Number(/\.experts\.(\d+)\./.exec(name)?.[1] ?? 0);
  if (layer >= config.numHiddenLayers) return ` (check num_hidden_layers, ${config.numHiddenLayers})`;
  if (config.dialect === "hypenet") return hypeNetHint(name);
  if (expert >= config.numLocalExperts) return ` (check num_local_experts, ${config.numLocalExperts})`;
  if (/\.(shared_mlp|coefficient)\./.test(name)) return " (check shared_intermediate_size, 0)";
  return " (check that the configuration belongs to these weights)";
}

/** Returns the candidate with the smallest edit distance to a name. */
function nearestName(name: string, candidates: readonly string[]): string | undefined {
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    if (best && Math.abs(candidate.length - name.length) >= best.distance) continue;
    const distance = editDistance(name, candidate);
    if (!best || distance < best.distance) best = { candidate, distance };
  }
  return best?.candidate;
}

/** Computes the Levenshtein distance row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
