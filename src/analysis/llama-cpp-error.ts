import { formatBytes } from "../base/errors.js";
import type { Graph } from "../model/graph.js";
import {
  DeploymentError,
  describeRemedy,
  firstFitting,
  listRemedies,
  MAX_SUGGESTED,
  mostFitting,
  type Remedy,
  upTo,
} from "./deployment-error.js";
import { ggufFormats } from "./gguf-tensors.js";
import { gpus, usableBytes } from "./gpus.js";
import { largestFitting } from "./largest-fitting.js";
import { CACHE_PAD_TOKENS } from "./llama-cpp.js";
import { modelBytes } from "./llama-cpp-memory.js";
import type { LlamaCppSettings } from "./llama-cpp-target.js";
import { smallestLlamaCppDeployment, total } from "./plan-llama-cpp.js";

const GIB = 2 ** 30;

/** Throws the error for a deployment that does not fit, with the changes that would make it fit. @throws {DeploymentError} always */
export function throwLlamaCppError(model: Graph, target: LlamaCppSettings): never {
  const { gpu, gpusPerNode, ramBytes, unified, utilization, concurrency, context, weights } = target;
  const bytes = modelBytes(model, target);
  const onHost = ramBytes === undefined && !unified ? 0 : bytes.embedding + bytes.checkpoints;
  const needed = bytes.layers.reduce((sum, layer) => sum + total(layer), onHost + Math.max(1, gpusPerNode) * bytes.activations);
  const usable = gpusPerNode * usableBytes(gpu, utilization) + Math.floor((ramBytes ?? 0) * utilization);
  const hardware = [
    ...(gpusPerNode > 0 ? [unified ? gpu.name : `${gpusPerNode} ${gpu.name}`] : []),
    ...(ramBytes === undefined ? [] : [`${formatBytes(ramBytes)} of host memory`]),
  ].join(" and ");
  const found = remedies(model, target);
  throw new DeploymentError(
    `plan: llama.cpp on ${hardware}: ${describeRemedy({ change: "concurrency", value: concurrency })} of ` +
      `${context.toLocaleString("en-US")} tokens, weights in ${weights}: needs ${formatBytes(needed)}, and ` +
      `whole layers on each device, but only ${formatBytes(usable)} may be used (${listRemedies(found)})`,
    found,
  );
}

function remedies(model: Graph, target: LlamaCppSettings): Remedy[] {
  const { unified, gpusPerNode, gpu, ramBytes, utilization, weights, context, concurrency } = target;
  const fits = ({ change, value }: Remedy) => {
    const changed =
      change === "gpu"
        ? { gpu: gpus.find(({ name }) => name === value)! }
        : change === "unifiedBytes"
          ? { gpu: { ...gpu, memoryMiB: Number(value) / 2 ** 20 } }
          : { [change]: value };
    return smallestLlamaCppDeployment(model, { ...target, ...changed }) !== undefined;
  };
  const others = unified || gpusPerNode === 0 ? [] : gpus.filter(({ memoryMiB }) => memoryMiB > gpu.memoryMiB);
  // The memory of the host is computed, because a search by bisection needs a limit.
  const { hostMemory } = smallestLlamaCppDeployment(model, { ...target, ramBytes: Number.MAX_SAFE_INTEGER }) ?? {};
  const hostBytes = Math.ceil((hostMemory?.totalBytes ?? 0) / utilization / GIB) * GIB;
  const machine =
    GIB * (1 + (unified ? largestFitting((gib) => !fits({ change: "unifiedBytes", value: gib * GIB }), MAX_SUGGESTED.gibibytes) : 0));
  return [
    ...firstFitting("weights", ggufFormats.slice(ggufFormats.indexOf(weights) + 1), fits),
    ...mostFitting("context", context, fits, CACHE_PAD_TOKENS),
    ...mostFitting("concurrency", concurrency, fits),
    ...firstFitting("gpusPerNode", unified || gpusPerNode === 0 ? [] : upTo(MAX_SUGGESTED.gpusPerNode, gpusPerNode), fits),
    ...firstFitting(
      "gpu",
      others.map(({ name }) => name),
      fits,
    ),
    ...firstFitting("unifiedBytes", unified ? [machine] : [], fits),
    ...firstFitting("ramBytes", unified || hostBytes <= (ramBytes ?? 0) ? [] : [hostBytes], fits),
  ];
}
