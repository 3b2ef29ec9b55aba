// Finds the smallest replica that fits. A replica consists of p GPUs that share every layer, either within a node or on whole nodes. The
// smallest p is best, because the remaining GPUs become further replicas. vLLM has no pipeline parallelism for this architecture.

import type { Config } from "../model/config.js";
import type { Block, Graph } from "../model/graph.js";
import { type DecodeRate, decodeRate } from "./decode-rate.js";
import { CACHE_BLOCK_TOKENS, type CacheScheme, type DeploymentMemory, deploymentMemory } from "./deployment-memory.js";
import type { DeploymentSettings } from "./deployment-target.js";
import { type Gpu, usableBytes } from "./gpus.js";
import { tensorParallelSizes } from "./tensor-parallel.js";

/** A plan of how to serve a model. */
export interface Deployment {
  readonly served: string;
  readonly gpu: Gpu;
  readonly weights: "bf16" | "experts_int8";
  readonly kv: CacheScheme;
  readonly context: number;
  readonly utilization: number;
  readonly passTokens: number;
  readonly expertParallel: boolean;
  /** GPUs per replica. They share every layer. */
  readonly tensorParallel: number;
  readonly gpusPerNode: number;
  /** Nodes per replica. */
  readonly nodesPerReplica: number;
  /** Number of replicas, which are independent servers. */
  readonly replicas: number;
  /** Concurrent sequences per replica. */
  readonly sequences: number;
  /** Memory that the plan needs on each GPU. */
  readonly memory: DeploymentMemory;
  /** Memory of each GPU that the server may use. */
  readonly usableBytes: number;
  /** Total number of tokens, over all sequences, that fit into the cache of a replica. */
  readonly cacheTokens: number;
  /** Absent if the bandwidth of the GPU is not known. */
  readonly decode?: DecodeRate;
  /** Warnings about the plan. */
  readonly notes: readonly string[];
}

/**
 * Returns the possible numbers of GPUs per replica, ascending. Each of them divides the model, and either divides a node or is a multiple
 * of a node.
 */
export function replicaSizes(config: Config, { gpusPerNode, nodes, expertParallel }: DeploymentSettings): number[] {
  return tensorParallelSizes(config).filter(
    (p) =>
      p <= gpusPerNode * nodes && (gpusPerNode % p === 0 || p % gpusPerNode === 0) && (!expertParallel || config.numLocalExperts % p === 0),
  );
}

/** Returns the number of replicas of p GPUs that fit on the nodes. */
export function replicaCount(p: number, { gpusPerNode, nodes }: DeploymentSettings): number {
  return p < gpusPerNode ? nodes * (gpusPerNode / p) : Math.floor(nodes / (p / gpusPerNode));
}

/**
 * Returns the maximum number of tokens per forward pass. It is at least one per sequence, because vLLM decodes all sequences in one pass.
 */
function tokensPerPass({ passTokens }: DeploymentSettings, sequences: number): number {
  return Math.max(passTokens, sequences);
}

/** Computes the memory of each GPU if `tensorParallel` of them serve `batch` sequences. */
export function memoryPerGpu(
  model: Graph,
  target: DeploymentSettings,
  tensorParallel: number,
  batch: number,
  context = target.context,
): DeploymentMemory {
  const { weights, kv } = target;
  return deploymentMemory(model, { weights, kv, passTokens: tokensPerPass(target, batch), tensorParallel, batch, context });
}

/** Returns the deployment with the smallest replicas that fit. Returns undefined if none fits. */
export function smallestDeployment(model: Graph, target: DeploymentSettings): Deployment | undefined {
  const { gpu, gpusPerNode, concurrency, weights, kv, context, utilization, expertParallel, served } = target;
  const usable = usableBytes(gpu, utilization);
  for (const tensorParallel of replicaSizes(model.config, target)) {
    const replicas = replicaCount(tensorParallel, target);
    const sequences = Math.ceil(concurrency / replicas);
    const memory = memoryPerGpu(model, target, tensorParallel, sequences);
    if (memory.totalBytes > usable) continue;
    const nodesPerReplica = Math.ceil(tensorParallel / gpusPerNode);
    const blocks = Math.ceil(context / CACHE_BLOCK_TOKENS) * sequences;
    const blockBytes = memory.keyValueBytes / blocks;
    const decode = decodeRateOf(model, target, tensorParallel, sequences, memory);
    const free = memory.keyValueBytes + usable - memory.totalBytes;
    return {
      served,
      gpu,
      weights,
      kv,
      context,
      utilization,
      passTokens: tokensPerPass(target, sequences),
      expertParallel,
      tensorParallel,
      gpusPerNode,
      nodesPerReplica,
      replicas,
      sequences,
      memory,
      usableBytes: usable,
      cacheTokens: blockBytes > 0 ? Math.floor(free / blockBytes) * CACHE_BLOCK_TOKENS : sequences * context,
      ...(decode && { decode }),
      notes: notes(model.config, gpu, nodesPerReplica),
    };
  }
  return undefined;
}

/** Estimates the speed of a replica. Its GPUs work at the same time, so the bytes of one of them count. */
function decodeRateOf(
  model: Graph,
  { gpu, weights, context }: DeploymentSettings,
  tensorParallel: number,
  batch: number,
  { weightsBytes, keyValueBytes, stateBytes }: DeploymentMemory,
): DecodeRate | undefined {
  const bytesOf = (part: Block) => {
    const tensors = model.tensors.filter(({ block }) => block === part);
    return deploymentMemory({ ...model, tensors }, { weights, tensorParallel, context }).weightsBytes;
  };
  const experts = bytesOf("expert");
  const [sequences, rest] = [keyValueBytes + 2 * stateBytes, weightsBytes - experts - bytesOf("embedding")];
  return decodeRate([{ weights: rest, experts, sequences, bandwidth: gpu.bandwidth }], { config: model.config, sequences: batch });
}

function notes({ dialect }: Config, { name, caution }: Gpu, nodesPerReplica: number): string[] {
  return [
    ...(caution ? [`${name}: ${caution}`] : []),
    ...(nodesPerReplica > 1
      ? [`every layer crosses ${nodesPerReplica} nodes, so their network limits the speed (use InfiniBand or RoCE with GPUDirect RDMA)`]
      : []),
    ...(dialect === "minimax"
      ? ["this checkpoint is in transformers' dialect: check that this version of vLLM reads it (it reads MiniMax's own dialect)"]
      : []),
  ];
}
