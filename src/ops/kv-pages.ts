import { ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tape } from "../runtime/tape.js";
import { expectShape, reshape, runtimeOf, sizeOf, slice, type Tensor } from "../runtime/tensor.js";

/** How keys and values are kept: float32, bf16, or int8 with a float32 scale for every position and head. */
export type KVType = "f32" | "bf16" | "q8";

/** Bytes per number. */
export const KV_BYTES: Readonly<Record<KVType, number>> = { f32: 4, bf16: 2, q8: 1 };

/** Positions per page. */
export const KV_PAGE_POSITIONS = 64;

/** Positions or dims per panel. */
const KV_PANEL_WIDTH = 8;

/** Keys and values of one sequence so far, in pages. */
export interface KeysValues {
  readonly kv: KVType;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Addresses of the pages, int32; at least `length` positions have one. */
  readonly pages: Tensor;
  /** Positions that are filled. */
  readonly length: number;
}

/** Bytes of one page, 64 positions of all heads. */
export function pageBytes(kvHeads: number, headDim: number, kv: KVType): number {
  const padded = Math.ceil(headDim / KV_PANEL_WIDTH) * KV_PANEL_WIDTH;
  return kvHeads * 2 * KV_PAGE_POSITIONS * (padded * KV_BYTES[kv] + (kv === "q8" ? 4 : 0));
}

/**
 * Writes keys and values `[tokens, kvHeads, headDim]` to the positions from `position` on, which have their pages already.
 *
 * @throws {ShapeError}
 */
export function storeKeysValues(keys: Tensor, values: Tensor, position: number, cache: Omit<KeysValues, "length">): void {
  const { kv, kvHeads, headDim, pages } = cache;
  const [tokens = 0] = keys.shape;
  expectShape("storeKeysValues: keys", keys, [tokens, kvHeads, headDim]);
  expectShape("storeKeysValues: values", values, keys.shape);
  expectPages("storeKeysValues", pages, position + tokens);
  const rt = runtimeOf("storeKeysValues", keys, values, pages);
  const args = [pages.ptr, keys.ptr, values.ptr, position, kvHeads, headDim, KV_BYTES[kv], 0, tokens] as const;
  rt.run("storeKeysValues", [...args], 2 * tokens * kvHeads * headDim);
}

/** Places for page addresses that a cache begins with; they double from there, four bytes each. */
const INITIAL_PAGE_TABLE_SIZE = 16;

/**
 * Keys and values of one sequence in one softmax layer, in pages: growing allocates pages and moves nothing.
 * Places that are not filled are zero.
 */
export class KeyValueCache implements KeysValues {
  pages: Tensor;
  length = 0;
  private readonly pageTensors: Tensor[] = [];

  constructor(
    private readonly rt: Runtime,
    readonly kvHeads: number,
    readonly headDim: number,
    readonly kv: KVType = "f32",
  ) {
    if (![kvHeads, headDim].every((n) => Number.isInteger(n) && n >= 1) || !Object.hasOwn(KV_BYTES, kv))
      throw new ShapeError(
        `KeyValueCache: expected numbers of heads and of their dims, and ${Object.keys(KV_BYTES).join(", ")}, got ${printed(kvHeads)}, ${headDim} and ${kv}`,
      );
    this.pages = rt.keep([INITIAL_PAGE_TABLE_SIZE], "i32");
  }

  /** The pages that are in use. */
  get tensors(): readonly Tensor[] {
    return this.pageTensors.slice(0, Math.ceil(this.length / KV_PAGE_POSITIONS));
  }

  /** Appends `[tokens, kvHeads, headDim]`. */
  append(keys: Tensor, values: Tensor): void {
    const from = this.length;
    const tokens = keys.shape[0]!;
    this.reserve(from + tokens);
    storeKeysValues(keys, values, from, this);
    this.length += tokens;
    const { tape } = this.rt;
    tape?.recordBackward([], () => {
      if (!tape.hasGradient(this)) return;
      const whole = keysValuesGradients(tape, this, [from + tokens, this.kvHeads, this.headDim]);
      for (const [i, x] of [keys, values].entries()) {
        const args = [tape.gradient(x).ptr, slice(whole[i]!, from, from + tokens).ptr, 1, 0, sizeOf(x.shape)] as const;
        this.rt.run("addScaled", [...args], sizeOf(x.shape));
      }
      if (from === 0) this.rt.release(tape.takeGradientFor(this)!);
    });
  }

  /** Makes room for so many positions in all. */
  reserve(positions: number): void {
    const { rt, pageTensors } = this;
    const bytes = pageBytes(this.kvHeads, this.headDim, this.kv);
    while (pageTensors.length * KV_PAGE_POSITIONS < positions) {
      if (pageTensors.length === this.pages.shape[0]) this.doublePageTable();
      const page = rt.keep([bytes / 4]);
      rt.bytes(page.ptr, bytes).fill(0);
      rt.i32(this.pages)[pageTensors.length] = page.ptr;
      pageTensors.push(page);
    }
  }

  /** Declares that `length` positions are filled: makes room for more, forgets what lies beyond. @throws {ShapeError} */
  resize(length: number): void {
    if (!(Number.isInteger(length) && length >= 0))
      throw new ShapeError(`resize: length: expected an integer of at least 0, got ${printed(length)}`);
    const { rt, pageTensors, kvHeads, headDim } = this;
    const wasted = Math.min(this.length, Math.ceil(length / KV_PAGE_POSITIONS) * KV_PAGE_POSITIONS) - length;
    this.reserve(length);
    if (wasted > 0) {
      rt.scope(() => {
        const zeros = rt.from(new Float32Array(wasted * kvHeads * headDim), [wasted, kvHeads, headDim]);
        storeKeysValues(zeros, zeros, length, this);
      });
    }
    for (const page of pageTensors.splice(Math.ceil(length / KV_PAGE_POSITIONS))) rt.release(page);
    this.length = length;
  }

  /** What brings the state back that is there now: it can be cut back. */
  snapshot(): { tensors: Tensor[]; restore: () => void } {
    const { length } = this;
    return { tensors: [], restore: () => this.resize(length) };
  }

  dispose(): void {
    for (const page of this.pageTensors) this.rt.release(page);
    this.rt.release(this.pages);
  }

  private doublePageTable(): void {
    const { rt, pages } = this;
    const more = rt.keep([2 * pages.shape[0]!], "i32");
    rt.i32(more).set(rt.i32(pages));
    rt.release(pages);
    this.pages = more;
  }
}

/**
 * The gradients of all keys and values of a cache up to this length, which the way back meets first when it is longest.
 *
 * @param shape `[length, kvHeads, headDim]`
 */
export function keysValuesGradients(tape: Tape, cache: object, shape: readonly number[]): [dk: Tensor, dv: Tensor] {
  const [length, ...rest] = shape as [number, number, number];
  const both = tape.gradientFor(cache, [2, ...shape]);
  const positions = both.shape[1]!;
  const flat = reshape(both, [2 * positions, ...rest]);
  return [slice(flat, 0, length), slice(flat, positions, positions + length)];
}

/** Throws unless there are addresses for so many positions. */
export function expectPages(where: string, pages: Tensor, positions: number): void {
  expectShape(`${where}: pages`, pages, ["*"], { dtype: "i32" });
  if (pages.shape[0]! * KV_PAGE_POSITIONS < positions) {
    throw new ShapeError(
      `${where}: pages: expected addresses for ${positions} positions, got ${printed(pages.shape[0])} of ${KV_PAGE_POSITIONS} each`,
    );
  }
}
