import { CheckpointError } from "../base/errors.js";
import { decodeJson } from "../base/json.js";
import { type ByteSource, missingFileHint } from "../io/byte-source.js";
import { CONFIG_FILE } from "../io/checkpoint-files.js";
import { type Config, parseConfig } from "../model/config.js";
import type { Checkpoint } from "./checkpoint.js";
import { readTextFile } from "./shards.js";

/**
 * Reads and parses `config.json`.
 *
 * @param remedy what to do if the file is missing, for the message
 * @throws {CheckpointError} a file that is missing or is not JSON
 * @throws {ConfigError} a configuration of another model, or an inconsistent one
 */
export async function readConfigFile(
  source: ByteSource,
  remedy: string,
  { onWarning, signal }: { onWarning?: ((message: string) => void) | undefined; signal?: AbortSignal | undefined },
): Promise<{ config: Config; bytes: Uint8Array }> {
  const bytes = await readTextFile(source, CONFIG_FILE, signal);
  if (!bytes) throw new CheckpointError(`${source.name}: ${CONFIG_FILE}: missing (${remedy}${missingFileHint(source)})`);
  return { config: parseConfig(decodeJson(bytes, CONFIG_FILE, { nonFinite: true }), onWarning), bytes };
}

/** Returns the checkpoint with a configuration that declares bf16, for weights that were rounded to bf16 while loading. */
export function withBf16Config(checkpoint: Checkpoint): Checkpoint {
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
