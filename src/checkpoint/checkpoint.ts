import type { Config } from "../model/config.js";
import type { Runtime } from "../runtime/runtime.js";
import type { StoredWeights } from "../weights/weights.js";

/** A model's configuration, weights and files. The runtime owns the memory: `rt.dispose()` frees it. */
export interface Checkpoint {
  readonly config: Config;
  readonly rt: Runtime;
  readonly weights: StoredWeights;
  readonly buffers: readonly StoredBuffer[];
  /** Contents of the configuration and of the text files, by file name, exactly as they were read. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Division into files. Undefined for a checkpoint that was not loaded from files. */
  readonly layout: Layout | undefined;
}

/** A stored tensor that is not a parameter. It is kept so that saving writes it back. */
export interface StoredBuffer {
  readonly name: string;
  /** The dtype as in the file's header. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** How the tensors of a checkpoint are divided into files. */
export interface Layout {
  readonly shards: readonly {
    readonly file: string;
    readonly metadata: Readonly<Record<string, string>>;
    /** Names of the tensors, in the order of their bytes. */
    readonly tensors: readonly string[];
  }[];
  /** The metadata of the index file; undefined if there is no index. */
  readonly index: Readonly<Record<string, unknown>> | undefined;
}
