import { InputError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import { graphOf, type Model } from "../model/graph.js";
import { type DeploymentMemoryOptions, deploymentMemory } from "./deployment-memory.js";
import { tensorParallelSizes } from "./tensor-parallel.js";

/** A GPU model. */
export interface Gpu {
  readonly name: string;
  /** Memory that the driver reports, in MiB. */
  readonly memoryMiB: number;
  /** The name of the resource in Kubernetes. */
  readonly resource: "nvidia.com/gpu" | "amd.com/gpu";
  /** Nominal bandwidth of its memory in bytes per second, as in the vendor's data sheet. */
  readonly bandwidth?: number;
  /** A reason not to use it for this architecture with vLLM. */
  readonly caution?: string;
}

function nvidia(name: string, memoryMiB: number, bandwidth: number): Gpu {
  return { name, memoryMiB, resource: "nvidia.com/gpu", bandwidth };
}

/**
 * GPUs with enough memory for the published model, smallest first. Sizes such as "80 GB" are nominal; `memoryMiB`
 * is the size that drivers report. Bandwidths are those of the SXM and OAM modules.
 */
export const gpus: readonly Gpu[] = [
  nvidia("H100", 81_559, 3.35e12),
  nvidia("H800", 81_559, 3.35e12),
  nvidia("A100", 81_920, 2.039e12),
  nvidia("H20", 97_871, 4e12),
  nvidia("H200", 143_771, 4.8e12),
  nvidia("B200", 183_359, 8e12),
  {
    name: "MI300X",
    memoryMiB: 196_592,
    resource: "amd.com/gpu",
    bandwidth: 5.3e12,
    caution: "vLLM's lightning attention is reported to need more shared memory (128 KiB) than an MI300X has (64 KiB)",
  },
];

/** Memory that the driver reserves for itself, in MiB. For example, PyTorch sees 81,079 of an H100's 81,559 MiB. */
const DRIVER_RESERVED_MIB = 512;

/** Returns the bytes of one GPU that a server may use, as vLLM's `--gpu-memory-utilization` counts them. */
export function usableBytes({ memoryMiB }: Pick<Gpu, "memoryMiB">, utilization: number): number {
  return Math.floor(Math.max(0, memoryMiB - DRIVER_RESERVED_MIB) * 2 ** 20 * utilization);
}

/**
 * Computes the smallest number of GPUs that can hold the model by sharing every layer, for each GPU model. The number is undefined if no
 * number of GPUs suffices.
 *
 * @param utilization share of each GPU's memory that may be used
 * @throws {InputError} invalid options
 */
export function gpusNeeded(
  model: Model,
  options: Omit<DeploymentMemoryOptions, "tensorParallel"> = {},
  utilization = 0.95,
): { readonly gpu: Gpu; readonly needed: number | undefined }[] {
  if (!(utilization > 0 && utilization <= 1)) {
    throw new InputError(`gpusNeeded: utilization: expected a number within (0, 1], got ${printed(utilization)}`);
  }
  const known = graphOf(model);
  const totals = tensorParallelSizes(known.config).map(
    (p) => [p, deploymentMemory(known, { ...options, tensorParallel: p }).totalBytes] as const,
  );
  return gpus.map((gpu) => ({ gpu, needed: totals.find(([, bytes]) => bytes <= usableBytes(gpu, utilization))?.[0] }));
}
