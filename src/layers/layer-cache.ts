import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";
import type { BatchLayout } from "./batch-layout.js";

/**
 * The state of one sequence in one layer: a `LightningState` or a `KeyValueCache`. Only the attention block that created a cache reads it,
 * so the kind always matches.
 */
export interface LayerCache {
  /** The tensors that make up the state after the tokens so far, in the order in which sessions save them. */
  readonly tensors: readonly Tensor[];
  /**
   * Allocates memory for `tokens` tokens in total.
   *
   * @throws {MemoryError} not enough memory; the state is unchanged
   */
  reserve(tokens: number): void;
  /** Sets the number of tokens in the state. A lightning state has the same size for any number. */
  resize(length: number): void;
  /** Records the state, so that `restore` can return to it. `tensors` are the copies that `restore` needs. */
  snapshot(): { readonly tensors: readonly Tensor[]; restore(): void };
  /** Copies a lightning state as `[heads, headDim, headDim]`. Missing in softmax layers. */
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
   * @param layout the rows of each sequence, and the constants of each row
   * @param caches one per segment, from this block's `newCache`
   * @returns `[tokens, hidden]`
   */
  forward(x: Tensor, layout: BatchLayout, caches: readonly LayerCache[]): Tensor;
  /**
   * Computes the attention probabilities of the last `forward`, from the same arguments. The caches have not advanced since. Missing in
   * lightning attention, which has none.
   *
   * @returns `[batch, heads, queries, positions]`, where positions is the length of the longest cache; 0 for later positions
   */
  probabilities?(x: Tensor, layout: BatchLayout, caches: readonly LayerCache[]): Float32Array;
}
