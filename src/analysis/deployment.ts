// Which GPUs share the model, and whether it fits. A replica is p GPUs that share every layer: within a node, or of whole nodes. The smallest p
// that fits is taken, because what is left over makes more replicas; vLLM has no pipeline parallelism for this architecture.

import * as v from "valibot";
import type { Config } from "../model/config.js";
import { type Graph, graph } from "../model/graph.js";
import { formatBytes, InputError, MemoryError } from "../runtime/errors.js";
import { count, flag, number, parseOptions, text, word } from "../runtime/options.js";
import { type Gpu, gpus, usableBytes } from "./gpus.js";
import { BLOCK_TOKENS, type CacheScheme, type DeploymentMemory, defaultContext, deploymentMemory, isGraph } from "./memory.js";
import { tensorParallelSizes } from "./parallel.js";

export interface DeploymentTarget {
  /** A name of {@link gpus}, or any other kind ("H800"). */
  gpu?: string | Gpu;
  /** 8 by default. */
  gpusPerNode?: number;
  /** 1 by default. */
  nodes?: number;
  /** Tokens that each sequence may reach; by default 131,072, or as many as the model knows if that is fewer. */
  context?: number;
  /** Sequences at a time that all may reach it, over all replicas (1). */
  concurrency?: number;
  /** As vLLM is told: `"experts_int8"` by default. */
  weights?: "bf16" | "experts_int8";
  /** `"bf16"` by default. */
  kv?: CacheScheme;
  /** Share of each GPU's memory that vLLM may use (0.95). */
  utilization?: number;
  /** Most tokens of one pass (8,192). */
  passTokens?: number;
  /** Every GPU holds whole experts instead of a part of each. */
  expertParallel?: boolean;
  /** Hub id or absolute path that the server loads ("MiniMaxAI/MiniMax-M1-80k"). */
  served?: string;
}

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

/** A change by which a deployment would fit, all else as it is. */
export interface Remedy {
  readonly change: "weights" | "context" | "concurrency" | "nodes" | "gpusPerNode" | "gpu";
  readonly value: string | number;
}

/** A deployment that does not fit. */
export class DeploymentError extends MemoryError {
  override name = "DeploymentError";

  /** @param remedies each computed, each enough by itself; none if there is none */
  constructor(
    message: string,
    readonly remedies: readonly Remedy[],
  ) {
    super(message);
  }
}

const fraction = number("a number within (0, 1]", (x) => x > 0 && x <= 1);

const kind = v.union(
  [
    v.pipe(
      v.custom<string>((x) => gpus.some(({ name }) => name === x)),
      v.transform((name) => gpus.find((gpu) => gpu.name === name)!),
    ),
    v.strictObject({
      name: text,
      memoryMiB: count,
      resource: v.optional(word("nvidia.com/gpu", "amd.com/gpu"), "nvidia.com/gpu"),
      caution: v.optional(text),
    }),
  ],
  `${gpus.map(({ name }) => JSON.stringify(name)).join(", ")} or { name, memoryMiB }`,
);

const schema = v.strictObject({
  gpu: v.optional(kind, "H800"),
  gpusPerNode: v.optional(count, 8),
  nodes: v.optional(count, 1),
  context: v.optional(count),
  concurrency: v.optional(count, 1),
  weights: v.optional(word("bf16", "experts_int8"), "experts_int8"),
  kv: v.optional(word("bf16", "fp8"), "bf16"),
  utilization: v.optional(fraction, 0.95),
  passTokens: v.optional(count, 8192),
  expertParallel: v.optional(flag, false),
  served: v.optional(text, "MiniMaxAI/MiniMax-M1-80k"),
});

type Target = v.InferOutput<typeof schema> & { context: number };

/** More of them no remedy asks for. */
const MOST = { nodes: 64, gpusPerNode: 16 } as const;

/**
 * A deployment on the given GPUs that holds `concurrency` sequences of `context` tokens at a time.
 *
 * @param model a configuration (typed, or the JSON of a `config.json`), or its graph
 * @throws {DeploymentError} it does not fit; the message and `remedies` say what would
 * @throws {InputError} a target that contradicts itself or the model
 */
export function planDeployment(model: Graph | Config | Record<string, unknown>, target: DeploymentTarget = {}): Deployment {
  const known = isGraph(model) ? model : graph(model);
  const given = parseOptions(schema, target, "plan");
  const asked: Target = { ...given, context: given.context ?? defaultContext(known.config) };
  check(known.config, asked);
  return place(known, asked) ?? refuse(known, asked);
}

function check({ maxPositionEmbeddings, numLocalExperts }: Config, { context, expertParallel, served }: Target): void {
  if (context > maxPositionEmbeddings) {
    throw new InputError(`plan: context: expected at most ${maxPositionEmbeddings} (max_position_embeddings), got ${context}`);
  }
  if (!/^[\w/.][\w./:@-]*$/.test(served)) {
    throw new InputError(`plan: served: expected a hub id or a path without spaces and quotes, got ${JSON.stringify(served)}`);
  }
  if (expertParallel && numLocalExperts === 1) throw new InputError("plan: expertParallel: expected more than one expert, got 1");
}

/** Numbers of GPUs that can make a replica: they divide the model, and a node, or are whole nodes. */
function sizes(config: Config, { gpusPerNode, nodes, expertParallel }: Target): number[] {
  return tensorParallelSizes(config).filter(
    (p) =>
      p <= gpusPerNode * nodes && (gpusPerNode % p === 0 || p % gpusPerNode === 0) && (!expertParallel || config.numLocalExperts % p === 0),
  );
}

function replicasOf(p: number, { gpusPerNode, nodes }: Target): number {
  return p < gpusPerNode ? nodes * (gpusPerNode / p) : Math.floor(nodes / (p / gpusPerNode));
}

/** vLLM wants to be able to decode every sequence in one pass. */
function tokensOfPass({ passTokens }: Target, sequences: number): number {
  return Math.max(passTokens, sequences);
}

function memoryOf(model: Graph, target: Target, tensorParallel: number, batch: number, context = target.context): DeploymentMemory {
  const { weights, kv } = target;
  return deploymentMemory(model, { weights, kv, passTokens: tokensOfPass(target, batch), tensorParallel, batch, context });
}

function place(model: Graph, target: Target): Deployment | undefined {
  const { gpu, gpusPerNode, concurrency, weights, kv, context, utilization, expertParallel, served } = target;
  const usable = usableBytes(gpu, utilization);
  for (const tensorParallel of sizes(model.config, target)) {
    const replicas = replicasOf(tensorParallel, target);
    const sequences = Math.ceil(concurrency / replicas);
    const memory = memoryOf(model, target, tensorParallel, sequences);
    if (memory.totalBytes > usable) continue;
    const nodesPerReplica = Math.ceil(tensorParallel / gpusPerNode);
    const blocks = Math.ceil(context / BLOCK_TOKENS) * sequences;
    const blockBytes = memory.keyValueBytes / blocks;
    const free = memory.keyValueBytes + usable - memory.totalBytes;
    return {
      served,
      gpu,
      weights,
      kv,
      context,
      utilization,
      passTokens: tokensOfPass(target, sequences),
      expertParallel,
      tensorParallel,
      gpusPerNode,
      nodesPerReplica,
      replicas,
      sequences,
      memory,
      usableBytes: usable,
      cacheTokens: blockBytes > 0 ? Math.floor(free / blockBytes) * BLOCK_TOKENS : Number.MAX_SAFE_INTEGER,
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

function refuse(model: Graph, target: Target): never {
  const { gpu, gpusPerNode, nodes, utilization, concurrency, context } = target;
  const possible = sizes(model.config, target);
  const usable = usableBytes(gpu, utilization);
  const all = `${nodes * gpusPerNode} ${gpu.name} (${nodes} × ${gpusPerNode})`;
  if (possible.length === 0) {
    throw new InputError(`plan: gpusPerNode: expected a number that shares or divides the model's heads and experts, got ${gpusPerNode}`);
  }
  const needs = Math.min(...possible.map((p) => memoryOf(model, target, p, Math.ceil(concurrency / replicasOf(p, target))).totalBytes));
  const found = remedies(model, target, possible);
  const would = found.length > 0 ? `what would: ${found.map(inWords).join("; or ")}` : "no single change would do";
  throw new DeploymentError(
    `plan: ${all}: ${inWords({ change: "concurrency", value: concurrency })} of ${context} tokens, weights in ${target.weights}: ` +
      `needs ${formatBytes(needs)} of each GPU, ${formatBytes(usable)} may be used (${would})`,
    found,
  );
}

function remedies(model: Graph, target: Target, possible: readonly number[]): Remedy[] {
  const fits = (change: Partial<Target>) => place(model, { ...target, ...change }) !== undefined;
  const usable = usableBytes(target.gpu, target.utilization);
  const found: Remedy[] = [];
  if (target.weights === "bf16" && fits({ weights: "experts_int8" })) found.push({ change: "weights", value: "experts_int8" });

  const context = Math.max(
    ...possible.map((p) => {
      const sequences = Math.ceil(target.concurrency / replicasOf(p, target));
      return (
        BLOCK_TOKENS *
        most((blocks) => memoryOf(model, target, p, sequences, blocks * BLOCK_TOKENS).totalBytes <= usable, target.context / BLOCK_TOKENS)
      );
    }),
  );
  if (context > 0) found.push({ change: "context", value: context });

  const concurrency = Math.max(
    ...possible.map(
      (p) => replicasOf(p, target) * most((sequences) => memoryOf(model, target, p, sequences).totalBytes <= usable, target.concurrency),
    ),
  );
  if (concurrency > 0) found.push({ change: "concurrency", value: concurrency });

  for (const change of ["gpusPerNode", "nodes"] as const) {
    const more = Array.from({ length: MOST[change] }, (_, i) => i + 1).find((value) => value > target[change] && fits({ [change]: value }));
    if (more) found.push({ change, value: more });
  }
  const larger = gpus.find((gpu) => gpu.memoryMiB > target.gpu.memoryMiB && !gpu.caution && fits({ gpu }));
  if (larger) found.push({ change: "gpu", value: larger.name });
  return found;
}

/** The largest integer within [0, limit] that fits, where everything below one that fits does too. */
function most(fits: (x: number) => boolean, limit: number): number {
  let [below, above] = [0, Math.floor(limit) + 1];
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (fits(middle)) below = middle;
    else above = middle;
  }
  return below;
}

function inWords({ change, value }: Remedy): string {
  switch (change) {
    case "weights":
      return `weights in ${value}`;
    case "context":
      return `a context of ${value} tokens`;
    case "concurrency":
      return value === 1 ? "1 sequence" : `${value} sequences at a time`;
    case "gpusPerNode":
      return `${value} GPUs per node`;
    case "nodes":
      return `${value} nodes`;
    case "gpu":
      return `${value} GPUs`;
  }
}
