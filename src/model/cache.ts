import { SessionError } from "../base/errors.js";
import type { LayerCache } from "../layers/decoder-layer.js";
import { LightningState } from "../layers/lightning-attention.js";
import { KeyValueCache, KV_PAGE_POSITIONS, type KVType, pageBytes } from "../ops/kv-pages.js";
import { stateShape } from "../ops/lightning.js";
import type { Runtime } from "../runtime/runtime.js";
import { sizeOf, type Tensor } from "../runtime/tensor.js";
import type { Config } from "./config.js";

export type { KVType };

/**
 * The exact state of one sequence: a fixed-size float32 state per lightning layer, and the keys and values so far per softmax layer.
 * It can be continued and copied. It cannot be cut back as soon as there is a lightning layer: its state is a sum over all tokens.
 */
export class Cache {
  private tokens = 0;
  private status: "valid" | "invalid" | "disposed" = "valid";
  /** Whether a pass is changing it. */
  private inForwardPass = false;

  private constructor(
    private readonly rt: Runtime,
    private readonly config: Config,
    /** How keys and values are kept. */
    readonly kv: KVType,
    /** @internal */
    readonly layers: readonly LayerCache[],
  ) {}

  /** @internal */
  static create(rt: Runtime, config: Config, kv: KVType): Cache {
    const { numAttentionHeads, numKeyValueHeads, headDim, attnTypeList } = config;
    const layers: LayerCache[] = [];
    try {
      for (const type of attnTypeList) {
        layers.push(type === 0 ? new LightningState(rt, numAttentionHeads, headDim) : new KeyValueCache(rt, numKeyValueHeads, headDim, kv));
      }
    } catch (error) {
      for (const layer of layers) layer.dispose();
      throw error;
    }
    return new Cache(rt, config, kv, layers);
  }

  /** Tokens taken in so far. */
  get length(): number {
    return this.tokens;
  }

  /** The tensors that make up the state, layer by layer, whatever they hold as words of 32 bits. @internal */
  *tensors(): Generator<Tensor> {
    this.expectUsable();
    for (const layer of this.layers) {
      if (layer instanceof LightningState) yield layer.state;
      else yield* layer.tensors;
    }
  }

  /** Bytes that this state occupies. */
  get bytes(): number {
    let bytes = 0;
    for (const tensor of this.tensors()) bytes += 4 * sizeOf(tensor.shape);
    return bytes;
  }

  /** An independent copy: both can be continued apart. */
  copy(): Cache {
    this.expectUsable();
    const copy = Cache.create(this.rt, this.config, this.kv);
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
   * @internal
   * @throws {SessionError} disposed, of another runtime, or left half-way by a pass that failed
   */
  expectUsable(rt = this.rt): void {
    if (this.status === "disposed") throw new SessionError("cache: used after dispose");
    if (rt !== this.rt) throw new SessionError("cache: made by another model (newCache of the model that is to use it)");
    if (this.status === "invalid")
      throw new SessionError("cache: a pass failed half-way in this state (start anew, or restore a saved one)");
  }

  /** A pass begins to change the state; only `advance` makes it usable again. @internal */
  beginPass(): void {
    this.invalidate();
    this.inForwardPass = true;
  }

  /** The state is not to be continued. @internal */
  invalidate(): void {
    if (this.status === "valid") this.status = "invalid";
  }

  /** The pass has taken in so many tokens. @internal */
  advance(tokens: number): void {
    this.tokens += tokens;
    if (this.status === "invalid") this.status = "valid";
  }

  /** The pass is over, whatever came of it. @internal */
  endPass(): void {
    this.inForwardPass = false;
    if (this.status === "disposed") this.free();
  }

  /** @internal Declares that `length` tokens are in the state: for restoring one, and for cutting back where no lightning layer is. */
  resize(length: number): void {
    this.tokens = length;
    for (const layer of this.layers) if (layer instanceof KeyValueCache) layer.resize(length);
  }

  /**
   * Makes room for tokens to come.
   *
   * @internal
   * @throws {MemoryError} there is none; the state is as it was
   */
  reserve(tokens: number): void {
    for (const layer of this.layers) if (layer instanceof KeyValueCache) layer.reserve(this.tokens + tokens);
  }

  /** Frees the state; while a pass changes it, as soon as that is over. */
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

/** Bytes of one sequence's state after so many tokens, the rest of the last page of keys and values included. */
export function cacheBytes(config: Config, tokens: number, kv: KVType = "f32"): number {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, attnTypeList } = config;
  const pages = Math.ceil(tokens / KV_PAGE_POSITIONS) * pageBytes(kvHeads, headDim, kv);
  const state = 4 * sizeOf(stateShape(heads, headDim));
  return attnTypeList.reduce<number>((sum, type) => sum + (type === 0 ? state : pages), 0);
}
