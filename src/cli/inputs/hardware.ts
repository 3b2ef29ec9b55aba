import { type Gpu, gpus } from "../../analysis/index.js";
import { parseSize } from "../numbers.js";
import { sizeOption, UsageError } from "../options.js";

type ParsedArguments = Readonly<Record<string, unknown>>;

/** Options that describe accelerators and memory. */
export const hardwareArguments = {
  gpu: { type: "string", valueHint: "name", description: `Kind of GPU: ${gpus.map(({ name }) => name).join(", ")} (default: H800)` },
  "gpu-memory": { type: "string", valueHint: "size", description: "Memory of each GPU, for any accelerator, such as 24GB" },
  bandwidth: { type: "string", valueHint: "size", description: "Bytes per second of GPU or unified memory, such as 819GB" },
  "gpus-per-node": { type: "string", valueHint: "n", description: "GPUs per node (default: 8; 0: CPU only, with --ram)" },
  nodes: { type: "string", valueHint: "n", description: "Number of nodes (default: 1)" },
  ram: { type: "string", valueHint: "size", description: "Host memory for experts that the GPUs cannot hold (llama.cpp)" },
  "ram-bandwidth": { type: "string", valueHint: "size", description: "Bytes per second of host memory, such as 400GB" },
  "unified-memory": { type: "string", valueHint: "size", description: "Memory that CPU and GPU share, such as 512GB (llama.cpp)" },
} as const;

/** Nominal memory of GPUs in gigabytes, as it is part of their full names. */
const NOMINAL_GB: Readonly<Record<string, number>> = { H100: 80, H800: 80, A100: 80, H20: 96, H200: 141, B200: 192, MI300X: 192 };

/**
 * Finds the GPU that a name of any case means: `h100`, `H100-80GB`, `NVIDIA H100 80GB`.
 *
 * @throws {UsageError} an unknown name, or a memory size that this GPU does not have
 */
export function parseGpu(text: string): Gpu {
  const [name = "", size, ...rest] = text
    .trim()
    .replace(/^(?:(?:nvidia|amd|instinct)[\s_-]+)+/i, "")
    .split(/[\s_-]+/);
  const found = gpus.find((gpu) => gpu.name.toLowerCase() === name.toLowerCase());
  if (!found || rest.length > 0) {
    throw new UsageError(
      `--gpu: expected ${gpus.map((gpu) => gpu.name).join(", ")}, got ${JSON.stringify(text)} (for any other accelerator, give --gpu-memory instead)`,
    );
  }
  const nominal = NOMINAL_GB[found.name]!;
  if (size !== undefined && parseSize(size) !== nominal * 1e9) {
    throw new UsageError(`--gpu: expected ${found.name} with ${nominal}GB, got ${JSON.stringify(text)} (give the size as --gpu-memory)`);
  }
  return found;
}

/** Hardware as plans take it. Options that are not given are absent. */
export interface Hardware {
  readonly gpu?: Gpu;
  readonly unified?: boolean;
  readonly ramBytes?: number;
  readonly ramBandwidth?: number;
}

/** Reads the options of {@link hardwareArguments} that are sizes or names. @throws {UsageError} invalid or contradictory values */
export function readHardware(args: ParsedArguments): Hardware {
  const named = args.gpu === undefined ? undefined : parseGpu(args.gpu as string);
  const [memory, unified] = [sizeOption(args, "gpu-memory"), sizeOption(args, "unified-memory")];
  const [bandwidth, ramBytes, ramBandwidth] = [sizeOption(args, "bandwidth"), sizeOption(args, "ram"), sizeOption(args, "ram-bandwidth")];
  const other = ["gpu", "gpu-memory", "gpus-per-node", "nodes", "ram", "ram-bandwidth"].find((name) => args[name] !== undefined);
  if (unified !== undefined && other) throw new UsageError(`--${other}: expected without --unified-memory`);
  if (bandwidth !== undefined && !named && memory === undefined && unified === undefined)
    throw new UsageError("--bandwidth: expected with --gpu, --gpu-memory or --unified-memory");
  if (ramBandwidth !== undefined && ramBytes === undefined) throw new UsageError("--ram-bandwidth: expected with --ram");
  const bytes = unified ?? memory;
  const memoryMiB = bytes === undefined ? named?.memoryMiB : Math.floor(bytes / 2 ** 20);
  if (memoryMiB === 0)
    throw new UsageError(`--${unified === undefined ? "gpu" : "unified"}-memory: expected at least 1MiB, got ${bytes} bytes`);
  const speed = bandwidth ?? named?.bandwidth;
  const label = unified !== undefined ? "unified memory" : `GPU (${args["gpu-memory"]})`;
  const own = memoryMiB !== undefined && {
    ...(named ?? { name: label, resource: "nvidia.com/gpu" as const }),
    memoryMiB,
    ...(speed !== undefined && { bandwidth: speed }),
  };
  return {
    ...(own && { gpu: own }),
    ...(unified !== undefined && { unified: true }),
    ...(ramBytes !== undefined && { ramBytes }),
    ...(ramBandwidth !== undefined && { ramBandwidth }),
  };
}
