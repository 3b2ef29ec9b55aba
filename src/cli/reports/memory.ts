import { type DeploymentMemory, deploymentMemory, type GuideClaim, gpusNeeded, guideClaims } from "../../analysis/index.js";
import { estimateMemory, type Graph, type MemoryEstimate } from "../../index.js";

/** Memory of a model and of sequences that fill their contexts. */
export interface Memory {
  readonly contexts: readonly number[];
  /** Number of simultaneous sequences. */
  readonly batch: number;
  /** Memory of a server with vLLM. Empty for models that vLLM does not implement. */
  readonly server: readonly ServerMemory[];
  /** Claims of the deployment guide. Empty for models other than MiniMax-M1. */
  readonly guideClaims: readonly GuideClaim[];
  readonly library: readonly LibraryMemory[];
}

/** Memory of a server that holds the whole model, and the required number of GPUs of each kind (null if no number suffices). */
export interface ServerMemory extends DeploymentMemory {
  readonly weights: (typeof SCHEMES)[number];
  readonly context: number;
  readonly gpus: readonly { readonly name: string; readonly memoryMiB: number; readonly needed: number | null }[];
}

/** Memory in this library, with resident weights in a given precision, or with weights streamed as stored. */
export interface LibraryMemory extends MemoryEstimate {
  readonly residency: "resident" | "streamed";
  readonly dtype: (typeof PRECISIONS)[number] | "as stored";
  readonly kv: (typeof PRECISIONS)[number];
  readonly context: number;
}

export const SCHEMES = ["experts_int8", "bf16"] as const;
export const PRECISIONS = ["q8", "bf16", "f32"] as const;

/** Computes memory for each context length. @param contexts lengths of a sequence in tokens */
export function memoryReport(graph: Graph, contexts: readonly number[], batch: number): Memory {
  const schemes = graph.config.dialect === "hypenet" ? [] : SCHEMES;
  return {
    contexts,
    batch,
    server: schemes.flatMap((weights) => contexts.map((context) => serverMemory(graph, { weights, context, batch }))),
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
