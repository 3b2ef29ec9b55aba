// Memory, operations and GPUs of a model, computed by the library; beside them what a calculator says that charges every layer a key-value
// cache, because it does not know lightning attention.

import type { Graph } from "lightning-m1";
import {
  type CacheScheme,
  type DeploymentMemory,
  deploymentMemory,
  type Gpu,
  generationFlops,
  gpus,
  passFlops,
  tensorParallelSizes,
  usableBytes,
  type WeightScheme,
} from "lightning-m1/analysis";

export interface Demand {
  /** Tokens per sequence. */
  readonly context: number;
  /** Sequences at the same time. */
  readonly users: number;
  readonly weights: WeightScheme;
  readonly kv: CacheScheme;
}

/** Memory summed over all GPUs, in bytes, and operations. */
export interface Costs {
  readonly weights: number;
  readonly keyValues: number;
  readonly states: number;
  readonly total: number;
  /** Operations of a forward pass over the whole context of one sequence. */
  readonly prefillFlops: number;
  /** Operations of the next token after that context. */
  readonly tokenFlops: number;
  /** The fewest GPUs of each kind. Undefined if the GPUs that can share a model have no room for a single user. */
  readonly gpus: readonly { readonly gpu: Gpu; readonly needed: GpuCount | undefined }[];
}

/** Copies of the model, each on the same number of GPUs. The users are distributed over the copies. */
export interface GpuCount {
  readonly copies: number;
  readonly perCopy: number;
}

export interface Requirements {
  readonly exact: Costs;
  /** The same model if every layer had a key-value cache and softmax attention, with unchanged weights. */
  readonly everyLayerCached: Costs;
  /** Memory of both columns that is equal: the table of rotary angles, and the estimate of a forward pass. */
  readonly rotary: number;
  readonly forwardPass: number;
}

/** The share of a GPU's memory that a server may use, as in the deployment guide. */
export const UTILIZATION = 0.95;

/** The model with one type of attention in all layers, for the sizes of its caches. Without tensors, so that weights cost no time. */
export function withAttention({ config, ...graph }: Graph, type: 0 | 1): Graph {
  return { ...graph, config: { ...config, attnTypeList: config.attnTypeList.map(() => type) }, tensors: [] };
}

/** The model without tensors: caches do not depend on them. */
const withoutTensors = (graph: Graph): Graph => ({ ...graph, tensors: [] });

/** @throws {InputError} lengths or numbers out of range */
export function requirements(graph: Graph, { context, users, weights, kv }: Demand): Requirements {
  const options = { context, batch: users, weights, kv };
  const cachedEverywhere = withAttention(graph, 1);
  const sizes = tensorParallelSizes(graph.config);
  const exactOn = new Map(sizes.map((p) => [p, deploymentMemory(graph, { ...options, tensorParallel: p })]));
  const cachedOn = new Map(
    sizes.map((p) => [p, deploymentMemory(cachedEverywhere, { ...options, tensorParallel: p }).keyValueBytes] as const),
  );
  const totalIfCached = (p: number, { totalBytes, keyValueBytes, stateBytes }: DeploymentMemory) =>
    totalBytes - keyValueBytes - stateBytes + cachedOn.get(p)!;
  /** The memory of each of p GPUs for some of the users. The weights are known, and adding up all tensors again would take long. */
  const memoryFor = (model: Graph, p: number, batch: number) =>
    exactOn.get(p)!.weightsBytes + deploymentMemory(withoutTensors(model), { ...options, batch, tensorParallel: p }).totalBytes;
  const gpusFor = (memory: (p: number, batch: number) => number) =>
    gpus.map((gpu) => ({ gpu, needed: fewestGpus(sizes, users, (p, batch) => memory(p, batch) <= usableBytes(gpu, UTILIZATION)) }));

  const one = exactOn.get(1)!;
  const prefill = passFlops(graph, { tokens: context });
  const token = generationFlops(graph, { tokens: 1, past: context });
  const cachedPrefill = passFlops(cachedEverywhere, { tokens: context }).softmaxAttention;
  const cachedToken = generationFlops(cachedEverywhere, { tokens: 1, past: context }).softmaxAttention;
  return {
    exact: {
      weights: one.weightsBytes,
      keyValues: one.keyValueBytes,
      states: one.stateBytes,
      total: one.totalBytes,
      prefillFlops: prefill.total,
      tokenFlops: token.total,
      gpus: gpusFor((p, batch) => memoryFor(graph, p, batch)),
    },
    everyLayerCached: {
      weights: one.weightsBytes,
      keyValues: cachedOn.get(1)!,
      states: 0,
      total: totalIfCached(1, one),
      prefillFlops: prefill.total - prefill.lightningAttention - prefill.softmaxAttention + cachedPrefill,
      tokenFlops: token.total - token.lightningAttention - token.softmaxAttention + cachedToken,
      gpus: gpusFor((p, batch) => memoryFor(cachedEverywhere, p, batch)),
    },
    rotary: one.rotaryBytes,
    forwardPass: one.activationBytes,
  };
}

/** The fewest GPUs for all users, as copies on `p` GPUs for one of the sizes. */
function fewestGpus(sizes: readonly number[], users: number, fits: (p: number, batch: number) => boolean): GpuCount | undefined {
  let fewest: GpuCount | undefined;
  for (const perCopy of sizes) {
    const usersPerCopy = largest(users, (batch) => fits(perCopy, batch));
    if (usersPerCopy === 0) continue;
    const copies = Math.ceil(users / usersPerCopy);
    if (!fewest || copies * perCopy < fewest.copies * fewest.perCopy) fewest = { copies, perCopy };
  }
  return fewest;
}

/** The largest number up to a limit that fits, or 0. Every number below one that fits has to fit. */
function largest(limit: number, fits: (n: number) => boolean): number {
  if (fits(limit)) return limit;
  let [below, above] = [0, limit];
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (fits(middle)) below = middle;
    else above = middle;
  }
  return below;
}

/** Memory of the caches at one context length, in bytes. */
export interface CachePoint {
  readonly context: number;
  readonly hybrid: number;
  readonly softmax: number;
  readonly lightning: number;
}

/** The memory of keys, values and states for each context: of the model, and of the model with one type of attention in all layers. */
export function cacheCurves(graph: Graph, contexts: readonly number[], users: number, kv: CacheScheme): CachePoint[] {
  const models = { hybrid: withoutTensors(graph), softmax: withAttention(graph, 1), lightning: withAttention(graph, 0) };
  const cacheBytes = (model: Graph, context: number) => {
    const { keyValueBytes, stateBytes } = deploymentMemory(model, { context, batch: users, kv });
    return keyValueBytes + stateBytes;
  };
  return contexts.map((context) => ({
    context,
    hybrid: cacheBytes(models.hybrid, context),
    softmax: cacheBytes(models.softmax, context),
    lightning: cacheBytes(models.lightning, context),
  }));
}
