import { platform } from "#platform";
import { TEXT_FILES } from "../../io/checkpoint-files.js";
import { type CheckpointSource, openByteSource } from "../../io/open-byte-source.js";
import { graph } from "../../model/graph.js";
import { readConfigFile } from "../config-file.js";
import { splitFusedExperts } from "../fused-experts.js";
import { matchWeights } from "../match-weights.js";
import { type ExportOptions, progressReporter } from "../save-options.js";
import { findShards, keepListedTensors, readShardHeader, readShardSizes, readTextFile, type Shard, tensorsByName } from "../shards.js";
import { checkTiedHead } from "../tied-head.js";
import { expectGgufPath, parseExportOptions } from "./export-options.js";
import { expectLlamaCppModel } from "./llama-cpp-model.js";
import { storedWeights } from "./weight-readers.js";
import { textMetadata, writeGguf } from "./write-gguf.js";

/**
 * Converts the files of a checkpoint to a GGUF file, without loading the model.
 *
 * @param source may be a function that returns the source, which is called after the checks of the arguments
 */
export async function exportCheckpoint(
  source: CheckpointSource | (() => Promise<CheckpointSource>),
  path: string,
  given: ExportOptions,
): Promise<void> {
  expectGgufPath("exportGguf: path", path);
  const options = parseExportOptions(given);
  const { dtype, onProgress = () => {}, onWarning, signal } = options;
  const from = await openByteSource(typeof source === "function" ? await source() : source, options);
  try {
    const { config } = await readConfigFile(from, "give a checkpoint's directory", options);
    const files = new Map<string, Uint8Array>();
    for (const file of TEXT_FILES) {
      const bytes = await readTextFile(from, file, signal);
      if (bytes) files.set(file, bytes.slice());
    }
    // Refusals come before the download of the weights.
    expectLlamaCppModel(config);
    await textMetadata(config, files);
    const { files: names, index } = await findShards(from, signal);
    const sizes = await readShardSizes(from, names, signal);
    const download = progressReporter("download", onProgress);
    const missing = (await from.downloader?.missingBytes(names, signal)) ?? 0;
    await from.downloader?.fetch(names, (bytes) => download(bytes, missing), signal);
    const found: Shard[] = [];
    for (const [file, size] of sizes) found.push(await readShardHeader(from, file, size, signal));
    const shards = splitFusedExperts(keepListedTensors(found, index, onWarning), config);
    const { weights, buffers } = matchWeights(graph(config), tensorsByName(shards), shards);
    await checkTiedHead(from, weights, buffers, signal);
    const model = { config, files, weights: storedWeights(from, weights, signal) };
    const to = await platform.openFileDestination(path);
    await writeGguf(model, to, path, { dtype, signal, onBytes: progressReporter("write", onProgress) });
  } finally {
    await from.close();
  }
}
