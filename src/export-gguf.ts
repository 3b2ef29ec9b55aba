import { bundledModelFiles } from "./bundled-model.js";
import type { ExportOptions } from "./checkpoint/save-options.js";
import type { CheckpointSource } from "./io/open-byte-source.js";

/**
 * Converts a checkpoint to a GGUF file for llama.cpp, without loading the model. At most one tensor is in memory, so the checkpoint may be
 * larger than memory. The file replaces an earlier one when it is complete.
 *
 * @param source as for `MiniMaxM1.load`. By default the bundled model
 * @param path a path that ends with `.gguf` (Node)
 * @throws {CheckpointError} no checkpoint at the source, a damaged file, a tokenizer that llama.cpp cannot express, or a file that cannot be
 *   written
 * @throws {ConfigError} the configuration of another architecture, or a setting that llama.cpp does not have
 * @throws {WeightError} weights that do not match the configuration, or that the precision cannot represent
 * @throws {InputError} invalid options
 */
export async function exportGguf(source: CheckpointSource | undefined, path: string, options: ExportOptions = {}): Promise<void> {
  const { exportCheckpoint } = await import("./checkpoint/gguf/index.js");
  await exportCheckpoint(source ?? bundledModelFiles, path, options);
}
