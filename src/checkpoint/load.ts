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
 * Loads a checkpoint from safetensors files, with the tensor names of either MiniMax or transformers. All checks that do not need the
 * weights run before memory is allocated. If the load fails or is aborted, its memory is freed.
 *
 * @throws {CheckpointError} nothing to open, or a damaged file
 * @throws {ConfigError} a configuration of another model, or an inconsistent one
 * @throws {WeightError} missing, superfluous or quantised weights, weights of another shape, or (with `checkNaN`) non-finite weights
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
