import { ShapeError } from "../base/errors.js";
import type { Runtime } from "./runtime.js";
import { bytesOf, type Tensor } from "./tensor.js";

/** The backward pass of an op. It gets the gradient `dy` of the op's result, and adds to the gradients `d(x)` of its inputs. */
type BackwardClosure = (dy: Tensor, d: (x: Tensor) => Tensor) => void;

/**
 * A tape for reverse-mode differentiation: a list of the ops of a forward pass, each with its backward closure. The gradient of a tensor x
 * is ∂L/∂x of a number L, in x's shape and layout.
 *
 * 1. `watch` runs a forward pass, whose ops record themselves.
 *
 * 2. `setOutputGradient` sets ∂L/∂y for the results y from which L is computed.
 *
 * 3. `backward` runs the closures from the last op to the first.
 *
 * Gradients are keyed by tensor. The caller owns parameter gradients. Every other gradient is allocated on first use, and freed after the
 * backward closure of the op that produced the tensor.
 *
 * The tape retains only the tensors whose values a closure reads, until `backward` is over. Scopes free all other tensors. Only float32 is
 * supported. Run all three steps inside one `rt.scope`.
 */
export class Tape {
  private readonly steps: (() => void)[] = [];
  private readonly retained = new Set<Tensor>();
  private gradients = new Map<object, Tensor>();

  /** Whether layers keep only their inputs, and run their forward pass again during `backward`. */
  readonly checkpointing: boolean;
  private readonly parameters: ReadonlyMap<Tensor, Tensor>;
  private readonly ends: (() => void)[] = [];

  /**
   * @param parameters gradients by parameter, each in the parameter's shape and layout (`zeros(rt, w.shape, w.layout)`). The tape adds to
   *   them and never frees them
   */
  constructor(
    readonly rt: Runtime,
    { parameters = new Map(), checkpointing = false }: { parameters?: ReadonlyMap<Tensor, Tensor>; checkpointing?: boolean } = {},
  ) {
    this.parameters = parameters;
    this.checkpointing = checkpointing;
  }

  /** Runs `body` and records its ops. If `body` throws, the tape is emptied. */
  watch<T>(body: () => T): T {
    const { rt } = this;
    const outer = rt.tape;
    rt.tape = this;
    try {
      return body();
    } catch (error) {
      this.dispose();
      throw error;
    } finally {
      rt.tape = outer;
    }
  }

  /**
   * Records an op that produced `y`. During `backward`, `back` gets the gradient of y, which is freed afterwards. If nothing depended on y,
   * `back` does not run.
   *
   * @param reads tensors whose values `back` reads. They are retained until then, and must not be changed meanwhile
   */
  record(y: Tensor, reads: readonly Tensor[], back: BackwardClosure): void {
    this.recordBackward(reads, () => {
      const dy = this.takeGradient(y);
      if (!dy) return;
      try {
        back(dy, (x) => this.gradient(x));
      } finally {
        this.rt.release(dy);
      }
    });
  }

  /** Records an op that added to an existing tensor `y`. `back` gets the gradient of y, which stays unchanged. */
  recordChange(y: Tensor, reads: readonly Tensor[], back: BackwardClosure): void {
    this.recordBackward(reads, () => {
      if (this.hasGradient(y)) back(this.gradient(y), (x) => this.gradient(x));
    });
  }

  /** Records any other step of the backward pass. */
  recordBackward(reads: readonly Tensor[], step: () => void): void {
    for (const x of reads) this.retain(x);
    this.steps.push(step);
  }

  /** Calls `end` when the tape is emptied, after `backward` or after an error. */
  atEnd(end: () => void): void {
    this.ends.push(end);
  }

  /**
   * Returns the gradient of a tensor, to which the caller adds. On first use it is zero. The gradient of a slice is a slice of the whole
   * tensor's gradient.
   *
   * @throws {ShapeError} the tensor is not float32, such as weights loaded as bf16
   */
  gradient(x: Tensor): Tensor {
    const whole = x.whole ?? x;
    let gradient = this.parameters.get(whole) ?? this.gradients.get(whole);
    if (!gradient) {
      if (whole.dtype !== "f32") {
        throw new ShapeError(
          `gradient: expected a float32 tensor, got [${whole.shape.join(", ")}] ${whole.dtype}. Load weights with dtype: "f32" to train them.`,
        );
      }
      gradient = zeros(this.rt, whole.shape, whole.layout);
      this.gradients.set(whole, gradient);
    }
    return { ...gradient, ptr: gradient.ptr + x.ptr - whole.ptr, shape: x.shape };
  }

  /** Returns the gradient of an object that is not a tensor, such as a key-value cache. The first call determines its shape. */
  gradientFor(key: object, shape: readonly number[]): Tensor {
    const gradient = this.gradients.get(key) ?? zeros(this.rt, shape);
    this.gradients.set(key, gradient);
    return gradient;
  }

  /** Returns whether a tensor, or a key of `gradientFor`, has a gradient yet. */
  hasGradient(x: Tensor | object): boolean {
    return this.gradients.has(("whole" in x && (x as Tensor).whole) || x);
  }

  /** Sets ∂L/∂x of a result x, in x's shape, before `backward`. From then on the tape owns `dx`: it changes and frees it. */
  setOutputGradient(x: Tensor, dx: Tensor): void {
    this.gradients.set(x.whole ?? x, dx);
  }

  /** Removes the gradient of a tensor from the tape and returns it, if there is one. The caller must release it. */
  takeGradient(x: Tensor): Tensor | undefined {
    const gradient = this.takeGradientFor(x.whole ?? x);
    return gradient && { ...gradient, shape: x.shape };
  }

  /** Removes the gradient of a key of `gradientFor` and returns it. The caller must release it. */
  takeGradientFor(key: object): Tensor | undefined {
    const gradient = this.gradients.get(key);
    this.gradients.delete(key);
    return gradient;
  }

  /**
   * Runs `body` with gradient checkpointing (Chen et al. 2016), without retaining what its backward pass reads. During `backward`, `body`
   * runs again, with bit-identical results, and is recorded then.
   *
   * @param reads tensors that `body` reads
   * @param restore restores all other state that `body` reads and changes
   */
  checkpoint<T extends Readonly<Record<string, Tensor>>>(reads: readonly Tensor[], body: () => T, restore: () => void): T {
    const { rt } = this;
    rt.tape = undefined;
    let results: T;
    try {
      results = body();
    } finally {
      rt.tape = this;
    }
    this.recordBackward(reads, () => {
      restore();
      const again = new Tape(rt, { parameters: this.parameters });
      again.gradients = this.gradients;
      const outcome = again.watch(body);
      for (const [name, y] of Object.entries(results)) {
        const dy = this.takeGradient(y);
        if (dy) again.setOutputGradient(outcome[name]!, dy);
      }
      try {
        again.run();
      } finally {
        again.releaseRetained();
      }
    });
    return results;
  }

  /** Computes all gradients, from the last op to the first. Empties the tape, even after an error. */
  backward(): void {
    try {
      this.run();
    } finally {
      this.dispose();
    }
  }

  private run(): void {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) this.rt.scope(step);
    this.releaseRetained();
  }

  /** Frees all gradients and retained tensors. */
  private dispose(): void {
    this.steps.length = 0;
    this.releaseRetained();
    for (const x of this.gradients.values()) this.rt.release(x);
    this.gradients.clear();
    for (const end of this.ends.splice(0)) end();
  }

  private releaseRetained(): void {
    for (const x of this.retained) this.rt.releaseRetained(x);
    this.retained.clear();
  }

  private retain(x: Tensor): void {
    const whole = x.whole ?? x;
    if (!this.retained.has(whole) && this.rt.retain(whole)) this.retained.add(whole);
  }
}

/** Allocates a float32 tensor of zeros. It is kept until it is released. In contrast to `rt.fill`, the padding of panels is zero too. */
export function zeros(rt: Runtime, shape: readonly number[], layout: Tensor["layout"] = "rows"): Tensor {
  const y = rt.keep(shape, "f32", layout);
  rt.bytes(y.ptr, bytesOf(shape, "f32", layout)).fill(0);
  return y;
}
