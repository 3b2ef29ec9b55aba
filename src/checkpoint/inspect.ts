import { CheckpointError, LightningError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { ByteSource, OpenOptions } from "../io/byte-source.js";
import { type CheckpointSource, openByteSource } from "../io/open-byte-source.js";
import { type Graph, graph } from "../model/graph.js";
import { readConfigFile } from "./config-file.js";
import { splitFusedExperts } from "./fused-experts.js";
import { matchWeights } from "./match-weights.js";
import { findShards, keepListedTensors, readShardHeader, type Shard, tensorsByName } from "./shards.js";
import { hasTokenizerFiles, TOKENIZER_FILES } from "./text-settings.js";

/** The contents of a checkpoint according to its headers; no weights are read. */
export interface CheckpointInspection {
  /** The model that the configuration describes. */
  readonly graph: Graph;
  /** The files of weights, in the order of their names. */
  readonly files: readonly InspectedFile[];
  /** Number of stored tensors and their bytes, by the dtype in the headers. */
  readonly dtypes: Readonly<Record<string, { readonly tensors: number; readonly bytes: number }>>;
  /** Names of stored tensors that are not parameters and do not affect the model. */
  readonly buffers: readonly string[];
  /** Whether tokenizer files are present. Without them, the model's input and output are token ids. */
  readonly tokenizer: boolean;
  /**
   * Why the weights cannot be loaded: a file is missing, or a weight is missing, superfluous or of another shape. Undefined if they can be
   * loaded.
   */
  readonly fault: LightningError | undefined;
}

export interface InspectedFile {
  readonly file: string;
  /** Size of the file. Undefined if the index names the file, but it does not exist. */
  readonly bytes: number | undefined;
  /** Number of tensors in the file. Undefined if the header was not read, because the file is missing or not downloaded yet. */
  readonly tensors: number | undefined;
}

/**
 * Reads the configuration and the headers of a checkpoint, and compares them.
 *
 * @throws {CheckpointError} nothing to open, or a damaged file
 * @throws {ConfigError} a configuration of another model, or an inconsistent one
 */
export async function inspectCheckpoint(source: CheckpointSource, options: OpenOptions = {}): Promise<CheckpointInspection> {
  expectArgument("inspectCheckpoint: options", isObjectLike(options), "an object", options);
  const { signal, onWarning } = options;
  const from = await openByteSource(source, options);
  try {
    const { config } = await readConfigFile(from, "check that this is a checkpoint's directory", options);
    const model = graph(config);
    const { files: names, index } = await findShards(from, signal);
    const files: InspectedFile[] = [];
    const shards: Shard[] = [];
    for (const file of names) {
      signal?.throwIfAborted();
      const bytes = await from.size(file, signal);
      const shard =
        bytes !== undefined && !(await from.downloader?.missingBytes([file]))
          ? await readShardHeader(from, file, bytes, signal)
          : undefined;
      if (shard) shards.push(shard);
      files.push({ file, bytes, tensors: shard?.tensors.length });
    }
    const found = { graph: model, files, dtypes: countDTypes(shards), tokenizer: await hasTokenizer(from, signal) };
    const missing = files.filter(({ bytes }) => bytes === undefined).map(({ file }) => file);
    if (missing.length > 0) return { ...found, buffers: [], fault: missingFilesError(from.name, missing) };
    if (shards.length < files.length) return { ...found, buffers: [], fault: undefined };
    return { ...found, ...matchWithGraph(model, keepListedTensors(shards, index, onWarning)) };
  } finally {
    await from.close();
  }
}

async function hasTokenizer(source: ByteSource, signal: AbortSignal | undefined): Promise<boolean> {
  const sizes = await Promise.all(TOKENIZER_FILES.map((file) => source.size(file, signal)));
  return hasTokenizerFiles(sizes.map((size) => size !== undefined));
}

function missingFilesError(name: string, missing: readonly string[]): CheckpointError {
  const rest = missing.length - 3;
  return new CheckpointError(
    `${name}: ${missing.slice(0, 3).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}: missing (the download is incomplete)`,
  );
}

function matchWithGraph(model: Graph, shards: readonly Shard[]): Pick<CheckpointInspection, "buffers" | "fault"> {
  try {
    return {
      buffers: matchWeights(model, tensorsByName(splitFusedExperts(shards, model.config)), shards).buffers.map(({ name }) => name),
      fault: undefined,
    };
  } catch (error) {
    if (error instanceof LightningError) return { buffers: [], fault: error };
    throw error;
  }
}

function countDTypes(shards: readonly Shard[]): Record<string, { tensors: number; bytes: number }> {
  // A file may name a dtype "__proto__". A Map and Object.fromEntries handle this name safely.
  const counts = new Map<string, { tensors: number; bytes: number }>();
  for (const { dtype, begin, end } of shards.flatMap(({ tensors }) => tensors)) {
    const { tensors, bytes } = counts.get(dtype) ?? { tensors: 0, bytes: 0 };
    counts.set(dtype, { tensors: tensors + 1, bytes: bytes + end - begin });
  }
  return Object.fromEntries(counts);
}
