// Answers "what do I need for this context and this number of users": the smallest hardware of each kind that fits, for each engine.

import * as v from "valibot";
import { count, oneOf, parseOptions } from "../base/options.js";
import type { Graph } from "../model/graph.js";
import { graphOf, type Model } from "../model/graph.js";
import { type DeploymentTarget, fraction, parseDeploymentTarget } from "./deployment-target.js";
import { type Engine, engines, type Precision, type Unsupported } from "./engines.js";
import type { GgufFormat } from "./gguf-tensors.js";
import { type Gpu, gpus } from "./gpus.js";
import { largestFitting } from "./largest-fitting.js";
import { type LlamaCppTarget, parseLlamaCppTarget } from "./llama-cpp-target.js";
import { type LlamaCppDeployment, smallestLlamaCppDeployment } from "./plan-llama-cpp.js";
import { type Deployment, smallestDeployment } from "./smallest-deployment.js";

/** What a server should hold. */
export interface DeploymentOptionsRequest {
  /** Maximum length of a sequence in tokens. By default 131,072, or the model's context if that is shorter. */
  context?: number;
  /** Number of concurrent sequences of that length (1). */
  concurrency?: number;
  /** Nominal precision of the weights (`"int4"`). */
  precision?: Precision;
  /** Kinds of GPUs, as names or descriptions. By default {@link gpus}. */
  gpus?: readonly (string | Gpu)[];
  /** The share of memory that may be used (0.95). */
  utilization?: number;
}

/** The smallest hardware of one kind that fits, and the plan for it. */
export interface DeploymentOption {
  /** `gpus`: GPUs only. `gpu+host`: one GPU, and experts in the host's memory. `unified`: memory that CPU and GPU share. */
  readonly hardware: "gpus" | "gpu+host" | "unified" | "host";
  /** Absent for `unified` and `host`. */
  readonly gpu?: Gpu;
  /** Number of GPUs on all nodes. */
  readonly gpuCount: number;
  readonly nodes: number;
  /** Bytes of host memory, or of unified memory. Absent for `gpus`. */
  readonly memoryBytes?: number;
  readonly plan: Deployment | LlamaCppDeployment;
}

/** The options of one engine, or why it has none for this precision. */
export interface EngineOptions {
  readonly engine: Engine;
  /** The name of the weights' format in plans. */
  readonly weights?: string;
  /** Empty if nothing of the given kinds fits. */
  readonly options: readonly DeploymentOption[];
  readonly unsupported?: Unsupported;
}

const schema = v.strictObject({
  context: v.optional(count),
  concurrency: v.optional(count, 1),
  precision: v.optional(oneOf("bf16", "int8", "fp8", "int4"), "int4"),
  gpus: v.optional(v.custom<readonly (string | Gpu)[]>(Array.isArray, "a list of GPUs"), () => [...gpus]),
  utilization: v.optional(fraction, 0.95),
});

/** The sizes of vLLM clusters that are tried: GPUs of one node, then nodes of eight GPUs. */
const CLUSTERS = [1, 2, 4, 8]
  .map((gpusPerNode) => ({ gpusPerNode, nodes: 1 }))
  .concat([2, 3, 4, 5, 6, 7, 8].map((nodes) => ({ gpusPerNode: 8, nodes })));
/** The most GPUs of one machine. */
const GPUS_PER_MACHINE = 8;
/** The largest memory of a machine that is tried, in GiB. */
const MAX_GIB = 4096;
const GIB = 2 ** 30;

/**
 * Lists the smallest hardware of each kind that holds `concurrency` sequences of `context` tokens, for each engine. Engines that do not run
 * the model in this precision have `unsupported` instead.
 *
 * @param model a configuration (typed, or the JSON of a `config.json`), or its graph
 * @throws {InputError} an invalid request, or a model that an engine does not implement
 */
export function deploymentOptions(model: Model, request: DeploymentOptionsRequest = {}): EngineOptions[] {
  const graph = graphOf(model);
  const { precision, gpus: kinds, ...given } = parseOptions(schema, request, "deploymentOptions");
  const needs = given as Omit<typeof given, "context"> & { context?: number };
  return engines.map((engine): EngineOptions => {
    const format = engine.precisions[precision];
    if ("reason" in format) return { engine, options: [], unsupported: format };
    const { weights } = format;
    const options =
      engine.name === "vllm"
        ? kinds.flatMap((gpu) => vllmOption(graph, { ...needs, gpu, weights: weights as "bf16" }))
        : llamaCppOptions(graph, kinds, { engine: "llama.cpp", ...needs, weights: weights as GgufFormat });
    return { engine, weights, options };
  });
}

function vllmOption(graph: Graph, needs: DeploymentTarget): DeploymentOption[] {
  const settings = parseDeploymentTarget(graph.config, needs);
  const { gpu } = settings;
  if (gpu.caution) return [];
  for (const cluster of CLUSTERS) {
    const plan = smallestDeployment(graph, { ...settings, ...cluster });
    const gpuCount = cluster.gpusPerNode * cluster.nodes;
    if (plan) return [{ hardware: "gpus", gpu, gpuCount, nodes: cluster.nodes, plan }];
  }
  return [];
}

function llamaCppOptions(graph: Graph, kinds: readonly (string | Gpu)[], needs: LlamaCppTarget): DeploymentOption[] {
  const planned = (change: Partial<LlamaCppTarget>) =>
    smallestLlamaCppDeployment(graph, parseLlamaCppTarget(graph.config, { ...needs, ...change }));
  const gpusOnly = kinds.flatMap((gpu): DeploymentOption[] => {
    const plan = planned({ gpu, gpusPerNode: GPUS_PER_MACHINE });
    return plan ? [{ hardware: "gpus", gpu: plan.gpu!, gpuCount: plan.gpuMemory.length, nodes: 1, plan }] : [];
  });
  /** The plan with the least memory in GiB. */
  const least = (plan: (memoryBytes: number) => LlamaCppDeployment | undefined) => {
    const gib = 1 + largestFitting((x) => x === 0 || plan(x * GIB) === undefined, MAX_GIB);
    const found = plan(gib * GIB);
    return found && { plan: found, memoryBytes: gib * GIB };
  };
  const [smallest] = kinds;
  const split = smallest && least((ramBytes) => planned({ gpu: smallest, gpusPerNode: 1, ramBytes }));
  const unified = least((bytes) =>
    planned({ gpu: { name: "unified", memoryMiB: bytes / 2 ** 20, resource: "nvidia.com/gpu" }, unified: true }),
  );
  const host = least((ramBytes) => planned({ gpusPerNode: 0, ramBytes }));
  return [
    ...gpusOnly,
    ...(split && split.plan.cpuExpertLayers > 0
      ? [{ hardware: "gpu+host", gpu: split.plan.gpu!, gpuCount: 1, nodes: 1, ...split } as const]
      : []),
    ...(unified ? [{ hardware: "unified", gpuCount: 0, nodes: 1, ...unified } as const] : []),
    ...(host ? [{ hardware: "host", gpuCount: 0, nodes: 1, ...host } as const] : []),
  ];
}
