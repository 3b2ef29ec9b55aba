// Places the layers of a model in the memory of one machine, as llama.cpp can be told to: consecutive layers on each GPU, and, if they do
// not fit, the experts of the first n layers, and then whole layers from the first on, in the memory of the host.

import type { Graph } from "../model/graph.js";
import { type DecodeRate, decodeRate, type ReadBytes } from "./decode-rate.js";
import type { GgufFormat } from "./gguf-tensors.js";
import { type Gpu, usableBytes } from "./gpus.js";
import { largestFitting } from "./largest-fitting.js";
import { cacheCellsOf, type LayerBytes, type ModelBytes, modelBytes, tokensPerPass } from "./llama-cpp-memory.js";
import type { LlamaCppCache, LlamaCppSettings } from "./llama-cpp-target.js";

/** The memory of one GPU or of the host, in bytes. */
export interface DeviceMemory {
  readonly name: string;
  /** Exact, as in the GGUF file. */
  readonly weightsBytes: number;
  /** Exact, at the end of the context of all sequences. */
  readonly keyValueBytes: number;
  /** Lightning states of all sequences; on the host also their copies, `--ctx-checkpoints`. Exact. */
  readonly stateBytes: number;
  /** Buffers of a forward pass, and 2 GiB for memory outside of tensors. An estimate. */
  readonly activationBytes: number;
  readonly totalBytes: number;
  /** The memory that may be used. Absent if the memory of the host was not given. */
  readonly usableBytes?: number;
}

/** A plan of how llama.cpp serves a model on one machine. */
export interface LlamaCppDeployment {
  readonly engine: "llama.cpp";
  readonly served: string;
  readonly weights: GgufFormat;
  readonly kv: LlamaCppCache;
  readonly context: number;
  /** Concurrent sequences. */
  readonly sequences: number;
  /** `--ctx-size`: tokens in the caches of all sequences. */
  readonly cacheCells: number;
  readonly utilization: number;
  readonly passTokens: number;
  /** Absent if the model runs on the CPU. */
  readonly gpu?: Gpu;
  readonly unified: boolean;
  /** `--n-gpu-layers`: layers on GPUs, counted from the last. The head is one of them. */
  readonly gpuLayers: number;
  /** `--n-cpu-moe`: layers, counted from the first, whose experts lie in the memory of the host. */
  readonly cpuExpertLayers: number;
  /** `--tensor-split`: layers on each GPU. */
  readonly layersPerGpu: readonly number[];
  /** The used GPUs. On a machine with unified memory, the only device, with everything in it. */
  readonly gpuMemory: readonly DeviceMemory[];
  /** The host. Absent on a machine with unified memory. */
  readonly hostMemory?: DeviceMemory;
  /** Absent if the bandwidth of a device is not known. */
  readonly decode?: DecodeRate;
  /** Warnings about the plan. */
  readonly notes: readonly string[];
}

/** Returns the deployment that keeps as much as possible on as few GPUs as possible. Returns undefined if none fits. */
export function smallestLlamaCppDeployment(model: Graph, target: LlamaCppSettings): LlamaCppDeployment | undefined {
  const { gpu, gpusPerNode, ramBytes, unified, utilization } = target;
  const bytes = modelBytes(model, target);
  const usable = usableBytes(gpu, utilization);
  const room = usable - bytes.activations - (unified ? bytes.embedding + bytes.checkpoints : 0);
  for (let gpus = Math.min(1, gpusPerNode); gpus <= gpusPerNode; gpus++) {
    const layersPerGpu = gpus > 0 ? split(bytes.layers.map(total), gpus, room) : undefined;
    if (layersPerGpu) return ifHostHolds(deployment(model, target, bytes, layersPerGpu, 0));
  }
  if (ramBytes === undefined) return undefined;
  const layers = bytes.layers.length;
  // From one step to the next, the experts of one more layer and then one more layer move to the host. So more fits on the GPUs.
  const offloaded = (step: number) => ({ cpuExperts: Math.min(step, layers - 1), cpuLayers: Math.max(0, step - (layers - 1)) });
  const last = gpusPerNode > 0 ? 2 * layers - 2 : 2 * layers - 1;
  const splitAfter = (step: number) => {
    const { cpuExperts, cpuLayers } = offloaded(step);
    const onGpus = bytes.layers.map((layer, i) => (i < cpuExperts ? total(layer) - layer.experts : total(layer))).slice(cpuLayers);
    return onGpus.length === 0 ? [] : gpusPerNode > 0 ? split(onGpus, gpusPerNode, room) : undefined;
  };
  const unneeded = largestFitting((back) => splitAfter(last - back) !== undefined, last);
  const layersPerGpu = splitAfter(last - unneeded);
  return layersPerGpu && ifHostHolds(deployment(model, target, bytes, layersPerGpu, offloaded(last - unneeded).cpuExperts));
}

function ifHostHolds(plan: LlamaCppDeployment): LlamaCppDeployment | undefined {
  const { totalBytes = 0, usableBytes = Number.POSITIVE_INFINITY } = plan.hostMemory ?? {};
  return totalBytes <= usableBytes ? plan : undefined;
}

/** Returns the bytes of a layer with its caches. */
export function total({ experts, weights, keyValues, states }: LayerBytes): number {
  return experts + weights + keyValues + states;
}

/**
 * Splits consecutive layers among GPUs so that the fullest GPU holds as little as possible.
 *
 * @returns the number of layers on each GPU, or undefined if more than `room` bytes would be on one
 */
function split(layers: readonly number[], gpus: number, room: number): number[] | undefined {
  const filled = (limit: number) => {
    const counts = [0];
    let used = 0;
    for (const bytes of layers) {
      if (bytes > limit) return undefined;
      if (used + bytes > limit) {
        counts.push(0);
        used = 0;
      }
      counts[counts.length - 1]!++;
      used += bytes;
    }
    return counts.length <= gpus ? counts : undefined;
  };
  if (room <= 0 || !filled(room)) return undefined;
  return filled(room - largestFitting((spare) => filled(room - spare) !== undefined, room));
}

function deployment(
  model: Graph,
  target: LlamaCppSettings,
  bytes: ModelBytes,
  layersPerGpu: readonly number[],
  cpuExpertLayers: number,
): LlamaCppDeployment {
  const { gpu, unified, ramBytes, ramBandwidth, utilization, concurrency, context } = target;
  const gpuLayers = layersPerGpu.reduce((sum, layers) => sum + layers, 0);
  const first = bytes.layers.length - gpuLayers;
  const starts = layersPerGpu.map((_, i) => first + layersPerGpu.slice(0, i).reduce((sum, layers) => sum + layers, 0));
  const gpuParts = layersPerGpu.map((count, i) =>
    sumOf(
      bytes.layers
        .slice(starts[i], starts[i]! + count)
        .map((layer, j) => (starts[i]! + j < cpuExpertLayers ? { ...layer, experts: 0 } : layer)),
    ),
  );
  const hostPart = sumOf([
    ...bytes.layers.slice(0, first),
    ...bytes.layers.slice(first, cpuExpertLayers).map(({ experts }) => ({ experts, weights: 0, keyValues: 0, states: 0 })),
  ]);
  const hostExtra = { weights: bytes.embedding, states: bytes.checkpoints };
  const gpuExtra = unified ? hostExtra : { weights: 0, states: 0 };
  const gpuMemory = gpuParts.map((part) => memory(gpu.name, part, gpuExtra, bytes.activations, usableBytes(gpu, utilization)));
  const hostMemory = unified
    ? undefined
    : memory("host", hostPart, hostExtra, first > 0 ? bytes.activations : 0, ramBytes && Math.floor(ramBytes * utilization));
  const read = [
    ...gpuParts.map((part) => ({ bandwidth: gpu.bandwidth, ...readBytes(part) })),
    ...(total(hostPart) > 0 ? [{ bandwidth: ramBandwidth, ...readBytes(hostPart) }] : []),
  ];
  const decode = decodeRate(read, { config: model.config, sequences: concurrency });
  return {
    engine: "llama.cpp",
    served: target.served,
    weights: target.weights,
    kv: target.kv,
    context,
    sequences: concurrency,
    cacheCells: concurrency * cacheCellsOf(context),
    utilization,
    passTokens: tokensPerPass(target),
    ...(gpuLayers > 0 && { gpu }),
    unified,
    gpuLayers,
    cpuExpertLayers: gpuLayers > 0 ? cpuExpertLayers : 0,
    layersPerGpu,
    gpuMemory,
    ...(hostMemory && { hostMemory }),
    ...(decode && { decode }),
    notes: notes(model, target),
  };
}

/** Adds up the bytes of layers. */
function sumOf(layers: readonly LayerBytes[]): LayerBytes {
  const sum = { experts: 0, weights: 0, keyValues: 0, states: 0 };
  for (const layer of layers) for (const part of Object.keys(sum) as (keyof LayerBytes)[]) sum[part] += layer[part];
  return sum;
}

function memory(
  name: string,
  { experts, weights, keyValues, states }: LayerBytes,
  extra: { readonly weights: number; readonly states: number },
  activationBytes: number,
  usable: number | undefined,
): DeviceMemory {
  const [weightsBytes, stateBytes] = [experts + weights + extra.weights, states + extra.states];
  const totalBytes = weightsBytes + keyValues + stateBytes + activationBytes;
  const parts = { name, weightsBytes, keyValueBytes: keyValues, stateBytes, activationBytes, totalBytes };
  return usable === undefined ? parts : { ...parts, usableBytes: usable };
}

/** Returns what a decoding step reads of these layers. States are read and written. */
function readBytes({ experts, weights, keyValues, states }: LayerBytes): ReadBytes {
  return { experts, weights, sequences: keyValues + 2 * states };
}

function notes({ config: { dialect } }: Graph, { unified }: LlamaCppSettings): string[] {
  return [
    ...(unified
      ? ["macOS limits the memory of the GPU: sudo sysctl iogpu.wired_limit_mb=… raises it (llama-server --list-devices shows it)"]
      : []),
    ...(dialect === "minimax"
      ? ["llama.cpp's converter does not read this checkpoint, which is in transformers' dialect (lightning-m1 export --gguf does)"]
      : []),
  ];
}
