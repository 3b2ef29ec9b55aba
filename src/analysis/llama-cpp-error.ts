import { formatBytes } from "../base/errors.js";
import type { Graph } from "../model/graph.js";
import { DeploymentError, describeRemedy, listRemedies, MAX_SUGGESTED, type Remedy } from "./deployment-error.js";
import { ggufFormats } from "./gguf-tensors.js";
import { gpus, usableBytes } from "./gpus.js";
import { largestFitting } from "./largest-fitting.js";
import { MAX_SEQUENCES } from "./llama-cpp.js";
import { cacheCellsOf, modelBytes } from "./llama-cpp-memory.js";
import type { LlamaCppSettings } from "./llama-cpp-target.js";
import { smallestLlamaCppDeployment, total } from "./plan-llama-cpp.js";

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
  const planned = (change: Partial<LlamaCppSettings>) => smallestLlamaCppDeployment(model, { ...target, ...change });
  const fits = (change: Partial<LlamaCppSettings>) => planned(change) !== undefined;
  const found: Remedy[] = [];
  const smaller = ggufFormats.slice(ggufFormats.indexOf(weights) + 1).find((format) => fits({ weights: format }));
  if (smaller) found.push({ change: "weights", value: smaller });

  const cells = cacheCellsOf(1);
  const tokens = cells * largestFitting((blocks) => blocks === 0 || fits({ context: blocks * cells }), (context - 1) / cells);
  if (tokens > 0) found.push({ change: "context", value: tokens });
  const sequences = largestFitting((running) => running === 0 || fits({ concurrency: running }), Math.min(concurrency - 1, MAX_SEQUENCES));
  if (sequences > 0) found.push({ change: "concurrency", value: sequences });

  if (!unified && gpusPerNode > 0) {
    const more = Array.from({ length: MAX_SUGGESTED.gpusPerNode }, (_, i) => i + 1).find(
      (n) => n > gpusPerNode && fits({ gpusPerNode: n }),
    );
    if (more) found.push({ change: "gpusPerNode", value: more });
    const larger = gpus.find((one) => one.memoryMiB > gpu.memoryMiB && fits({ gpu: one }));
    if (larger) found.push({ change: "gpu", value: larger.name });
  }
  if (unified) {
    const memoryMiB = 1024 * (1 + largestFitting((gib) => !fits({ gpu: { ...gpu, memoryMiB: 1024 * gib } }), MAX_SUGGESTED.gibibytes));
    if (fits({ gpu: { ...gpu, memoryMiB } })) found.push({ change: "unifiedBytes", value: memoryMiB * 2 ** 20 });
  } else {
    const host = planned({ ramBytes: Number.MAX_SAFE_INTEGER })?.hostMemory;
    const needed = host && 2 ** 30 * Math.ceil(host.totalBytes / utilization / 2 ** 30);
    if (needed && needed > (ramBytes ?? 0)) found.push({ change: "ramBytes", value: needed });
  }
  return found;
}
