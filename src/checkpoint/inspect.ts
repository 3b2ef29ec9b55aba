import { CheckpointError, LightningError } from "../base/errors.js";
import { decodeJson } from "../base/json.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { type ByteSource, missingFileHint, type OpenOptions } from "../io/byte-source.js";
import { type CheckpointSource, openByteSource } from "../io/open-byte-source.js";
import { parseConfig } from "../model/config.js";
import { type Graph, graph } from "../model/graph.js";
import { CONFIG_FILE } from "./checkpoint.js";
import { splitFusedExperts } from "./fused-experts.js";
import { matchWeights } from "./match-weights.js";
import { findShards, keepListedTensors, readShardHeader, readTextFile, type Shard, tensorsByName } from "./shards.js";
import { hasTokenizerFiles, TOKENIZER_FILES } from "./text-settings.js";

/** What the headers of a checkpoint say; no weight has been read. */
export interface CheckpointInspection {
  /** What the configuration asks for. */
  readonly graph: Graph;
  /** Files of weights in their order. */
  readonly files: readonly InspectedFile[];
  /** Stored tensors and their bytes, by dtype as the headers name it. */
  readonly dtypes: Readonly<Record<string, { readonly tensors: number; readonly bytes: number }>>;
  /** Stored tensors that are no parameters and change nothing. */
  readonly buffers: readonly string[];
  /** Whether it has a tokenizer's files; without them token ids go in and come out. */
  readonly tokenizer: boolean;
  /** Why the weights could not be loaded: files or weights that are missing, superfluous or misshapen. */
  readonly fault: LightningError | undefined;
}

export interface InspectedFile {
  readonly file: string;
  /** Undefined for a file that the index names and that is not there. */
  readonly bytes: number | undefined;
  /** Undefined where the header was not read: nothing is downloaded for it. */
  readonly tensors: number | undefined;
}

/**
 * Reads configuration and headers of a checkpoint, and holds them against each other.
 *
 * @throws {CheckpointError} nothing to open, or a damaged file
 * @throws {ConfigError} a configuration of another model, or one that contradicts itself
 */
export async function inspectCheckpoint(source: CheckpointSource, options: OpenOptions = {}): Promise<CheckpointInspection> {
  expectArgument("inspectCheckpoint: options", isObjectLike(options), "an object", options);
  const { signal, onWarning } = options;
  const from = await openByteSource(source, options);
  try {
    const bytes = await readTextFile(from, CONFIG_FILE, signal);
    if (!bytes)
      throw new CheckpointError(`${from.name}: ${CONFIG_FILE}: missing (is this a checkpoint's directory?${missingFileHint(from)})`);
    const model = graph(parseConfig(decodeJson(bytes, CONFIG_FILE, { nonFinite: true }), onWarning));
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
  // A file may call its dtype "__proto__": names go through a Map, and through an object without a prototype's setters.
  const counts = new Map<string, { tensors: number; bytes: number }>();
  for (const { dtype, begin, end } of shards.flatMap(({ tensors }) => tensors)) {
    const { tensors, bytes } = counts.get(dtype) ?? { tensors: 0, bytes: 0 };
    counts.set(dtype, { tensors: tensors + 1, bytes: bytes + end - begin });
  }
  return Object.fromEntries(counts);
}
