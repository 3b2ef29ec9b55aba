import type { LayerCache } from "../layers/decoder-layer.js";
import { LightningState } from "../layers/lightning-attention.js";
import { KeyValueCache } from "../layers/softmax-attention.js";
import { SessionError } from "../runtime/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import { sizeOf, type Tensor } from "../runtime/tensor.js";
import type { Config } from "./config.js";

/**
 * The exact state of one sequence: a fixed-size float32 state per lightning layer, and the keys and values so far per softmax layer.
 * It can be continued and copied. It cannot be cut back as soon as there is a lightning layer: its state is a sum over all tokens.
 */
export class Cache {
  /** Tokens taken in so far. */
  length = 0;
  private halfway = false;

  private constructor(
    private readonly rt: Runtime,
    readonly layers: readonly LayerCache[],
  ) {}

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
    return new Cache(rt, layers);
  }

  /** The tensors that make up the state, by name; of keys and values the filled rows. */
  *tensors(): Generator<{ name: string; tensor: Tensor }> {
    this.checkWhole();
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
  copy(config: Config): Cache {
    const copy = Cache.create(this.rt, config);
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

  /** Marks the state as being changed; only `advance` makes it usable again. */
  begin(): void {
    this.checkWhole();
    this.halfway = true;
  }

  advance(tokens: number): void {
    this.length += tokens;
    this.halfway = false;
  }

  /** Declares that `length` tokens are in the state: for restoring one, and for cutting back where no lightning layer is. */
  resize(length: number): void {
    this.length = length;
    for (const layer of this.layers) {
      if (layer instanceof LightningState) continue;
      layer.reserve(length);
      layer.length = length;
    }
  }

  dispose(): void {
    for (const layer of this.layers) layer.dispose();
  }

  private checkWhole(): void {
    if (this.halfway) throw new SessionError("cache: a pass failed half-way in this state (start anew, or restore a saved one)");
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function filled(x: Tensor, rows: number): Tensor {
  return { ...x, shape: [rows, ...x.shape.slice(1)] };
}
