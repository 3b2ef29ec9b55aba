import type { ByteSource } from "../io/byte-source.js";
import { residentDType } from "../model/graph.js";
import type { Runtime } from "../runtime/runtime.js";
import { ResidentWeights } from "../weights/resident.js";
import { StreamedWeights } from "../weights/streamed.js";
import { ThreadReader } from "../weights/thread-reader.js";
import type { Checkpoint, StoredBuffer } from "./checkpoint.js";
import { withBf16Config } from "./config-file.js";
import { isStreamed } from "./estimate-memory.js";
import type { LoadOptions } from "./load-options.js";
import type { MatchedWeight } from "./match-weights.js";
import { type LoadPlan, streamedMatrices, totalBytes } from "./plan-load.js";
import { bufferRanges, NonFiniteCounts, type RangeConsumer, readRanges, weightRanges } from "./read-ranges.js";

/** Reads all weights into the runtime's memory, file by file, each file from beginning to end. */
export async function loadResident(source: ByteSource, plan: LoadPlan, rt: Runtime, options: LoadOptions): Promise<Checkpoint> {
  const { config, files, layout } = plan;
  const weights = new ResidentWeights(rt);
  const buffers = await readIntoMemory(source, plan, plan.weights, weights, options);
  const checkpoint = { config, rt, weights, buffers, files, layout };
  const isRounded = plan.weights.some(({ spec }) => weights.spec(spec.name).dtype !== spec.dtype);
  return isRounded ? withBf16Config(checkpoint) : checkpoint;
}

/** Reads vectors and routers into memory, and starts the thread that reads the other weights when they are needed. */
export async function loadStreamed(source: ByteSource, plan: LoadPlan, rt: Runtime, options: LoadOptions): Promise<Checkpoint> {
  const { config, files, layout } = plan;
  const resident = new ResidentWeights(rt);
  const large = plan.weights.filter(({ spec }) => isStreamed(spec));
  const small = plan.weights.filter(({ spec }) => !isStreamed(spec));
  const buffers = await readIntoMemory(source, plan, small, resident, options);
  const reader = await ThreadReader.start(rt.sharedMemory, source.location!, plan.fileVersions);
  rt.attachThreads(reader);
  const matrices = streamedMatrices(plan.weights, options.dtype);
  const weights = new StreamedWeights(rt, reader, matrices, resident, plan.budgetBytes, options.checkNaN);
  plan.reportProgress("load", totalBytes(large.map(({ stored }) => stored)));
  return { config, rt, weights, buffers, files, layout };
}

/** Reads the chosen weights into the runtime's memory, and the checkpoint's buffers. @returns the buffers */
async function readIntoMemory(
  source: ByteSource,
  { shards, buffers, reportProgress }: LoadPlan,
  chosen: readonly MatchedWeight[],
  weights: ResidentWeights,
  { dtype, checkNaN, signal }: LoadOptions,
): Promise<StoredBuffer[]> {
  const nonFinite = new NonFiniteCounts();
  const ranges = new Map<string, RangeConsumer[]>();
  for (const weight of chosen) {
    const { spec } = weight;
    const resident = residentDType(spec, dtype);
    weights.add(resident === "bf16" ? { ...spec, dtype: "bf16" } : spec, resident);
    ranges.set(spec.name, weightRanges(weights, weight, nonFinite));
  }
  const stored = buffers.map((tensor) => {
    const { name, dtype, shape, begin, end } = tensor;
    const bytes = new Uint8Array(end - begin);
    ranges.set(name, bufferRanges(tensor, bytes));
    return { name, dtype, shape, bytes };
  });
  for (const { file, dataOffset, unlisted, tensors } of shards) {
    reportProgress("load", dataOffset + totalBytes(unlisted));
    const wanted = tensors.flatMap(({ name }) => ranges.get(name) ?? []);
    await readRanges(source, file, wanted, (bytes) => reportProgress("load", bytes), signal);
  }
  if (checkNaN) nonFinite.throwIfAny();
  return stored;
}
