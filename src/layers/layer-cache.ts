import type { Rotation } from "../ops/rope.js";
import type { Segment } from "../ops/segment.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";

/**
 * What one layer remembers of one sequence: a `LightningState` or a `KeyValueCache`.
 * An attention block creates its caches and is the only one that reads them, so their kind always fits.
 */
export interface LayerCache {
  /** The tensors that make up the state after the tokens so far, in the order in which sessions save them. */
  readonly tensors: readonly Tensor[];
  /**
   * Allocates room for so many tokens in all.
   *
   * @throws {MemoryError} no room; the state is unchanged
   */
  reserve(tokens: number): void;
  /** Declares that `length` tokens are in the state. A lightning state has one size, whatever the length. */
  resize(length: number): void;
  /** Records the state, so that `restore` brings it back; `tensors` are the copies that this needs. */
  snapshot(): { readonly tensors: readonly Tensor[]; restore(): void };
  /** Copies a lightning state out as `[heads, headDim, headDim]`. Missing in softmax layers. */
  readState?(): Float32Array<ArrayBuffer>;
  /** Frees the tensors. */
  dispose(): void;
}

/** The attention block of a layer, of either kind. */
export interface Attention {
  /** Allocates the empty state of one sequence. */
  newCache(rt: Runtime): LayerCache;
  /**
   * Computes attention over the sequences of a batch and advances their caches.
   *
   * @param x `[tokens, hidden]`
   * @param segments the rows of each sequence
   * @param caches one per segment, from this block's `newCache`
   * @param rotation rotary angles of all rows; lightning attention does not use them
   * @returns `[tokens, hidden]`
   */
  forward(x: Tensor, segments: readonly Segment[], caches: readonly LayerCache[], rotation: Rotation): Tensor;
}
