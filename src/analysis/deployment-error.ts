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
  const found = remedies(model, target);
  throw new DeploymentError(
    `plan: ${hardware}: ${describeRemedy({ change: "concurrency", value: concurrency })} of ${written(context)} tokens, ` +
      `weights in ${target.weights}: ` +
      `needs ${formatBytes(needs)} of each GPU, but only ${formatBytes(usable)} may be used (${listRemedies(found)})`,
    found,
  );
}

function remedies(model: Graph, target: DeploymentSettings): Remedy[] {
  const fits = ({ change, value }: Remedy) => {
    const other = change === "gpu" ? gpus.find(({ name }) => name === value) : value;
    return smallestDeployment(model, { ...target, [change]: other }) !== undefined;
  };
  const larger = gpus.filter(({ memoryMiB, caution }) => memoryMiB > target.gpu.memoryMiB && !caution);
  return [
    ...firstFitting("weights", target.weights === "bf16" ? ["experts_int8"] : [], fits),
    ...mostFitting("context", target.context, fits, CACHE_BLOCK_TOKENS),
    ...mostFitting("concurrency", target.concurrency, fits),
    ...firstFitting("gpusPerNode", upTo(MAX_SUGGESTED.gpusPerNode, target.gpusPerNode), fits),
    ...firstFitting("nodes", upTo(MAX_SUGGESTED.nodes, target.nodes), fits),
    ...firstFitting(
      "gpu",
      larger.map(({ name }) => name),
      fits,
    ),
  ];
}

/** Returns the integers above `from`, up to `most`. */
export function upTo(most: number, from: number): number[] {
  return Array.from({ length: Math.max(0, most - from) }, (_, i) => from + 1 + i);
}

/** Returns the first value of an option that fits, as a list of at most one remedy. */
export function firstFitting(change: Remedy["change"], values: readonly (string | number)[], fits: (remedy: Remedy) => boolean): Remedy[] {
  const value = values.find((one) => fits({ change, value: one }));
  return value === undefined ? [] : [{ change, value }];
}

/** Returns the largest multiple of `step` below `limit` that fits, as a list of at most one remedy. */
export function mostFitting(change: Remedy["change"], limit: number, fits: (remedy: Remedy) => boolean, step = 1): Remedy[] {
  const value = step * largestFitting((n) => n === 0 || fits({ change, value: n * step }), (limit - 1) / step);
  return value > 0 ? [{ change, value }] : [];
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
