import { platform } from "#platform";
import { InputError } from "../../base/errors.js";
import { type Destination, MemoryDestination } from "../../io/destination.js";
import type { Config } from "../../model/config.js";
import type { StoredWeights } from "../../weights/weights.js";
import { progressReporter, type SaveOptions } from "../save-options.js";
import { expectGgufPath } from "./export-options.js";
import { loadedWeights } from "./weight-readers.js";
import { writeGguf } from "./write-gguf.js";

/** Name of a file that has no path. */
const DEFAULT_NAME = "model.gguf";

/** Writes a loaded model as a GGUF file. @param path without it, the file is returned by its name */
export async function saveModel(
  { config, weights, files }: { config: Config; weights: StoredWeights; files?: ReadonlyMap<string, Uint8Array> | undefined },
  path: string | undefined,
  { dtype, maxShardBytes, onProgress, signal }: SaveOptions,
): Promise<Map<string, Uint8Array> | undefined> {
  if (maxShardBytes !== undefined) {
    throw new InputError(`save: maxShardBytes: expected only with format "safetensors", got ${maxShardBytes} (a GGUF file is one file)`);
  }
  const model = { config, files: files ?? new Map(), weights: loadedWeights(weights) };
  const write = (to: Destination, name: string) =>
    writeGguf(model, to, name, { dtype, signal, onBytes: progressReporter("write", onProgress) });
  if (path === undefined) {
    const memory = new MemoryDestination();
    await write(memory, DEFAULT_NAME);
    return memory.files;
  }
  expectGgufPath("save: destination", path);
  await write(await platform.openFileDestination(path), path);
  return undefined;
}
