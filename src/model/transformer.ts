import { DecoderLayer } from "../layers/decoder-layer.js";
import { LightningAttention } from "../layers/lightning-attention.js";
import { SoftmaxAttention } from "../layers/softmax-attention.js";
import { embed } from "../ops/embed.js";
import type { Segment } from "../ops/lightning.js";
import { matmul } from "../ops/matmul.js";
import { rmsNorm } from "../ops/norm.js";
import { rotation } from "../ops/rope.js";
import { take } from "../ops/route.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";
import { under, type Weights } from "../runtime/weights.js";
import { Cache } from "./cache.js";
import type { Config } from "./config.js";
import { decaySlopes } from "./decay-slopes.js";

/** New tokens of one sequence, and the state that they continue. */
export interface Continuation {
  readonly ids: readonly number[];
  readonly cache: Cache;
}

/** Which of a pass's tokens to compute logits for. */
export type LogitRows = "all" | "last" | "none";

/** What a pass produces, tokens of all sequences one after the other. Lives in the caller's scope. */
export interface Pass {
  /** `[tokens, vocab]`, `[sequences, vocab]` or absent. */
  readonly logits: Tensor | undefined;
  /** Input of every layer, then the output of the final norm: `[tokens, hidden]` each. Empty unless asked for. */
  readonly hiddenStates: Tensor[];
  /** Per layer `[tokens, experts]`. */
  readonly routerLogits: Tensor[];
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
  ) {
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, residual } = config;
    this.layers = config.attnTypeList.map((type, i) => {
      const w = under(weights, `model.layers.${i}.`);
      const own = under(w, "self_attn.");
      const mixer =
        type === 0
          ? new LightningAttention(own, heads, headDim, decaySlopes(config, i))
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
    return Cache.create(this.rt, this.config);
  }

  /**
   * Takes in the new tokens of each sequence and advances its cache. Ids and lengths are the caller's to check.
   * A call that fails half-way leaves its caches unusable, and they say so.
   */
  forward(batch: readonly Continuation[], rows: LogitRows = "all", keepHiddenStates = false): Pass {
    const { config, weights: w, rt } = this;
    const ids = batch.flatMap((sequence) => sequence.ids);
    const positions = batch.flatMap(({ ids, cache }) => ids.map((_, t) => cache.length + t));
    const segments = consecutive(batch.map((sequence) => sequence.ids.length));
    const placement = { segments, rotation: rotation(rt, positions, config.rotaryDim, config.ropeTheta) };
    const hiddenStates: Tensor[] = [];
    const routerLogits: Tensor[] = [];

    for (const { cache } of batch) cache.begin();
    let x = embed(rt.from(ids, [ids.length], "i32"), w.at("model.embed_tokens.weight"));
    for (const [i, layer] of this.layers.entries()) {
      const caches = batch.map(({ cache }) => cache.layers[i]!);
      const out = layer.forward(x, placement, caches);
      if (keepHiddenStates) hiddenStates.push(x);
      else rt.release(x);
      x = out.y;
      routerLogits.push(out.routerLogits);
    }
    for (const { ids, cache } of batch) cache.advance(ids.length);
    if (rows === "none" && !keepHiddenStates) return { logits: undefined, hiddenStates, routerLogits };

    x = rmsNorm(x, w.at("model.norm.weight"), config.rmsNormEps);
    if (keepHiddenStates) hiddenStates.push(x);
    if (rows === "none") return { logits: undefined, hiddenStates, routerLogits };
    const wanted =
      rows === "all"
        ? x
        : take(
            x,
            segments.map(({ end }) => end - 1),
          );
    const head = w.at(config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");
    return { logits: matmul(wanted, head), hiddenStates, routerLogits };
  }
}

function consecutive(lengths: readonly number[]): Segment[] {
  let begin = 0;
  return lengths.map((length) => {
    const segment = { begin, end: begin + length };
    begin += length;
    return segment;
  });
}
