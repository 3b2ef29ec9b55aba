import { ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tape } from "../runtime/tape.js";
import { expectShape, reshape, runtimeOf, sizeOf, slice, type Tensor } from "../runtime/tensor.js";

/** Dtype of cached keys and values: float32, bf16, or int8 with a float32 scale per position and head. */
export type KVType = "f32" | "bf16" | "q8";

/** Number of bytes per cached number. */
export const KV_BYTES: Readonly<Record<KVType, number>> = { f32: 4, bf16: 2, q8: 1 };

/** Number of positions per page. */
export const KV_PAGE_POSITIONS = 64;

/** Number of positions, or of dims, per panel. */
const KV_PANEL_WIDTH = 8;

/** Cached keys and values of one sequence, in pages. */
export interface KeysValues {
  readonly kv: KVType;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Page table: addresses of the pages, int32, for at least `length` positions. */
  readonly pages: Tensor;
  /** Number of filled positions. */
  readonly length: number;
}

/** Computes the size of one page in bytes. A page holds 64 positions of all heads. */
export function pageBytes(kvHeads: number, headDim: number, kv: KVType): number {
  const padded = Math.ceil(headDim / KV_PANEL_WIDTH) * KV_PANEL_WIDTH;
  return kvHeads * 2 * KV_PAGE_POSITIONS * (padded * KV_BYTES[kv] + (kv === "q8" ? 4 : 0));
}

/**
 * Writes keys and values `[tokens, kvHeads, headDim]` to the positions from `position` on. The pages of these positions must already be
 * allocated.
 *
 * @throws {ShapeError} shapes or dtypes that do not fit
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

/** Initial number of entries of a page table, which doubles when it is full. */
const INITIAL_PAGE_TABLE_SIZE = 16;

/**
 * The key-value cache of one sequence in one softmax layer. It grows by allocating pages, without moving data. Unfilled positions are zero.
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
        `KeyValueCache: expected a number of heads, a head dim, and a dtype (${Object.keys(KV_BYTES).join(", ")}), got ${printed(kvHeads)}, ${headDim} and ${kv}`,
      );
    this.pages = rt.keep([INITIAL_PAGE_TABLE_SIZE], "i32");
  }

  /** The pages that hold filled positions. */
  get tensors(): readonly Tensor[] {
    return this.pageTensors.slice(0, Math.ceil(this.length / KV_PAGE_POSITIONS));
  }

  /** Appends keys and values `[tokens, kvHeads, headDim]`. */
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

  /** Allocates pages for `positions` positions in total. */
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

  /**
   * Sets the number of filled positions. Allocates missing pages, zeroes positions beyond the length, and frees pages beyond it. @throws
   * {ShapeError} an invalid length
   */
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

  /** Returns a snapshot of the state. Nothing is copied, because `restore` can cut the cache back to its current length. */
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
 * Returns dK and dV of the first `length` positions. The backward pass goes from the longest length to the shortest. The first call
 * therefore allocates the full gradient, and later calls return slices of it.
 *
 * @param shape `[length, kvHeads, headDim]`
 */
export function keysValuesGradients(tape: Tape, cache: object, shape: readonly number[]): [dk: Tensor, dv: Tensor] {
  const [length, ...rest] = shape as [number, number, number];
  const gradient = tape.gradientFor(cache, [2, ...shape]);
  const positions = gradient.shape[1]!;
  const flat = reshape(gradient, [2 * positions, ...rest]);
  return [slice(flat, 0, length), slice(flat, positions, positions + length)];
}

/** Checks that a page table has addresses for a number of positions. @throws {ShapeError} it has fewer */
export function expectPages(where: string, pages: Tensor, positions: number): void {
  expectShape(`${where}: pages`, pages, ["*"], { dtype: "i32" });
  if (pages.shape[0]! * KV_PAGE_POSITIONS < positions) {
    throw new ShapeError(
      `${where}: pages: expected addresses of pages for ${positions} positions, got ${printed(pages.shape[0])} addresses, each of ${KV_PAGE_POSITIONS} positions`,
    );
  }
}
