import {
  type DeploymentMemory,
  type DeviceMemory,
  deploymentMemory,
  type GgufFormat,
  type GuideClaim,
  gpusNeeded,
  guideClaims,
  planDeployment,
} from "../../analysis/index.js";
import { estimateMemory, type Graph, InputError, type MemoryEstimate } from "../../index.js";

/** Memory of a model and of sequences that fill their contexts. */
export interface Memory {
  readonly contexts: readonly number[];
  /** Number of simultaneous sequences. */
  readonly batch: number;
  /** Memory of a server with vLLM. Empty for models that vLLM does not implement. */
  readonly server: readonly ServerMemory[];
  /** Memory of a server with llama.cpp. Empty for models that llama.cpp does not implement, and for more sequences than it runs. */
  readonly llamaCpp: readonly LlamaCppMemory[];
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

/** Memory of a server with llama.cpp that has everything in one memory, without checkpoints of states. */
export interface LlamaCppMemory extends Omit<DeviceMemory, "name" | "usableBytes"> {
  readonly weights: GgufFormat;
  readonly context: number;
}

/** Memory in this library, with resident weights in a given precision, or with weights streamed as stored. */
export interface LibraryMemory extends MemoryEstimate {
  readonly residency: "resident" | "streamed";
  readonly dtype: (typeof PRECISIONS)[number] | "as stored";
  readonly kv: (typeof KV_PRECISIONS)[number];
  readonly context: number;
}

/** The formats of GGUF files whose memory is reported. */
export const GGUF_FORMATS = ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"] as const satisfies readonly GgufFormat[];
export const SCHEMES = ["experts_int8", "bf16"] as const;
export const PRECISIONS = ["q4", "q8", "bf16", "f32"] as const;
export const KV_PRECISIONS = ["q8", "bf16", "f32"] as const;

/** Computes memory for each context length. @param contexts lengths of a sequence in tokens */
export function memoryReport(graph: Graph, contexts: readonly number[], batch: number): Memory {
  const schemes = graph.config.dialect === "hypenet" ? [] : SCHEMES;
  return {
    contexts,
    batch,
    server: schemes.flatMap((weights) => contexts.map((context) => serverMemory(graph, { weights, context, batch }))),
    llamaCpp: GGUF_FORMATS.flatMap((weights) => contexts.flatMap((context) => llamaCppMemory(graph, { weights, context, batch }))),
    guideClaims: guideClaims(graph),
    library: [...PRECISIONS, "as stored" as const].flatMap((dtype) =>
      KV_PRECISIONS.flatMap((kv) => contexts.map((context) => libraryMemory(graph, { dtype, kv, context, batch }))),
    ),
  };
}

type ServerOptions = Pick<ServerMemory, "weights" | "context"> & { readonly batch: number };

function serverMemory(graph: Graph, options: ServerOptions): ServerMemory {
  const { weights, context } = options;
  const gpus = gpusNeeded(graph, options).map(({ gpu: { name, memoryMiB }, needed = null }) => ({ name, memoryMiB, needed }));
  return { weights, context, ...deploymentMemory(graph, options), gpus };
}

function llamaCppMemory(
  graph: Graph,
  { weights, context, batch }: Pick<LlamaCppMemory, "weights" | "context"> & { batch: number },
): LlamaCppMemory[] {
  try {
    const target = {
      engine: "llama.cpp",
      gpusPerNode: 0,
      ramBytes: Number.MAX_SAFE_INTEGER,
      weights,
      context,
      concurrency: batch,
    } as const;
    const { name: _, usableBytes: __, ...memory } = planDeployment(graph, target).hostMemory!;
    const stateBytes = memory.stateBytes / STATE_COPIES;
    return [{ weights, context, ...memory, stateBytes, totalBytes: memory.totalBytes - memory.stateBytes + stateBytes }];
  } catch (error) {
    if (error instanceof InputError) return [];
    throw error;
  }
}

/** Copies of the states in a plan: the states themselves, and four checkpoints. */
const STATE_COPIES = 5;

type LibraryOptions = Pick<LibraryMemory, "dtype" | "kv" | "context"> & { readonly batch: number };

function libraryMemory(graph: Graph, { dtype, kv, context, batch }: LibraryOptions): LibraryMemory {
  const how = dtype === "as stored" ? ({ residency: "streamed" } as const) : ({ residency: "resident", dtype } as const);
  return { residency: how.residency, dtype, kv, context, ...estimateMemory(graph, { ...how, kv, context, batch }) };
}
