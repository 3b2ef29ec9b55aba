import { SessionError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { LayerCache } from "../layers/layer-cache.js";
import { KV_BYTES, KV_PAGE_POSITIONS, type KVType, pageBytes } from "../ops/kv-cache.js";
import { stateShape } from "../ops/lightning.js";
import type { Runtime } from "../runtime/runtime.js";
import { sizeOf, type Tensor } from "../runtime/tensor.js";
import type { Config } from "./config.js";

export type { KVType };

/** A layer that can allocate the empty state of one sequence. */
interface CachedLayer {
  newCache(rt: Runtime): LayerCache;
}

/**
 * The exact state of one sequence: a float32 state of fixed size for each lightning layer, and all keys and values so far for each softmax
 * layer.
 *
 * A cache can be continued and copied. With lightning layers it cannot be truncated, because their state is a sum over all tokens.
 */
export class Cache {
  private tokens = 0;
  private status: "valid" | "invalid" | "disposed" = "valid";
  private inForwardPass = false;

  private constructor(
    private readonly rt: Runtime,
    private readonly model: readonly CachedLayer[],
    /** Dtype in which keys and values are stored. */
    readonly kv: KVType,
    /** @internal */
    readonly layers: readonly LayerCache[],
  ) {}

  /** Allocates the empty state of one sequence in all layers of a model. @internal */
  static create(rt: Runtime, model: readonly CachedLayer[], kv: KVType): Cache {
    const layers: LayerCache[] = [];
    try {
      for (const layer of model) layers.push(layer.newCache(rt));
    } catch (error) {
      for (const layer of layers) layer.dispose();
      throw error;
    }
    return new Cache(rt, model, kv, layers);
  }

  /** Number of tokens that the state contains. */
  get length(): number {
    return this.tokens;
  }

  /** The tensors that make up the state, layer by layer. All of them consist of 32-bit words, whatever their dtype. @internal */
  *tensors(): Generator<Tensor> {
    this.expectUsable();
    for (const layer of this.layers) yield* layer.tensors;
  }

  /** Memory that this state occupies, in bytes. */
  get bytes(): number {
    let bytes = 0;
    for (const tensor of this.tensors()) bytes += 4 * sizeOf(tensor.shape);
    return bytes;
  }

  /** Copies the state. The copy and the original can be continued independently. */
  copy(): Cache {
    this.expectUsable();
    const copy = Cache.create(this.rt, this.model, this.kv);
    try {
      copy.resize(this.length);
      const targets = copy.tensors();
      for (const tensor of this.tensors()) this.rt.i32(targets.next().value as Tensor).set(this.rt.i32(tensor));
      return copy;
    } catch (error) {
      copy.dispose();
      throw error;
    }
  }

  /**
   * Checks that the state can be continued by this runtime.
   *
   * @internal
   * @throws {SessionError} a disposed cache, a cache of another model, or a cache that a failed forward pass left invalid
   */
  expectUsable(rt = this.rt): void {
    if (this.status === "disposed") throw new SessionError("cache: used after dispose");
    if (rt !== this.rt) throw new SessionError("cache: made by another model (call newCache of the model that uses it)");
    if (this.status === "invalid")
      throw new SessionError(
        "cache: invalid, because a forward pass failed while it changed this state (start over, or restore a saved one)",
      );
  }

  /** Marks the beginning of a forward pass. The state is invalid until `advance`. @internal */
  beginPass(): void {
    this.invalidate();
    this.inForwardPass = true;
  }

  /** Marks the state as invalid, so that later use throws. @internal */
  invalidate(): void {
    if (this.status === "valid") this.status = "invalid";
  }

  /** Marks the state as valid again, with `tokens` more tokens. @internal */
  advance(tokens: number): void {
    this.tokens += tokens;
    if (this.status === "invalid") this.status = "valid";
  }

  /** Marks the end of a forward pass, successful or not. @internal */
  endPass(): void {
    this.inForwardPass = false;
    if (this.status === "disposed") this.free();
  }

  /** Sets the number of tokens in the state, to restore a state or to truncate a state without lightning layers. @internal */
  resize(length: number): void {
    this.tokens = length;
    for (const layer of this.layers) layer.resize(length);
  }

  /**
   * Allocates memory for `tokens` more tokens.
   *
   * @internal
   * @throws {MemoryError} not enough memory; the state is unchanged
   */
  reserve(tokens: number): void {
    for (const layer of this.layers) layer.reserve(this.tokens + tokens);
  }

  /** Frees the state. If a forward pass is running, the state is freed at the end of that pass. */
  dispose(): void {
    if (this.status === "disposed") return;
    this.status = "disposed";
    if (!this.inForwardPass) this.free();
  }

  private free(): void {
    for (const layer of this.layers) layer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Computes the bytes of one sequence's state after `tokens` tokens, as {@link Cache.bytes} gives them. Every page of 64 keys and values
 * counts in full, including the last one.
 *
 * @param kv format of keys and values
 * @throws {InputError} no configuration, a negative or fractional number of tokens, or an unknown format
 */
export function cacheBytes(config: Config, tokens: number, kv: KVType = "f32"): number {
  expectArgument(
    "cacheBytes: config",
    Array.isArray(config?.attnTypeList) && isObjectLike(config.lightning),
    "a configuration (parseConfig makes one)",
    config,
  );
  expectArgument("cacheBytes: tokens", Number.isSafeInteger(tokens) && tokens >= 0, "an integer of at least 0", tokens);
  expectArgument("cacheBytes: kv", typeof kv === "string" && Object.hasOwn(KV_BYTES, kv), Object.keys(KV_BYTES).join(", "), kv);
  const { numKeyValueHeads: kvHeads, headDim, attnTypeList, lightning } = config;
  const pages = Math.ceil(tokens / KV_PAGE_POSITIONS) * pageBytes(kvHeads, headDim, kv);
  const state = 4 * sizeOf(stateShape(lightning.heads, lightning.headDim));
  return attnTypeList.reduce<number>((sum, type) => sum + (type === 0 ? state : pages), 0);
}
