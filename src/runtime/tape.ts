import { ShapeError } from "../base/errors.js";
import type { Runtime } from "./runtime.js";
import { bytesOf, type Tensor } from "./tensor.js";

/** What an op does on the way back: given the gradient `dy` of its result, adds to the gradients `d(x)` of what it was made from. */
type BackwardClosure = (dy: Tensor, d: (x: Tensor) => Tensor) => void;

/**
 * The ops of a pass in order, each with its way back (reverse-mode differentiation): of a number L, the gradient of a tensor x is ∂L/∂x, in x's shape and layout.
 * While `watch` runs, every op records itself; `setOutputGradient` says what ∂L/∂y is for the results y from which L is computed; `backward` then goes from the last op to the first.
 * A gradient exists from its first contribution until the op that made its tensor has used it up.
 *
 * The tape holds only the tensors whose values the way back reads, from the op that reads them until `backward` is over; scopes free all others, as ever.
 * Float32 only. All of it, `backward` included, belongs into one `rt.scope`.
 */
export class Tape {
  private readonly steps: (() => void)[] = [];
  private readonly retained = new Set<Tensor>();
  private gradients = new Map<object, Tensor>();

  /** Whether layers keep only what goes in, and run again on the way back. */
  readonly checkpointing: boolean;
  private readonly parameters: ReadonlyMap<Tensor, Tensor>;
  private readonly ends: (() => void)[] = [];

  /**
   * @param parameters gradients by the tensor that they belong to, in its shape and layout (`zeros(rt, w.shape, w.layout)`): they are added to, and outlive the tape.
   *   All other gradients are freed as soon as they are used up
   */
  constructor(
    readonly rt: Runtime,
    { parameters = new Map(), checkpointing = false }: { parameters?: ReadonlyMap<Tensor, Tensor>; checkpointing?: boolean } = {},
  ) {
    this.parameters = parameters;
    this.checkpointing = checkpointing;
  }

  /** Runs `body`, whose ops record themselves here. If `body` throws, the tape is empty again. */
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
   * An op made `y`. On the way back, if anything depended on y, `back` is given its gradient, which is freed afterwards.
   *
   * @param reads tensors whose values `back` reads: kept until then, and not to be written to meanwhile
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

  /** An op added to `y`, a tensor that was there before: its gradient goes to `back`, and stays what it is. */
  recordChange(y: Tensor, reads: readonly Tensor[], back: BackwardClosure): void {
    this.recordBackward(reads, () => {
      if (this.hasGradient(y)) back(this.gradient(y), (x) => this.gradient(x));
    });
  }

  /** Anything else that has its turn on the way back. */
  recordBackward(reads: readonly Tensor[], step: () => void): void {
    for (const x of reads) this.retain(x);
    this.steps.push(step);
  }

  /** Runs when the tape is done with, after a failure too. */
  atEnd(end: () => void): void {
    this.ends.push(end);
  }

  /**
   * The gradient of a tensor, to add to: zeros at first. A slice's is part of its whole's.
   *
   * @throws {ShapeError} a tensor that is not float32, such as weights loaded as bf16
   */
  gradient(x: Tensor): Tensor {
    const whole = x.whole ?? x;
    let gradient = this.parameters.get(whole) ?? this.gradients.get(whole);
    if (!gradient) {
      if (whole.dtype !== "f32") {
        throw new ShapeError(
          `gradient: expected a float32 tensor, got [${whole.shape.join(", ")}] ${whole.dtype} (load weights with dtype: "f32" to train them)`,
        );
      }
      gradient = zeros(this.rt, whole.shape, whole.layout);
      this.gradients.set(whole, gradient);
    }
    return { ...gradient, ptr: gradient.ptr + x.ptr - whole.ptr, shape: x.shape };
  }

  /** The same for what is no tensor, such as a cache of keys and values. The first to ask says which shape it has. */
  gradientFor(key: object, shape: readonly number[]): Tensor {
    const gradient = this.gradients.get(key) ?? zeros(this.rt, shape);
    this.gradients.set(key, gradient);
    return gradient;
  }

  /** Whether anything has depended on this tensor so far. */
  hasGradient(x: Tensor | object): boolean {
    return this.gradients.has(("whole" in x && (x as Tensor).whole) || x);
  }

  /** Where the way back begins: ∂L/∂x of a result x, in its shape. The tape's from then on, to be changed and freed by it. */
  setOutputGradient(x: Tensor, dx: Tensor): void {
    this.gradients.set(x.whole ?? x, dx);
  }

  /** The gradient of a tensor, if anything depended on it, which is the caller's to release from then on. */
  takeGradient(x: Tensor): Tensor | undefined {
    const gradient = this.takeGradientFor(x.whole ?? x);
    return gradient && { ...gradient, shape: x.shape };
  }

  /** The same for what is no tensor. */
  takeGradientFor(key: object): Tensor | undefined {
    const gradient = this.gradients.get(key);
    this.gradients.delete(key);
    return gradient;
  }

  /**
   * Runs `body` without keeping what its way back reads: when that is due, `body` runs once more (Chen et al. 2016), to the same bits.
   *
   * @param reads what `body` reads
   * @param restore brings back what else it reads and changes, so that it computes the same again
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

  /** Adds up all gradients, from the last op to the first. The tape is empty afterwards, after a failure too. */
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

  /** Frees what is left, after a failure too. */
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

/** Zeros in float32, kept until released; the padding of panels is zero too, which `rt.fill` does not see to. */
export function zeros(rt: Runtime, shape: readonly number[], layout: Tensor["layout"] = "rows"): Tensor {
  const y = rt.keep(shape, "f32", layout);
  rt.bytes(y.ptr, bytesOf(shape, "f32", layout)).fill(0);
  return y;
}
