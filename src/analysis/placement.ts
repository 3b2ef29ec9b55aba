// Which GPUs share the model, and whether it fits. A replica is p GPUs that share every layer: within a node, or of whole nodes. The smallest p
// that fits is taken, because what is left over makes more replicas; vLLM has no pipeline parallelism for this architecture.

import type { Config } from "../model/config.js";
import type { Graph } from "../model/graph.js";
import { CACHE_BLOCK_TOKENS, type CacheScheme, type DeploymentMemory, deploymentMemory } from "./deployment-memory.js";
import type { DeploymentSettings } from "./deployment-target.js";
import { type Gpu, usableBytes } from "./gpus.js";
import { tensorParallelSizes } from "./tensor-parallel.js";

/** How a model is served. */
export interface Deployment {
  readonly served: string;
  readonly gpu: Gpu;
  readonly weights: "bf16" | "experts_int8";
  readonly kv: CacheScheme;
  readonly context: number;
  readonly utilization: number;
  readonly passTokens: number;
  readonly expertParallel: boolean;
  /** GPUs of a replica. They share every layer. */
  readonly tensorParallel: number;
  readonly gpusPerNode: number;
  /** Nodes that one replica spans. */
  readonly nodesPerReplica: number;
  /** Servers that answer side by side. */
  readonly replicas: number;
  /** Sequences at a time in each of them. */
  readonly sequences: number;
  /** What each GPU holds. */
  readonly memory: DeploymentMemory;
  /** What each GPU may hold. */
  readonly usableBytes: number;
  /** Tokens of all sequences of a replica together for which there is room. */
  readonly cacheTokens: number;
  /** What to know before relying on it. */
  readonly notes: readonly string[];
}

/** Numbers of GPUs that can make a replica, ascending: they divide the model, and a node, or are whole nodes. */
export function replicaSizes(config: Config, { gpusPerNode, nodes, expertParallel }: DeploymentSettings): number[] {
  return tensorParallelSizes(config).filter(
    (p) =>
      p <= gpusPerNode * nodes && (gpusPerNode % p === 0 || p % gpusPerNode === 0) && (!expertParallel || config.numLocalExperts % p === 0),
  );
}

/** Replicas of p GPUs that the nodes hold. */
export function replicaCount(p: number, { gpusPerNode, nodes }: DeploymentSettings): number {
  return p < gpusPerNode ? nodes * (gpusPerNode / p) : Math.floor(nodes / (p / gpusPerNode));
}

/** vLLM wants to be able to decode every sequence in one pass. */
function tokensPerPass({ passTokens }: DeploymentSettings, sequences: number): number {
  return Math.max(passTokens, sequences);
}

/** What each GPU holds when p of them serve `batch` sequences. */
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

/** The deployment with the smallest replicas that fit, if any do. */
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
      notes: notes(model.config, gpu, nodesPerReplica),
    };
  }
  return undefined;
}

function notes({ dialect }: Config, { name, caution }: Gpu, nodesPerReplica: number): string[] {
  return [
    ...(caution ? [`${name}: ${caution}`] : []),
    ...(nodesPerReplica > 1
      ? [`every layer crosses ${nodesPerReplica} nodes: as fast as their network is (InfiniBand or RoCE with GPUDirect RDMA)`]
      : []),
    ...(dialect === "minimax"
      ? ["a checkpoint in transformers' dialect: check that this vLLM reads it; MiniMax's own dialect it does"]
      : []),
  ];
}
