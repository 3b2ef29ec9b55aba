import { CheckpointError } from "../base/errors.js";
import type { ByteSource } from "../io/byte-source.js";
import { type CheckpointSource, openByteSource } from "../io/open-byte-source.js";
import { Runtime } from "../runtime/runtime.js";
import { checkStreaming } from "../weights/thread-reader.js";
import type { Checkpoint } from "./checkpoint.js";
import { checkLoadOptions, type LoadOptions } from "./load-options.js";
import { loadResident, loadStreamed } from "./load-weights.js";
import { planLoad } from "./plan-load.js";

/**
 * Loads a checkpoint of either dialect from safetensors files. Everything that can be checked is checked before memory is allocated. A
 * load that fails or is aborted frees what it allocated.
 *
 * @throws {CheckpointError} nothing to open, or a damaged file
 * @throws {ConfigError} a configuration of another model, or an inconsistent one
 * @throws {WeightError} weights that are missing, superfluous, of another shape, quantised, or (on request) not finite
 * @throws {MemoryError} weights that do not fit
 * @throws {InputError} invalid options
 */
export async function loadCheckpoint(source: CheckpointSource, options: LoadOptions = {}): Promise<Checkpoint> {
  checkLoadOptions(options);
  if (options.residency === "streamed") checkStreaming();
  const files = await openByteSource(source, options);
  try {
    return await loadFrom(files, options);
  } finally {
    await files.close();
  }
}

async function loadFrom(source: ByteSource, options: LoadOptions): Promise<Checkpoint> {
  const { build, threads = "auto", onKernel, onWarning, signal } = options;
  const streamed = options.residency === "streamed";
  if (streamed && !source.location) {
    throw new CheckpointError(
      `${source.name}: expected files that another thread can read, got Blobs, which only threads of a browser can read (give the directory's path)`,
    );
  }
  const plan = await planLoad(source, options);
  signal?.throwIfAborted();
  const rt = await Runtime.create(build, { threads, shared: streamed, bytes: plan.memoryBytes, onWarning });
  rt.onKernel = onKernel;
  try {
    return await (streamed ? loadStreamed : loadResident)(source, plan, rt, options);
  } catch (error) {
    rt.dispose();
    throw error;
  }
}
