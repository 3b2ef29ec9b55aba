import type { Config } from "../../src/model/config.js";
import { type GraphTensor, graph } from "../../src/model/graph.js";
import { type Reference, referenceForward, type Weight, type WeightMap } from "../reference/model.js";
import { roundTo, type StoredType } from "./number-formats.js";
import { type Random, random, randomIds } from "./random.js";
import { writeSafetensors } from "./safetensors.js";

const STORED: Readonly<Record<Config["dtype"], StoredType>> = { f32: "F32", f16: "F16", bf16: "BF16" };

/**
 * Returns random weights for every tensor of the graph. Each value is exact in the dtype in which it is stored. Matrices keep the variance
 * of their input, norm weights are close to 1, and router logits have standard deviation 2, so that the choice of experts is rarely close.
 */
export function randomWeights(config: Config, seed: number): Map<string, Weight> {
  const stream = random(seed);
  return new Map(
    graph(config).tensors.map((tensor) => {
      const size = tensor.shape.reduce((product, dim) => product * dim, 1);
      const data = Float64Array.from({ length: size }, () => roundTo(STORED[tensor.dtype], draw(tensor, stream)));
      return [tensor.name, { shape: tensor.shape, data }];
    }),
  );
}

function draw({ shape, block }: GraphTensor, { normal, uniform }: Random): number {
  const [, inputs] = shape;
  if (inputs === undefined) return 0.75 + uniform() / 2;
  if (block === "embedding") return normal();
  return ((block === "router" ? 2 : 1) * normal()) / Math.sqrt(inputs);
}

/** Returns a single-file checkpoint of these weights. Matrices have `dtype`, and routers the dtype that the dialect stores. */
export function checkpointBytes(config: Config, weights: WeightMap, dtype: Config["dtype"] = config.dtype): Uint8Array<ArrayBuffer> {
  return writeSafetensors(
    graph({ ...config, dtype }).tensors.map(({ name, dtype: stored }) => {
      const weight = weights.get(name);
      if (!weight) throw new Error(`checkpointBytes: ${name}: missing`);
      return [name, { dtype: STORED[stored], ...weight }];
    }),
  );
}

/** Returns the smallest gap, in logits, between the last expert that a token takes and the first one that it does not take. */
export function routingMargin(routerLogits: readonly Float64Array[], config: Config): number {
  const { numLocalExperts: experts, numExpertsPerTok: topK } = config;
  let margin = Infinity;
  for (const logits of routerLogits) {
    for (let token = 0; token < logits.length; token += experts) {
      const sorted = logits
        .slice(token, token + experts)
        .sort()
        .reverse();
      if (topK < experts) margin = Math.min(margin, sorted[topK - 1]! - sorted[topK]!);
    }
  }
  return margin;
}

/** Weights, inputs, and the results of the reference for them. */
export interface RandomCase {
  readonly config: Config;
  readonly weights: Map<string, Weight>;
  readonly ids: number[][];
  readonly expected: Reference;
}

/** Gap in router logits below which float32 could choose other experts than float64. It is five times the tolerance of a logit. */
export const ROUTING_MARGIN = 1e-3;

/** Returns a case whose routing does not change in float32. It is the first one from `seed` on with a margin of {@link ROUTING_MARGIN}. */
export function randomCase(config: Config, seed: number, lengths: readonly number[]): RandomCase {
  for (let attempt = seed; attempt < seed + 100; attempt++) {
    const weights = randomWeights(config, attempt);
    const ids = lengths.map((length, i) => randomIds(attempt + i, length, config.vocabSize));
    const expected = referenceForward(config, weights, ids);
    if (routingMargin(expected.routerLogits, config) >= ROUTING_MARGIN) return { config, weights, ids, expected };
  }
  throw new Error(`randomCase: no seed in ${seed} … ${seed + 99} routes clearly (fewer tokens, or fewer experts)`);
}
