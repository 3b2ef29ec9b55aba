import { formatBytes, MemoryError } from "../base/errors.js";
import type { Graph } from "../model/graph.js";
import { CACHE_BLOCK_TOKENS } from "./deployment-memory.js";
import type { DeploymentSettings } from "./deployment-target.js";
import { gpus, usableBytes } from "./gpus.js";
import { largestFitting } from "./largest-fitting.js";
import { memoryPerGpu, replicaCount, replicaSizes, smallestDeployment } from "./smallest-deployment.js";

/** A single change that makes a deployment fit. */
export interface Remedy {
  /** The option to change. `unifiedBytes` is the memory of a machine with unified memory. */
  readonly change: "weights" | "context" | "concurrency" | "nodes" | "gpusPerNode" | "gpu" | "ramBytes" | "unifiedBytes";
  /** The new value: a name, a number of tokens, sequences, nodes or GPUs, or bytes. */
  readonly value: string | number;
}

/** A deployment that does not fit into the given GPUs. */
export class DeploymentError extends MemoryError {
  override name = "DeploymentError";

  /** @param remedies computed changes, each of which is sufficient by itself; empty if no single change is sufficient */
  constructor(
    message: string,
    readonly remedies: readonly Remedy[],
  ) {
    super(message);
  }
}

/** The largest numbers that a remedy suggests. */
export const MAX_SUGGESTED = { nodes: 64, gpusPerNode: 16, gibibytes: 4096 } as const;

/** Throws the error for a deployment that does not fit, with the changes that would make it fit. @throws {DeploymentError} always */
export function throwDeploymentError(model: Graph, target: DeploymentSettings): never {
  const { gpu, gpusPerNode, nodes, utilization, concurrency, context } = target;
  const possible = replicaSizes(model.config, target);
  const usable = usableBytes(gpu, utilization);
  const hardware = `${nodes * gpusPerNode} ${gpu.name} (${nodes} × ${gpusPerNode})`;
  const needs = Math.min(
    ...possible.map((p) => memoryPerGpu(model, target, p, Math.ceil(concurrency / replicaCount(p, target))).totalBytes),
  );
  const found = remedies(model, target, possible);
  throw new DeploymentError(
    `plan: ${hardware}: ${describeRemedy({ change: "concurrency", value: concurrency })} of ${written(context)} tokens, ` +
      `weights in ${target.weights}: ` +
      `needs ${formatBytes(needs)} of each GPU, but only ${formatBytes(usable)} may be used (${listRemedies(found)})`,
    found,
  );
}

function remedies(model: Graph, target: DeploymentSettings, possible: readonly number[]): Remedy[] {
  const fits = (change: Partial<DeploymentSettings>) => smallestDeployment(model, { ...target, ...change }) !== undefined;
  const usable = usableBytes(target.gpu, target.utilization);
  const found: Remedy[] = [];
  if (target.weights === "bf16" && fits({ weights: "experts_int8" })) found.push({ change: "weights", value: "experts_int8" });

  const context = Math.max(
    ...possible.map((p) => {
      const sequences = Math.ceil(target.concurrency / replicaCount(p, target));
      return (
        CACHE_BLOCK_TOKENS *
        largestFitting(
          (blocks) => memoryPerGpu(model, target, p, sequences, blocks * CACHE_BLOCK_TOKENS).totalBytes <= usable,
          target.context / CACHE_BLOCK_TOKENS,
        )
      );
    }),
  );
  if (context > 0) found.push({ change: "context", value: context });

  const concurrency = Math.max(
    ...possible.map(
      (p) =>
        replicaCount(p, target) *
        largestFitting((sequences) => memoryPerGpu(model, target, p, sequences).totalBytes <= usable, target.concurrency),
    ),
  );
  if (concurrency > 0) found.push({ change: "concurrency", value: concurrency });

  for (const change of ["gpusPerNode", "nodes"] as const) {
    const more = Array.from({ length: MAX_SUGGESTED[change] }, (_, i) => i + 1).find(
      (value) => value > target[change] && fits({ [change]: value }),
    );
    if (more) found.push({ change, value: more });
  }
  const larger = gpus.find((gpu) => gpu.memoryMiB > target.gpu.memoryMiB && !gpu.caution && fits({ gpu }));
  if (larger) found.push({ change: "gpu", value: larger.name });
  return found;
}

/** Describes remedies in a message. */
export function listRemedies(found: readonly Remedy[]): string {
  return found.length > 0 ? `what would fit: ${found.map(describeRemedy).join("; or ")}` : "no single change would make it fit";
}

const written = (value: string | number) => (typeof value === "number" ? value.toLocaleString("en-US") : value);

/** Describes a remedy, with thousands separators and units. */
export function describeRemedy({ change, value }: Remedy): string {
  switch (change) {
    case "weights":
      return `weights in ${value}`;
    case "context":
      return `a context of ${written(value)} tokens`;
    case "concurrency":
      return value === 1 ? "1 sequence" : `${written(value)} sequences at a time`;
    case "gpusPerNode":
      return `${value} GPUs per node`;
    case "nodes":
      return `${value} nodes`;
    case "gpu":
      return `${value} GPUs`;
    case "ramBytes":
      return `${formatBytes(Number(value))} of host memory`;
    case "unifiedBytes":
      return `${formatBytes(Number(value))} of unified memory`;
  }
}
