import { formatBytes, MemoryError } from "../base/errors.js";
import type { ByteSource } from "../io/byte-source.js";
import { CONFIG_FILE, TEXT_FILES } from "../io/checkpoint-files.js";
import { type Config, parseConfig } from "../model/config.js";
import { graph, isConfig, residentDType } from "../model/graph.js";
import { MAX_MEMORY_BYTES } from "../runtime/heap.js";
import { minBudgetBytes, type StreamedMatrix } from "../weights/streamed-matrix.js";
import type { ResidentDType } from "../weights/weights.js";
import type { Layout } from "./checkpoint.js";
import { readConfigFile } from "./config-file.js";
import { DEFAULT_STREAMING_BUDGET_BYTES, isStreamed, residentBytes } from "./estimate-memory.js";
import { splitFusedExperts } from "./fused-experts.js";
import type { LoadOptions, Progress } from "./load-options.js";
import { type MatchedWeight, matchWeights } from "./match-weights.js";
import {
  findShards,
  keepListedTensors,
  readShardHeader,
  readShardSizes,
  readTextFile,
  type Shard,
  type ShardIndex,
  type StoredTensor,
  tensorsByName,
} from "./shards.js";
import { checkTiedHead } from "./tied-head.js";

/** Everything that is known about a checkpoint before its weights are read. */
export interface LoadPlan {
  readonly config: Config;
  /** Contents of the configuration and text files by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly shards: readonly Shard[];
  readonly layout: Layout;
  readonly weights: readonly MatchedWeight[];
  readonly buffers: readonly StoredTensor[];
  readonly reportProgress: ReportProgress;
  /** Versions of the files of weights. Streaming uses them to detect a change. Empty for resident weights. */
  readonly fileVersions: ReadonlyMap<string, string>;
  /** Maximum memory for streamed matrices; 0 for resident weights. */
  readonly budgetBytes: number;
  /** Memory that the weights take. */
  readonly memoryBytes: number;
}

/**
 * Reads and checks everything except the weights. If the source keeps local copies, also downloads missing files of weights.
 *
 * @throws {CheckpointError} missing or damaged files
 * @throws {ConfigError} a configuration of another model, or an inconsistent one
 * @throws {WeightError} weights that do not match the configuration
 * @throws {MemoryError} weights that do not fit into memory
 */
export async function planLoad(source: ByteSource, options: LoadOptions): Promise<LoadPlan> {
  const { signal, dtype, onProgress = () => {}, maxMemoryBytes = MAX_MEMORY_BYTES } = options;
  const streamed = options.residency === "streamed";
  const limit = Math.min(maxMemoryBytes, MAX_MEMORY_BYTES);
  const files = new Map<string, Uint8Array>();
  const config = await readConfig(source, files, options);
  const model = graph(config);
  if (!streamed) expectWeightsFit(residentBytes(model.tensors, "q4"), limit, "q4");

  const { files: names, index } = await findShards(source, signal);
  const sizes = await readShardSizes(source, names, signal);
  const shardBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const missingBytes = (await source.downloader?.missingBytes(names, signal)) ?? 0;
  const reportProgress = progressReporter(missingBytes + shardBytes, onProgress, signal);
  reportProgress("download", 0);
  await source.downloader?.fetch(names, (bytes) => reportProgress("download", bytes), signal);

  // Versions are read before the headers, so that a later change of a file is detected.
  const fileVersions = new Map<string, string>();
  if (streamed && source.version) for (const file of names) fileVersions.set(file, await source.version(file));
  const found: Shard[] = [];
  for (const [file, size] of sizes) {
    signal?.throwIfAborted();
    found.push(await readShardHeader(source, file, size, signal));
  }
  const shards = splitFusedExperts(keepListedTensors(found, index, options.onWarning), config);
  const { weights, buffers } = matchWeights(model, tensorsByName(shards), shards);
  const specs = weights.map(({ spec }) => spec);
  const budgetBytes = streamed ? streamingBudget(weights, limit, options) : 0;
  const memoryBytes = streamed ? budgetBytes : residentBytes(specs, dtype);
  if (!streamed) expectWeightsFit(memoryBytes + totalBytes(buffers), limit, dtype);
  await checkTiedHead(source, weights, buffers, signal);

  for (const file of TEXT_FILES) {
    const bytes = await readTextFile(source, file, signal);
    if (bytes) files.set(file, bytes.slice());
  }
  const layout = layoutOf(shards, index);
  return { config, files, shards, layout, weights, buffers, reportProgress, fileVersions, budgetBytes, memoryBytes };
}

/** Returns the configuration from the options or, if they have none, from the file. Adds the contents of the file to `files`. */
async function readConfig(source: ByteSource, files: Map<string, Uint8Array>, options: LoadOptions): Promise<Config> {
  const { config: given, onWarning } = options;
  if (given) return isConfig(given) ? given : parseConfig(given, onWarning);
  const { config, bytes } = await readConfigFile(source, "give a checkpoint's directory; one file needs the config option", options);
  files.set(CONFIG_FILE, bytes.slice());
  return config;
}

/**
 * Checks that the weights fit into memory. @param dtype of matrices in memory. With `"q4"`, which needs the least, the message says "at
 * least"
 */
function expectWeightsFit(bytes: number, limit: number, dtype: ResidentDType | undefined): void {
  if (bytes <= limit) return;
  const need = `the weights need ${dtype === "q4" ? `at least ${formatBytes(bytes)}, as q4` : formatBytes(bytes)}`;
  const what = limit === MAX_MEMORY_BYTES ? "wasm32 holds" : "maxMemoryBytes allows";
  const narrower = { q4: "", q8: 'dtype "q4", ', bf16: 'dtype "q4" or "q8", ', f32: 'dtype "q4", "q8" or "bf16", ' };
  throw new MemoryError(
    `load: ${need}, ${what} ${formatBytes(limit)} (use ${narrower[dtype ?? "f32"]}residency "streamed", or a smaller model)`,
  );
}

/** Returns the budget of streamed weights. @throws {MemoryError} a budget too small for a forward pass, or larger than the free memory */
function streamingBudget(weights: readonly MatchedWeight[], limit: number, { dtype, budgetBytes }: LoadOptions): number {
  const others = weights.filter((weight) => !isStreamed(weight.spec)).map(({ spec }) => spec);
  const most = Math.max(0, limit - residentBytes(others, dtype));
  const least = minBudgetBytes(streamedMatrices(weights, dtype));
  const budget = budgetBytes ?? Math.min(DEFAULT_STREAMING_BUDGET_BYTES, most);
  const got = `got ${formatBytes(budget)}`;
  if (budget < least) {
    const narrower = dtype === "q4" ? "" : ` (dtype "${dtype === "q8" ? "q4" : "q8"}" needs less)`;
    throw new MemoryError(
      `load: budgetBytes: expected at least ${formatBytes(least)} for the largest step of a forward pass, ${got}${narrower}`,
    );
  }
  if (budget <= most) return budget;
  const what = limit === MAX_MEMORY_BYTES ? "wasm32" : "maxMemoryBytes";
  throw new MemoryError(`load: budgetBytes: expected at most ${formatBytes(most)}, the memory that ${what} leaves for matrices, ${got}`);
}

/** Returns the matrices that stay in their files, in the order of the graph. */
export function streamedMatrices(weights: readonly MatchedWeight[], dtype: ResidentDType | undefined): StreamedMatrix[] {
  const large = weights.filter(({ spec }) => isStreamed(spec));
  return large.map(({ spec, stored: { file, begin } }) => {
    const { layer, block } = spec;
    return { spec, resident: residentDType(spec, dtype), file, begin, layer, expert: block === "expert" };
  });
}

/** Returns the total number of bytes of stored tensors. */
export function totalBytes(tensors: readonly Pick<StoredTensor, "begin" | "end">[]): number {
  return tensors.reduce((sum, { begin, end }) => sum + end - begin, 0);
}

/** Adds bytes to the progress of a phase. @throws the signal's reason */
type ReportProgress = (phase: Progress["phase"], bytes: number) => void;

function progressReporter(totalBytes: number, onProgress: (progress: Progress) => void, signal: AbortSignal | undefined): ReportProgress {
  let loadedBytes = 0;
  return (phase, bytes) => {
    signal?.throwIfAborted();
    loadedBytes += bytes;
    onProgress({ loadedBytes, totalBytes, fraction: loadedBytes / Math.max(totalBytes, 1), phase });
    signal?.throwIfAborted();
  };
}

function layoutOf(shards: readonly Shard[], index: ShardIndex | undefined): Layout {
  return {
    shards: shards.map(({ file, metadata, tensors }) => ({ file, metadata, tensors: tensors.map(({ name }) => name) })),
    index: index?.metadata,
  };
}
