import { type BatchLayout, DecoderLayer, type LayerCache } from "../layers/decoder-layer.js";
import { LightningAttention } from "../layers/lightning-attention.js";
import { SoftmaxAttention } from "../layers/softmax-attention.js";
import { embed, embedInParts } from "../ops/embed.js";
import type { KVType } from "../ops/kv-pages.js";
import { matmul, matmulInParts } from "../ops/matmul.js";
import { rmsNorm } from "../ops/norm.js";
import { rotation } from "../ops/rope.js";
import type { Segment } from "../ops/segment.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";
import { type Weights, withPrefix } from "../weights/weights.js";
import { Cache } from "./cache.js";
import type { Config } from "./config.js";
import { decaySlopes } from "./decay-slopes.js";

const EMBEDDING = "model.embed_tokens.weight";

/** New tokens of one sequence, and the state that they continue. */
export interface SequenceInput {
  readonly ids: readonly number[];
  readonly cache: Cache;
}

/** What a pass produces, tokens of all sequences one after the other. Lives in the caller's scope. */
export interface ForwardResult {
  /** Output of the final norm, `[tokens, hidden]`. */
  readonly hidden: Tensor;
  /** The row of each sequence's last token. */
  readonly last: readonly number[];
  /** Per layer `[tokens, experts]`. */
  readonly routerLogits: readonly Tensor[];
}

/** One layer of a pass, just computed. Its input and output are gone with the next one. */
export interface LayerResult {
  readonly layer: number;
  /** `[tokens, hidden]` */
  readonly input: Tensor;
  /** `[tokens, hidden]` */
  readonly output: Tensor;
  /** `[tokens, experts]` */
  readonly routerLogits: Tensor;
}

/**
 * The model's graph: embedding, layers, final norm, head. It holds no state and no weight; prefill and decode are the same call.
 * Sequences of a batch share every product and keep their own caches, so they need no padding.
 */
export class Transformer {
  private readonly layers: DecoderLayer[];

  constructor(
    readonly config: Config,
    readonly weights: Weights,
    readonly rt: Runtime,
    /** How caches keep keys and values. */
    readonly kv: KVType = "f32",
  ) {
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, residual } = config;
    this.layers = config.attnTypeList.map((type, i) => {
      const w = withPrefix(weights, `model.layers.${i}.`);
      const own = withPrefix(w, "self_attn.");
      const mixer =
        type === 0
          ? new LightningAttention(own, heads, headDim, persistentTensor(rt, decaySlopes(config, i)))
          : new SoftmaxAttention(own, heads, kvHeads, headDim);
      return new DecoderLayer(w, mixer, {
        eps: config.rmsNormEps,
        postnorm: config.postnorm,
        attention: type === 0 ? residual.lightning : residual.softmax,
        mlp: residual.mlp,
        experts: config.numLocalExperts,
        topK: config.numExpertsPerTok,
        sharedExpert: config.sharedIntermediateSize > 0,
      });
    });
  }

  newCache(): Cache {
    return Cache.create(this.rt, this.config, this.kv);
  }

  /**
   * Takes in the new tokens of each sequence and advances its cache. Ids and lengths are the caller's to check.
   * A call that fails half-way leaves its caches unusable, and they say so.
   *
   * @throws {SessionError} a cache that cannot be continued
   */
  forward(batch: readonly SequenceInput[]): ForwardResult {
    const layers = this.forwardLayers(batch);
    for (;;) {
      const { done, value } = layers.next();
      if (done) return value;
    }
  }

  /** `forward`, layer by layer: between two of them the caller may look, do something else, or give the pass up. What it makes lies in no scope of its own. */
  *forwardLayers(batch: readonly SequenceInput[]): Generator<LayerResult, ForwardResult> {
    const { config, weights: w, rt } = this;
    const ids = batch.flatMap((sequence) => sequence.ids);
    const positions = batch.flatMap(({ ids, cache }) => ids.map((_, t) => cache.length + t));
    const segments = consecutiveSegments(batch.map((sequence) => sequence.ids.length));
    const routerLogits: Tensor[] = [];

    for (const { cache } of batch) cache.expectUsable(rt);
    for (const { ids, cache } of batch) cache.reserve(ids.length);
    // Lightning layers turn nothing.
    const rotaryDim = config.attnTypeList.includes(1) ? config.rotaryDim : 0;
    const layout = { segments, rotation: rotation(rt, positions, rotaryDim, config.ropeTheta) };
    const { cos, sin } = layout.rotation;
    let x: Tensor | undefined;
    let hidden: Tensor | undefined;
    try {
      for (const { cache } of batch) cache.beginPass();
      x = this.embed(ids);
      for (let i = 0; i < this.layers.length; i++) {
        const caches = batch.map(({ cache }) => cache.layers[i]!);
        const out = this.forwardLayer(this.layers[i]!, x, layout, caches);
        const input = x;
        x = out.y;
        routerLogits.push(out.routerLogits);
        try {
          yield { layer: i, input, output: x, routerLogits: out.routerLogits };
        } finally {
          rt.release(input);
        }
      }
      for (const { ids, cache } of batch) cache.advance(ids.length);
      hidden = rmsNorm(x, w.at("model.norm.weight"), config.rmsNormEps);
      return { hidden, last: segments.map(({ end }) => end - 1), routerLogits };
    } finally {
      for (const { cache } of batch) cache.endPass();
      for (const made of [cos, sin, ...(x ? [x] : []), ...(hidden ? [] : routerLogits)]) rt.release(made);
    }
  }

  private embed(ids: readonly number[]): Tensor {
    const { weights: w, rt, config } = this;
    if (w.vocabulary) return embedInParts(rt, ids.length, config.hiddenSize, w.vocabulary.rows(EMBEDDING, ids));
    return rt.scope(() => embed(rt.from(ids, [ids.length], "i32"), w.at(EMBEDDING)));
  }

  /** A layer, which may be asked to keep only its input for the way back. */
  private forwardLayer(layer: DecoderLayer, x: Tensor, layout: BatchLayout, caches: readonly LayerCache[]) {
    const { tape } = this.rt;
    if (!tape?.checkpointing) return layer.forward(x, layout, caches);
    const before = caches.map((cache) => cache.snapshot());
    const reads = [x, layout.rotation.cos, layout.rotation.sin, ...before.flatMap(({ tensors }) => tensors)];
    const restore = () => {
      for (const one of before) one.restore();
    };
    return tape.checkpoint(reads, () => layer.forward(x, layout, caches), restore);
  }

  /** The head: `logits = hidden · Wᵀ`, `[rows, hidden]` → `[rows, vocab]`, summed in float32. */
  logits(hidden: Tensor): Tensor {
    const { weights, config } = this;
    const name = config.tieWordEmbeddings ? EMBEDDING : "lm_head.weight";
    return weights.vocabulary ? matmulInParts(hidden, config.vocabSize, weights.vocabulary.parts(name)) : matmul(hidden, weights.at(name));
  }
}

function persistentTensor(rt: Runtime, values: Float32Array): Tensor {
  const x = rt.keep([values.length]);
  rt.f32(x).set(values);
  return x;
}

function consecutiveSegments(lengths: readonly number[]): Segment[] {
  let begin = 0;
  return lengths.map((length) => {
    const segment = { begin, end: begin + length };
    begin += length;
    return segment;
  });
}
