import type { Rotation } from "../ops/rope.js";
import type { Segment } from "../ops/segment.js";
import type { Tensor } from "../runtime/tensor.js";

/** The rows of each sequence in a batch, and the constants that depend on each row's position. */
export interface BatchLayout {
  /** The rows of each sequence, one sequence after the other. */
  readonly segments: readonly Segment[];
  /** Rotary angles of lightning attention. Undefined if it has no rotary embedding. */
  readonly lightningRotation: Rotation | undefined;
  /** Rotary angles of softmax attention. Undefined if it has no rotary embedding. */
  readonly softmaxRotation: Rotation | undefined;
  /** Factor of the queries of softmax attention, `[tokens]`. Undefined if it is 1. */
  readonly queryScales: Tensor | undefined;
}
