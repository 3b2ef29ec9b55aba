import { type DeploymentMemory, deploymentMemory, type GuideClaim, gpusNeeded, guideClaims } from "../../analysis/index.js";
import { estimateMemory, type Graph, type MemoryEstimate } from "../../index.js";

/** What sequences take, all of them at the end of their context. */
export interface Memory {
  readonly contexts: readonly number[];
  /** Sequences at a time. */
  readonly batch: number;
  readonly server: readonly ServerMemory[];
  /** Only for MiniMax-M1. */
  readonly guideClaims: readonly GuideClaim[];
  readonly library: readonly LibraryMemory[];
}

/** The whole model on one GPU, however large, and how many of each kind hold it together; null where no number does. */
export interface ServerMemory extends DeploymentMemory {
  readonly weights: (typeof SCHEMES)[number];
  readonly context: number;
  readonly gpus: readonly { readonly name: string; readonly memoryMiB: number; readonly needed: number | null }[];
}

/** In this library: matrices in memory in some precision, or streamed as they are stored. */
export interface LibraryMemory extends MemoryEstimate {
  readonly residency: "resident" | "streamed";
  readonly dtype: (typeof PRECISIONS)[number] | "as stored";
  readonly kv: (typeof PRECISIONS)[number];
  readonly context: number;
}

export const SCHEMES = ["experts_int8", "bf16"] as const;
export const PRECISIONS = ["q8", "bf16", "f32"] as const;

/** @param contexts tokens of each sequence */
export function memoryReport(graph: Graph, contexts: readonly number[], batch: number): Memory {
  return {
    contexts,
    batch,
    server: SCHEMES.flatMap((weights) => contexts.map((context) => serverMemory(graph, { weights, context, batch }))),
    guideClaims: guideClaims(graph),
    library: [...PRECISIONS, "as stored" as const].flatMap((dtype) =>
      PRECISIONS.flatMap((kv) => contexts.map((context) => libraryMemory(graph, { dtype, kv, context, batch }))),
    ),
  };
}

type ServerOptions = Pick<ServerMemory, "weights" | "context"> & { readonly batch: number };

function serverMemory(graph: Graph, options: ServerOptions): ServerMemory {
  const { weights, context } = options;
  const gpus = gpusNeeded(graph, options).map(({ gpu: { name, memoryMiB }, needed = null }) => ({ name, memoryMiB, needed }));
  return { weights, context, ...deploymentMemory(graph, options), gpus };
}

type LibraryOptions = Pick<LibraryMemory, "dtype" | "kv" | "context"> & { readonly batch: number };

function libraryMemory(graph: Graph, { dtype, kv, context, batch }: LibraryOptions): LibraryMemory {
  const how = dtype === "as stored" ? ({ residency: "streamed" } as const) : ({ residency: "resident", dtype } as const);
  return { residency: how.residency, dtype, kv, context, ...estimateMemory(graph, { ...how, kv, context, batch }) };
}
