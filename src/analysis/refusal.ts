import { formatBytes, MemoryError } from "../base/errors.js";
import type { Graph } from "../model/graph.js";
import { gpus, usableBytes } from "./gpus.js";
import { most } from "./largest-fitting.js";
import { BLOCK_TOKENS } from "./memory.js";
import { memoryOf, place, replicasOf, sizes } from "./placement.js";
import type { Target } from "./target.js";

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

/** More of them no remedy asks for. */
const MOST = { nodes: 64, gpusPerNode: 16 } as const;

/** @throws {DeploymentError} always */
export function refuse(model: Graph, target: Target): never {
  const { gpu, gpusPerNode, nodes, utilization, concurrency, context } = target;
  const possible = sizes(model.config, target);
  const usable = usableBytes(gpu, utilization);
  const all = `${nodes * gpusPerNode} ${gpu.name} (${nodes} × ${gpusPerNode})`;
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
