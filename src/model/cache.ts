import type { LayerCache } from "../layers/decoder-layer.js";
import { LightningState } from "../layers/lightning-attention.js";
import { capacityFor, KeyValueCache } from "../layers/softmax-attention.js";
import { SessionError } from "../runtime/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import { sizeOf, type Tensor } from "../runtime/tensor.js";
import type { Config } from "./config.js";

/**
 * The exact state of one sequence: a fixed-size float32 state per lightning layer, and the keys and values so far per softmax layer.
 * It can be continued and copied. It cannot be cut back as soon as there is a lightning layer: its state is a sum over all tokens.
 */
export class Cache {
  private tokens = 0;
  private condition: "whole" | "halfway" | "disposed" = "whole";

  private constructor(
    private readonly rt: Runtime,
    private readonly config: Config,
    /** @internal */
    readonly layers: readonly LayerCache[],
  ) {}

  /** @internal */
  static create(rt: Runtime, config: Config): Cache {
    const { numAttentionHeads, numKeyValueHeads, headDim, attnTypeList } = config;
    const layers: LayerCache[] = [];
    try {
      for (const type of attnTypeList) {
        layers.push(type === 0 ? new LightningState(rt, numAttentionHeads, headDim) : new KeyValueCache(rt, numKeyValueHeads, headDim));
      }
    } catch (error) {
      for (const layer of layers) layer.dispose();
      throw error;
    }
    return new Cache(rt, config, layers);
  }

  /** Tokens taken in so far. */
  get length(): number {
    return this.tokens;
  }

  /** The tensors that make up the state, by name; of keys and values the filled rows. @internal */
  *tensors(): Generator<{ name: string; tensor: Tensor }> {
    this.check();
    for (const [i, layer] of this.layers.entries()) {
      if (layer instanceof LightningState) yield { name: `lightning_state.${i}`, tensor: layer.state };
      else {
        yield { name: `keys.${i}`, tensor: filled(layer.keys, layer.length) };
        yield { name: `values.${i}`, tensor: filled(layer.values, layer.length) };
      }
    }
  }

  /** Bytes that this state occupies. */
  get bytes(): number {
    let bytes = 0;
    for (const { tensor } of this.tensors()) bytes += 4 * sizeOf(tensor.shape);
    return bytes;
  }

  /** An independent copy: both can be continued apart. */
  copy(): Cache {
    this.check();
    const copy = Cache.create(this.rt, this.config);
    try {
      copy.resize(this.length);
      const targets = copy.tensors();
      for (const { tensor } of this.tensors()) {
        const target = targets.next().value as { tensor: Tensor };
        this.rt.f32(target.tensor).set(this.rt.f32(tensor));
      }
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
  check(rt = this.rt): void {
    if (this.condition === "disposed") throw new SessionError("cache: used after dispose");
    if (rt !== this.rt) throw new SessionError("cache: made by another model (newCache of the model that is to use it)");
    if (this.condition === "halfway")
      throw new SessionError("cache: a pass failed half-way in this state (start anew, or restore a saved one)");
  }

  /** Marks the state as being changed; only `advance` makes it usable again. @internal */
  begin(): void {
    this.condition = "halfway";
  }

  /** @internal */
  advance(tokens: number): void {
    this.tokens += tokens;
    this.condition = "whole";
  }

  /** @internal Declares that `length` tokens are in the state: for restoring one, and for cutting back where no lightning layer is. */
  resize(length: number): void {
    this.tokens = length;
    for (const layer of this.layers) {
      if (layer instanceof LightningState) continue;
      layer.reserve(length);
      layer.length = length;
    }
  }

  /** Frees the state. */
  dispose(): void {
    if (this.condition !== "disposed") for (const layer of this.layers) layer.dispose();
    this.condition = "disposed";
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Bytes of one sequence's state after so many tokens, room for keys and values to come included. */
export function cacheBytes(config: Config, tokens: number): number {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, attnTypeList } = config;
  const sizes = attnTypeList.map((type) => (type === 0 ? heads * headDim ** 2 : 2 * kvHeads * headDim * capacityFor(tokens)));
  return 4 * sizes.reduce((sum, size) => sum + size, 0);
}

function filled(x: Tensor, rows: number): Tensor {
  return { ...x, shape: [rows, ...x.shape.slice(1)] };
}
