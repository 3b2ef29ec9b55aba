import { readRows, writeRows } from "../runtime/rows.js";
import { zeros } from "../runtime/tape.js";
import { bytesOf, type Tensor } from "../runtime/tensor.js";

/** Hyperparameters of AdamW. */
export interface AdamWOptions {
  /** Learning rate η. */
  readonly lr: number;
  /** Decay rates β₁, β₂ of the moments. */
  readonly betas: readonly [number, number];
  /** ε of the denominator. */
  readonly eps: number;
  /** Weight decay λ. */
  readonly weightDecay: number;
}

/**
 * Factor by which gradients are multiplied before the moments are updated; ε is scaled in the same way. With it, the squares of gradients
 * of 1e-18 (report, section 3.2) remain normal float32 numbers. A power of two changes no rounding.
 */
const MOMENT_SCALE = 2 ** 40;

/** Upper bound of the clipped gradient norm. (norm · MOMENT_SCALE)² must stay below the maximum of float32. */
export const MAX_CLIPPED_NORM = 2 ** 22;

/** A weight with its gradient and moments, all in the same memory layout. */
export class Parameter {
  readonly gradient: Tensor;
  private readonly first: Tensor;
  private readonly second: Tensor;

  constructor(
    readonly name: string,
    readonly weight: Tensor,
  ) {
    const { rt, shape, layout } = weight;
    const made: Tensor[] = [];
    try {
      while (made.length < 3) made.push(zeros(rt, shape, layout));
    } catch (error) {
      for (const x of made) rt.release(x);
      throw error;
    }
    [this.gradient, this.first, this.second] = made as [Tensor, Tensor, Tensor];
  }

  /** Sets the gradient to zero. */
  clearGradient(): void {
    const { rt, ptr } = this.gradient;
    rt.bytes(ptr, 4 * this.size).fill(0);
  }

  /** Computes Σ g² in float64. */
  gradientSumOfSquares(): number {
    return this.gradient.rt.kernels.sumOfSquares(this.gradient.ptr, this.size);
  }

  /**
   * Runs one step of AdamW (Loshchilov and Hutter 2019), with weight decay separate from the gradient:
   *
   *     m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
   *     w ← (1 − η λ) w − η (m / (1 − β₁ᵗ)) / (sqrt(v / (1 − β₂ᵗ)) + ε)
   *
   * @param t number of this step, from 1
   * @param factor clipping factor of the gradient
   */
  update(t: number, { lr, betas: [beta1, beta2], eps, weightDecay }: AdamWOptions, factor: number): void {
    const { weight, first, second, gradient, size } = this;
    const { rt } = weight;
    const rate = lr / (1 - beta1 ** t);
    const unbias = 1 / Math.sqrt(1 - beta2 ** t);
    const scalars = [factor * MOMENT_SCALE, beta1, beta2, 1 - lr * weightDecay, rate, unbias, eps * MOMENT_SCALE] as const;
    rt.run("adamW", [weight.ptr, first.ptr, second.ptr, gradient.ptr, ...scalars, 0, size], 24 * size);
  }

  /** Copies weight and moments, row by row, in float32. The copies are exact to the bit. */
  save(): { weight: Float32Array; first: Float32Array; second: Float32Array } {
    return { weight: readRows(this.weight), first: readRows(this.first), second: readRows(this.second) };
  }

  /** Overwrites weight and moments with the result of `save`. */
  restore({ weight, first, second }: { weight: Float32Array; first: Float32Array; second: Float32Array }): void {
    writeRows(this.weight, weight);
    writeRows(this.first, first);
    writeRows(this.second, second);
  }

  dispose(): void {
    for (const x of [this.gradient, this.first, this.second]) x.rt.release(x);
  }

  /** Number of elements of each tensor, including the padding of panels. */
  private get size(): number {
    const { shape, layout } = this.weight;
    return bytesOf(shape, "f32", layout) / 4;
  }
}
