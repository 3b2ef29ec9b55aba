import * as v from "valibot";
import { CheckpointError, formatBytes, InputError, MemoryError } from "../base/errors.js";
import { decodeJson } from "../base/json.js";
import { callback, flag, number, oneOf, parseOptions, signal, text } from "../base/options.js";
import { type ByteSource, missingFileHint, type OpenOptions, TOOL_TEMPLATE_FILE } from "../io/byte-source.js";
import { type CheckpointSource, openByteSource } from "../io/open-byte-source.js";
import { retryOptionSchemas } from "../io/retry-policy.js";
import type { KVType } from "../model/cache.js";
import { type Config, parseConfig } from "../model/config.js";
import { graph, isConfig, residentDType } from "../model/graph.js";
import { MAX_MEMORY_BYTES } from "../runtime/heap.js";
import { buildOption, threadsOption } from "../runtime/options.js";
import { type KernelCall, Runtime } from "../runtime/runtime.js";
import type { Build } from "../runtime/wasm.js";
import { ResidentWeights } from "../weights/resident.js";
import { StreamedWeights } from "../weights/streamed.js";
import { minBudgetBytes, type StreamedMatrix } from "../weights/streamed-matrix.js";
import { checkStreaming, ThreadReader } from "../weights/thread-reader.js";
import type { ResidentDType, StoredWeights } from "../weights/weights.js";
import { DEFAULT_STREAMING_BUDGET_BYTES, isStreamed, residentBytes } from "./estimate-memory.js";
import { splitFusedExperts } from "./fused-experts.js";
import { type MatchedWeight, matchWeights } from "./match-weights.js";
import { bufferRanges, NonFiniteCounts, type RangeConsumer, readRanges, weightRanges } from "./read-ranges.js";
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

/** How far loading has come, over all files and, for hub ids, the download before it. */
export interface Progress {
  readonly loadedBytes: number;
  /** Known from the start, and constant. */
  readonly totalBytes: number;
  /** From 0 to 1, never falling. */
  readonly fraction: number;
  readonly phase: "download" | "load";
}

export interface LoadOptions extends OpenOptions {
  /**
   * Precision of matrices in memory: as stored by default (float16 as float32); `"bf16"` rounds, `"f32"` widens. `"q8"` rounds to 8-bit
   * integers with a scale for every output and 512 inputs, a quarter of float32; such a model cannot be saved. Routers and vectors stay float32.
   */
  dtype?: ResidentDType;
  /** Which kernels run; `"auto"` takes the fastest that the engine has. */
  build?: Build | "auto";
  /**
   * Threads to compute with, at most 64; `"auto"`, the default, takes one per processor, at most 8, and leaves a processor to the reading of
   * streamed weights. Results are the same to the bit. In a page more than one need it to be cross-origin isolated; without, `onWarning` is
   * told and one computes.
   */
  threads?: number | "auto";
  /** How softmax layers keep keys and values: float32 (default), bf16 in half the memory, int8 in about a quarter. */
  kv?: KVType;
  /** Told of every kernel call with its time and its operations: for profiles. */
  onKernel?: (call: KernelCall) => void;
  /** Told how far loading has come; ends with fraction 1. */
  onProgress?: (progress: Progress) => void;
  /** In place of the file `config.json`: its JSON, or a typed configuration. */
  config?: Config | Record<string, unknown>;
  /**
   * Where matrices are: in memory (`"resident"`, the default), or in their files (`"streamed"`), from which they are read when a layer or a chosen
   * expert needs them, ahead of time where that can be known. So checkpoints run that are larger than memory, at the speed of the drive. In Node and in
   * a browser's worker; vectors and routers stay in memory.
   */
  residency?: "resident" | "streamed";
  /** With `residency: "streamed"`, the most that matrices may take in memory (1 GiB): what was used is kept as long as it fits. */
  budgetBytes?: number;
  /** Refuse weights that hold NaN or infinity. */
  checkNaN?: boolean;
  /** The most that the weights may take; wasm32 ends at 4 GiB in any case. */
  maxMemoryBytes?: number;
}

const schema = v.strictObject({
  dtype: v.optional(oneOf("f32", "bf16", "q8")),
  build: v.optional(buildOption),
  threads: v.optional(threadsOption),
  kv: v.optional(oneOf("f32", "bf16", "q8")),
  onKernel: v.optional(callback()),
  onProgress: v.optional(callback()),
  onWarning: v.optional(callback()),
  config: v.optional(v.record(v.string(), v.unknown(), "a configuration, or the JSON of a config.json")),
  residency: v.optional(oneOf("resident", "streamed")),
  budgetBytes: v.optional(number("a number of bytes above 0", (x) => x > 0)),
  checkNaN: v.optional(flag),
  maxMemoryBytes: v.optional(number("a number of bytes above 0", (x) => x > 0)),
  revision: v.optional(text),
  localFilesOnly: v.optional(flag),
  ...retryOptionSchemas,
  signal: v.optional(signal),
});

/** A stored tensor that is no parameter, kept for saving it back. */
export interface StoredBuffer {
  readonly name: string;
  /** As in the file's header. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** How a checkpoint is divided into files. */
export interface Layout {
  readonly shards: readonly {
    readonly file: string;
    readonly metadata: Readonly<Record<string, string>>;
    readonly tensors: readonly string[];
  }[];
  /** The index's own metadata; undefined where there is no index. */
  readonly index: Readonly<Record<string, unknown>> | undefined;
}

/** A loaded checkpoint. Its memory is the runtime's: `rt.dispose()` gives it back. */
export interface Checkpoint {
  readonly config: Config;
  readonly rt: Runtime;
  readonly weights: StoredWeights;
  readonly buffers: readonly StoredBuffer[];
  /** Configuration and text files as they were read, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Undefined for one that was never in files. */
  readonly layout: Layout | undefined;
}

export const CONFIG_FILE = "config.json";

/** Text files that belong to a checkpoint. */
const TEXT_FILES = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
  TOOL_TEMPLATE_FILE,
];

/**
 * Loads a checkpoint of either dialect from safetensors files. Everything that can be checked is checked before memory is
 * allocated; a load that fails or is aborted leaves nothing behind.
 *
 * @throws {CheckpointError} nothing to open, or a damaged file
 * @throws {ConfigError} a configuration of another model, or one that contradicts itself
 * @throws {WeightError} weights that are missing, superfluous, misshapen, quantised, or (on request) NaN
 * @throws {MemoryError} weights that do not fit
 * @throws {InputError} options that do not fit
 */
export async function loadCheckpoint(source: CheckpointSource, options: LoadOptions = {}): Promise<Checkpoint> {
  const { residency, budgetBytes } = parseOptions(schema, options, "load");
  if (budgetBytes !== undefined && residency !== "streamed") {
    throw new InputError(
      'load: budgetBytes: expected with residency "streamed" only (resident weights take what they take: see maxMemoryBytes)',
    );
  }
  if (residency === "streamed") checkStreaming();
  const files = await openByteSource(source, options);
  try {
    return await readCheckpoint(files, options);
  } finally {
    await files.close();
  }
}

async function readCheckpoint(source: ByteSource, options: LoadOptions): Promise<Checkpoint> {
  const streamed = options.residency === "streamed";
  if (streamed && !source.location) {
    throw new CheckpointError(
      `${source.name}: expected files that another thread can read, got Blobs, which none but a browser's can (give the directory's path)`,
    );
  }
  const survey = await planLoad(source, options);
  options.signal?.throwIfAborted();
  const { build, threads = "auto", onKernel, onWarning } = options;
  const rt = await Runtime.create(build, { threads, shared: streamed, bytes: survey.memoryBytes, onWarning });
  rt.onKernel = onKernel;
  try {
    return await (streamed ? loadStreamed : loadResident)(source, survey, rt, options);
  } catch (error) {
    rt.dispose();
    throw error;
  }
}

/** All that is known of a checkpoint before its weights are read. */
interface LoadPlan {
  readonly config: Config;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly shards: readonly Shard[];
  readonly index: ShardIndex | undefined;
  readonly weights: readonly MatchedWeight[];
  readonly buffers: readonly StoredTensor[];
  readonly progress: ReportProgress;
  /** By file, what tells this version of it from others; only for streaming. */
  readonly fileVersions: ReadonlyMap<string, string>;
  /** What streamed weights may take. */
  readonly budgetBytes: number;
  /** What weights take in memory. */
  readonly memoryBytes: number;
}

/** Reads and checks everything but the weights, and downloads them where the source keeps copies. */
async function planLoad(source: ByteSource, options: LoadOptions): Promise<LoadPlan> {
  const { signal, dtype, onProgress = () => {}, maxMemoryBytes = MAX_MEMORY_BYTES } = options;
  const streamed = options.residency === "streamed";
  const limit = Math.min(maxMemoryBytes, MAX_MEMORY_BYTES);
  const files = new Map<string, Uint8Array>();
  const config = await readConfig(source, files, options);
  const model = graph(config);
  if (!streamed) expectWeightsFit(residentBytes(model.tensors, "q8"), limit, "q8");

  const { files: names, index } = await findShards(source, signal);
  const sizes = await readShardSizes(source, names, signal);
  const shardBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const missingBytes = (await source.downloader?.missingBytes(names)) ?? 0;
  const progress = progressReporter(missingBytes + shardBytes, onProgress, signal);
  progress("download", 0);
  await source.downloader?.fetch(names, (bytes) => progress("download", bytes), signal);

  // Before anything of a file is read, so that no change after that goes unnoticed.
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
  const bufferBytes = totalBytes(buffers);
  const budgetBytes = streamed ? streamingBudget(weights, limit, options) : 0;
  const memoryBytes = streamed ? budgetBytes : residentBytes(specs, dtype);
  if (!streamed) expectWeightsFit(memoryBytes + bufferBytes, limit, dtype);
  await checkTiedHead(source, weights, buffers, signal);

  for (const file of TEXT_FILES) {
    const bytes = await readTextFile(source, file, signal);
    if (bytes) files.set(file, bytes.slice());
  }
  return { config, files, shards, index, weights, buffers, progress, fileVersions, budgetBytes, memoryBytes };
}

/** Makes room for the weights and reads them, file by file from beginning to end. */
async function loadResident(
  source: ByteSource,
  survey: LoadPlan,
  rt: Runtime,
  { dtype, checkNaN, signal }: LoadOptions,
): Promise<Checkpoint> {
  const { config, files, shards, index } = survey;
  const weights = new ResidentWeights(rt);
  const buffers = await readResidentWeights(source, survey, survey.weights, weights, { dtype, checkNaN, signal });
  const checkpoint = { config, rt, weights, buffers, files, layout: layoutOf(shards, index) };
  const rounded = survey.weights.some(({ spec }) => weights.spec(spec.name).dtype !== spec.dtype);
  return rounded ? withBf16Config(checkpoint) : checkpoint;
}

/** Reads what stays in memory, the buffers besides the weights among it. @returns those */
async function readResidentWeights(
  source: ByteSource,
  { shards, buffers, progress }: LoadPlan,
  chosen: readonly MatchedWeight[],
  weights: ResidentWeights,
  { dtype, checkNaN, signal }: Pick<LoadOptions, "dtype" | "checkNaN" | "signal">,
): Promise<StoredBuffer[]> {
  const nan = new NonFiniteCounts();
  const pieces = new Map<string, RangeConsumer[]>();
  for (const weight of chosen) {
    const { spec } = weight;
    const resident = residentDType(spec, dtype);
    weights.add(resident === "bf16" ? { ...spec, dtype: "bf16" } : spec, resident);
    pieces.set(spec.name, weightRanges(weights, weight, nan));
  }
  const kept = buffers.map((tensor) => {
    const { name, dtype, shape, begin, end } = tensor;
    const bytes = new Uint8Array(end - begin);
    pieces.set(name, bufferRanges(tensor, bytes));
    return { name, dtype, shape, bytes };
  });
  for (const { file, dataOffset, unlisted, tensors } of shards) {
    progress("load", dataOffset + totalBytes(unlisted));
    const all = tensors.flatMap(({ name }) => pieces.get(name) ?? []);
    await readRanges(source, file, all, (bytes) => progress("load", bytes), signal);
  }
  if (checkNaN) nan.throwIfAny();
  return kept;
}

/** Reads vectors and routers, and leaves the rest where it is until it is needed. */
async function loadStreamed(source: ByteSource, survey: LoadPlan, rt: Runtime, options: LoadOptions): Promise<Checkpoint> {
  const { dtype, checkNaN } = options;
  const small = new ResidentWeights(rt);
  const others = survey.weights.filter((weight) => !isStreamedWeight(weight));
  const buffers = await readResidentWeights(source, survey, others, small, options);
  const reads = await ThreadReader.start(rt.sharedMemory, source.location!, survey.fileVersions);
  rt.attachThreads(reads);
  const weights = new StreamedWeights(rt, reads, streamedMatrices(survey.weights, dtype), small, survey.budgetBytes, checkNaN);
  survey.progress("load", totalBytes(survey.weights.filter(isStreamedWeight).map(({ stored }) => stored)));
  return { config: survey.config, rt, weights, buffers, files: survey.files, layout: layoutOf(survey.shards, survey.index) };
}

function totalBytes(tensors: readonly Pick<StoredTensor, "begin" | "end">[]): number {
  return tensors.reduce((sum, { begin, end }) => sum + end - begin, 0);
}

/** Whether it stays in its file. */
function isStreamedWeight({ spec }: MatchedWeight): boolean {
  return isStreamed(spec);
}

function streamedMatrices(weights: readonly MatchedWeight[], dtype: ResidentDType | undefined): StreamedMatrix[] {
  return weights.filter(isStreamedWeight).map(({ spec, stored: { file, begin } }) => {
    const { layer, block } = spec;
    return { spec, resident: residentDType(spec, dtype), file, begin, layer, expert: block === "expert" };
  });
}

async function readConfig(source: ByteSource, files: Map<string, Uint8Array>, { config, onWarning, signal }: LoadOptions): Promise<Config> {
  if (config) return isConfig(config) ? config : parseConfig(config, onWarning);
  const bytes = await readTextFile(source, CONFIG_FILE, signal);
  if (!bytes) {
    throw new CheckpointError(
      `${source.name}: ${CONFIG_FILE}: missing (give a checkpoint's directory; one file needs the config option${missingFileHint(source)})`,
    );
  }
  files.set(CONFIG_FILE, bytes.slice());
  return parseConfig(decodeJson(bytes, CONFIG_FILE, { nonFinite: true }), onWarning);
}

/** @param dtype in which the weights take so many bytes; nothing takes fewer than q8 */
function expectWeightsFit(bytes: number, limit: number, dtype: ResidentDType | undefined): void {
  if (bytes <= limit) return;
  const need = `the weights need ${dtype === "q8" ? `at least ${formatBytes(bytes)}, as q8` : formatBytes(bytes)}`;
  const what = limit === MAX_MEMORY_BYTES ? "wasm32 holds" : "maxMemoryBytes allows";
  const narrower = dtype === "q8" ? "" : dtype === "bf16" ? 'dtype "q8", ' : 'dtype "q8" or "bf16", ';
  throw new MemoryError(`load: ${need}, ${what} ${formatBytes(limit)} (${narrower}residency "streamed", or a smaller model)`);
}

/** What streamed weights may take. @throws {MemoryError} a budget that no pass fits into, or that does not fit itself */
function streamingBudget(weights: readonly MatchedWeight[], limit: number, { dtype, budgetBytes }: LoadOptions): number {
  const others = weights.filter((weight) => !isStreamedWeight(weight)).map(({ spec }) => spec);
  const most = Math.max(0, limit - residentBytes(others, dtype));
  const least = minBudgetBytes(streamedMatrices(weights, dtype));
  const budget = budgetBytes ?? Math.min(DEFAULT_STREAMING_BUDGET_BYTES, most);
  const got = `got ${formatBytes(budget)}`;
  if (budget < least) {
    const narrower = dtype === "q8" ? "" : ' (dtype "q8" takes less)';
    throw new MemoryError(
      `load: budgetBytes: expected at least ${formatBytes(least)}, which the largest step of a pass takes at once, ${got}${narrower}`,
    );
  }
  if (budget <= most) return budget;
  const what = limit === MAX_MEMORY_BYTES ? "wasm32" : "maxMemoryBytes";
  throw new MemoryError(`load: budgetBytes: expected at most ${formatBytes(most)}, which is what ${what} leaves for it, ${got}`);
}

type ReportProgress = (phase: Progress["phase"], bytes: number) => void;

/** Reports bytes against a fixed total; ends a load whose signal fired meanwhile. */
function progressReporter(totalBytes: number, onProgress: (progress: Progress) => void, signal: AbortSignal | undefined): ReportProgress {
  let loadedBytes = 0;
  return (phase, bytes) => {
    signal?.throwIfAborted();
    loadedBytes += bytes;
    onProgress({ loadedBytes, totalBytes, fraction: loadedBytes / Math.max(totalBytes, 1), phase });
    signal?.throwIfAborted();
  };
}

/** What was rounded on loading is bf16 from now on, and its configuration says so. */
function withBf16Config(checkpoint: Checkpoint): Checkpoint {
  const { config } = checkpoint;
  const { source, dialect } = config;
  const given = ["dtype", "torch_dtype"].filter((key) => key in source);
  const keys = given.length > 0 ? given : [dialect === "minimax" ? "dtype" : "torch_dtype"];
  const files = new Map(checkpoint.files);
  files.delete(CONFIG_FILE);
  return {
    ...checkpoint,
    files,
    config: { ...config, dtype: "bf16", source: { ...source, ...Object.fromEntries(keys.map((key) => [key, "bfloat16"])) } },
  };
}

function layoutOf(shards: readonly Shard[], index: ShardIndex | undefined): Layout {
  return {
    shards: shards.map(({ file, metadata, tensors }) => ({ file, metadata, tensors: tensors.map(({ name }) => name) })),
    index: index?.metadata,
  };
}
