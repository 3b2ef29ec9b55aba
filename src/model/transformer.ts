import { runSteps } from "../base/steps.js";
import type { BatchLayout } from "../layers/batch-layout.js";
import { DecoderLayer } from "../layers/decoder-layer.js";
import type { LayerCache } from "../layers/layer-cache.js";
import { LightningAttention } from "../layers/lightning-attention.js";
import { SoftmaxAttention } from "../layers/softmax-attention.js";
import { embed, embedInParts } from "../ops/embed.js";
import type { KVType } from "../ops/kv-cache.js";
import { matmul, matmulInParts } from "../ops/matmul.js";
import { rmsNorm } from "../ops/norm.js";
import { rotation } from "../ops/rope.js";
import type { Segment } from "../ops/segment.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";
import { type Weights, withPrefix } from "../weights/weights.js";
import type { SoftmaxSettings } from "./attention-settings.js";
import { Cache } from "./cache.js";
import type { Config } from "./config.js";
import { decaySlopes } from "./decay-slopes.js";

const EMBEDDING = "model.embed_tokens.weight";

/** New tokens of one sequence, and the state that they continue. */
export interface SequenceInput {
  readonly ids: readonly number[];
  readonly cache: Cache;
}

/**
 * The result of a forward pass. Its rows are the new tokens of all sequences, one sequence after the other. The caller's scope owns the
 * tensors.
 */
export interface ForwardResult {
  /** Output of the final norm, `[tokens, hidden]`. */
  readonly hidden: Tensor;
  /** Index of the row of each sequence's last token. */
  readonly last: readonly number[];
  /** Router logits of each layer, `[tokens, experts]`. Empty without experts. */
  readonly routerLogits: readonly Tensor[];
}

/** The results of one layer of a forward pass. The tensors are valid until the next layer begins. */
export interface LayerResult {
  readonly layer: number;
  /** Input of the layer, `[tokens, hidden]`. */
  readonly input: Tensor;
  /** Output of the layer, `[tokens, hidden]`. */
  readonly output: Tensor;
  /** Router logits, `[tokens, experts]`. */
  readonly routerLogits: Tensor;
  /** Computes the probabilities of softmax attention, `[batch, heads, queries, positions]`. Returns undefined for a lightning layer. */
  attention(): Float32Array | undefined;
}

/** Hooks between the layers of a forward pass. */
export interface LayerHooks {
  /** Called after each layer. If it throws, the pass ends with that error. */
  readonly onLayer?: ((result: LayerResult) => void) | undefined;
  /** Checked before each layer and before the final norm. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The computation of the model: embedding, decoder layers, final norm and head. It owns neither states nor weights. Prefill and decode use
 * the same call. The sequences of a batch share every matmul and have their own caches, so they need no padding.
 */
export class Transformer {
  private readonly layers: DecoderLayer[];

  constructor(
    readonly config: Config,
    readonly weights: Weights,
    readonly rt: Runtime,
    /** Dtype in which caches store keys and values. */
    readonly kv: KVType = "f32",
  ) {
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, rmsNormEps, residual } = config;
    this.layers = config.attnTypeList.map((type, i) => {
      const w = withPrefix(weights, `model.layers.${i}.`);
      const attentionWeights = withPrefix(w, "self_attn.");
      const attention =
        type === 0
          ? new LightningAttention(attentionWeights, config.lightning, persistentTensor(rt, decaySlopes(config, i)))
          : new SoftmaxAttention(attentionWeights, { ...config.softmax, heads, kvHeads, headDim, normEps: rmsNormEps, kv });
      return new DecoderLayer(w, attention, {
        eps: rmsNormEps,
        postnorm: config.postnorm,
        attentionScale: type === 0 ? residual.lightning : residual.softmax,
        mlpScale: residual.mlp,
        experts: config.numLocalExperts,
        topK: config.numExpertsPerTok,
        sharedExpert: config.sharedIntermediateSize > 0,
      });
    });
  }

  /** Allocates the empty state of one sequence. */
  newCache(): Cache {
    return Cache.create(this.rt, this.layers, this.kv);
  }

  /**
   * Computes the new tokens of each sequence and advances its cache. The caller validates ids and lengths. If a call throws, its caches are
   * invalid and later use throws.
   *
   * @throws {SessionError} a cache that cannot be continued
   * @throws {MemoryError} not enough memory for keys and values; the caches are unchanged
   */
  forward(batch: readonly SequenceInput[]): ForwardResult {
    return runSteps(this.forwardLayers(batch));
  }

  /**
   * Computes `forward` and yields after each layer, so that the caller can let other work run or abort. It opens no scope: the caller owns
   * the tensors of the result.
   */
  *forwardLayers(batch: readonly SequenceInput[], { onLayer, signal }: LayerHooks = {}): Generator<undefined, ForwardResult, undefined> {
    const { config, weights: w, rt } = this;
    const ids = batch.flatMap((sequence) => sequence.ids);
    const positions = batch.flatMap(({ ids, cache }) => ids.map((_, t) => cache.length + t));
    const segments = consecutiveSegments(batch.map((sequence) => sequence.ids.length));
    const routerLogits: Tensor[] = [];

    signal?.throwIfAborted();
    for (const { cache } of batch) cache.expectUsable(rt);
    for (const { ids, cache } of batch) cache.reserve(ids.length);
    const layout = batchLayout(rt, config, segments, positions);
    let x: Tensor | undefined;
    let hidden: Tensor | undefined;
    try {
      for (const { cache } of batch) cache.beginPass();
      x = this.embed(ids);
      for (let i = 0; i < this.layers.length; i++) {
        const caches = batch.map(({ cache }) => cache.layers[i]!);
        const layer = this.layers[i]!;
        const out = this.forwardLayer(layer, x, layout, caches);
        const input = x;
        x = out.y;
        routerLogits.push(out.routerLogits);
        try {
          const attention = () => layer.attentionProbabilities(input, layout, caches);
          onLayer?.({ layer: i, input, output: x, routerLogits: out.routerLogits, attention });
          yield;
        } finally {
          rt.release(input);
        }
        signal?.throwIfAborted();
      }
      for (const { ids, cache } of batch) cache.advance(ids.length);
      hidden = rmsNorm(x, w.at("model.norm.weight"), config.rmsNormEps);
      return { hidden, last: segments.map(({ end }) => end - 1), routerLogits };
    } finally {
      for (const { cache } of batch) cache.endPass();
      for (const tensor of [...layoutTensors(layout), ...(x ? [x] : []), ...(hidden ? [] : routerLogits)]) rt.release(tensor);
    }
  }

  private embed(ids: readonly number[]): Tensor {
    const { weights: w, rt, config } = this;
    if (w.vocabulary) return embedInParts(rt, ids.length, config.hiddenSize, w.vocabulary.rows(EMBEDDING, ids));
    return rt.scope(() => embed(rt.from(ids, [ids.length], "i32"), w.at(EMBEDDING)));
  }

  /** Computes one layer. Under a tape with checkpointing, only the layer's input is kept for the backward pass. */
  private forwardLayer(layer: DecoderLayer, x: Tensor, layout: BatchLayout, caches: readonly LayerCache[]) {
    const { tape } = this.rt;
    if (!tape?.checkpointing) return layer.forward(x, layout, caches);
    const before = caches.map((cache) => cache.snapshot());
    const reads = [x, ...layoutTensors(layout), ...before.flatMap(({ tensors }) => tensors)];
    const restore = () => {
      for (const snapshot of before) snapshot.restore();
    };
    return tape.checkpoint(reads, () => layer.forward(x, layout, caches), restore);
  }

  /** Computes the logits `hidden · Wᵀ`, from `[rows, hidden]` to `[rows, vocab]`. Sums are in float32. */
  logits(hidden: Tensor): Tensor {
    const { weights, config } = this;
    const name = config.tieWordEmbeddings ? EMBEDDING : "lm_head.weight";
    return weights.vocabulary ? matmulInParts(hidden, config.vocabSize, weights.vocabulary.parts(name)) : matmul(hidden, weights.at(name));
  }
}

/** Computes the constants of each row. A constant that no layer uses is undefined. */
function batchLayout(rt: Runtime, config: Config, segments: readonly Segment[], positions: readonly number[]): BatchLayout {
  const { attnTypeList, lightning, rotaryDim, ropeTheta, softmax } = config;
  const rotationOf = (type: 0 | 1, dim: number) =>
    attnTypeList.includes(type) && dim > 0 ? rotation(rt, positions, dim, ropeTheta) : undefined;
  const isScaled = attnTypeList.includes(1) && softmax.queryScale !== 1;
  return {
    segments,
    lightningRotation: rotationOf(0, lightning.rotaryDim),
    softmaxRotation: rotationOf(1, rotaryDim),
    queryScales: isScaled ? rt.from(positions.map((t) => queryScale(softmax.queryScale, t))) : undefined,
  };
}

/** Returns the factor s(t) of the queries at position t. */
function queryScale(scale: SoftmaxSettings["queryScale"], t: number): number {
  return typeof scale === "number" ? scale : Math.log(t + scale.logBase) / Math.log(scale.logBase);
}

/** Returns all tensors of a layout. */
function layoutTensors({ lightningRotation, softmaxRotation, queryScales }: BatchLayout): Tensor[] {
  const rotations = [lightningRotation, softmaxRotation].flatMap((angles) => (angles ? [angles.cos, angles.sin] : []));
  return queryScales ? [...rotations, queryScales] : rotations;
}

/** Copies numbers into a tensor that scopes do not free. */
function persistentTensor(rt: Runtime, values: Float32Array): Tensor {
  const x = rt.keep([values.length]);
  rt.f32(x).set(values);
  return x;
}

/** Returns consecutive segments of the given lengths. */
function consecutiveSegments(lengths: readonly number[]): Segment[] {
  let begin = 0;
  return lengths.map((length) => {
    const segment = { begin, end: begin + length };
    begin += length;
    return segment;
  });
}
