import { Cache } from "./model/cache.js";
import type { Config } from "./model/config.js";
import { Transformer } from "./model/transformer.js";
import { InputError } from "./runtime/errors.js";
import type { Runtime } from "./runtime/runtime.js";
import type { ResidentWeights } from "./runtime/weights.js";

/** What `forward` computes besides the logits. */
export interface ForwardOptions {
  /** Logits of all tokens (default) or only of each sequence's last one. */
  logits?: "all" | "last";
  hiddenStates?: boolean;
  routerLogits?: boolean;
  /** The lightning states after the last token. */
  states?: boolean;
  /** States to continue, one per sequence (from `newCache`); they advance. Without them every sequence starts anew. */
  cache?: readonly Cache[];
}

/** Arrays are copies: they stay valid after the next call and after `dispose`. */
export interface ForwardOutput {
  /** `[batch, seq, vocab]`, or `[batch, 1, vocab]` for `logits: "last"`. */
  logits: Float32Array;
  /** Input of each layer, then the output of the final norm: `[batch, seq, hidden]` each. */
  hiddenStates?: Float32Array[];
  /** Per layer `[batch · seq, experts]`. */
  routerLogits?: Float32Array[];
  /** Per layer `[batch, heads, headDim, headDim]`; undefined for softmax layers. */
  lightningStates?: (Float32Array | undefined)[];
}

/** A loaded model. */
export class MiniMaxM1 {
  private readonly transformer: Transformer;

  constructor(
    readonly config: Config,
    private readonly weights: ResidentWeights,
    private readonly rt: Runtime,
  ) {
    this.transformer = new Transformer(config, weights, rt);
  }

  /** A fresh state for one sequence, to pass to `forward`. Dispose it when done. */
  newCache(): Cache {
    return this.transformer.newCache();
  }

  /**
   * Logits, and on request everything in between.
   *
   * @param batch token ids of sequences of equal length
   * @throws {InputError} no tokens, unequal lengths, ids outside the vocabulary, more tokens than the model's context
   */
  forward(batch: readonly (readonly number[])[], options: ForwardOptions = {}): ForwardOutput {
    const { transformer, rt, config } = this;
    const { cache: given, logits = "all" } = options;
    checkBatch(batch, config, given);
    const caches = given ?? batch.map(() => this.newCache());
    try {
      return rt.scope(() => {
        const sequences = batch.map((ids, i) => ({ ids, cache: caches[i]! }));
        const pass = transformer.forward(sequences, logits, options.hiddenStates);
        const output: ForwardOutput = { logits: rt.read(pass.logits!) };
        if (options.hiddenStates) output.hiddenStates = pass.hiddenStates.map((x) => rt.read(x));
        if (options.routerLogits) output.routerLogits = pass.routerLogits.map((x) => rt.read(x));
        if (options.states) output.lightningStates = config.attnTypeList.map((_, layer) => readStates(rt, caches, layer));
        return output;
      });
    } finally {
      if (!given) for (const cache of caches) cache.dispose();
    }
  }

  /** Frees weights, caches and scratch. The model is unusable afterwards. */
  dispose(): void {
    this.rt.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function readStates(rt: Runtime, caches: readonly Cache[], layer: number): Float32Array | undefined {
  const states = caches.flatMap((cache) => {
    const own = cache.layers[layer]!;
    return "state" in own ? [rt.f32(own.state)] : [];
  });
  if (states.length === 0) return undefined;
  const all = new Float32Array(states.length * states[0]!.length);
  for (const [i, state] of states.entries()) all.set(state, i * state.length);
  return all;
}

function checkBatch(batch: readonly (readonly number[])[], config: Config, caches: readonly Cache[] | undefined): void {
  if (batch.length === 0) throw new InputError("forward: batch: expected at least one sequence, got none");
  if (caches && caches.length !== batch.length) {
    throw new InputError(`forward: cache: expected one per sequence (${batch.length}), got ${caches.length}`);
  }
  if (caches && new Set(caches).size !== caches.length) throw new InputError("forward: cache: expected a different one for every sequence");
  for (const [i, ids] of batch.entries()) {
    checkIds(ids, config, `forward: batch[${i}]`, caches?.[i]?.length);
    if (ids.length !== batch[0]!.length) {
      throw new InputError(`forward: batch[${i}]: expected ${batch[0]!.length} tokens as in batch[0], got ${ids.length} (forward unequal lengths one by one)`);
    }
  }
}

/** @throws {InputError} no ids, ids that are no tokens, or more than fit into the context after `past` tokens */
export function checkIds(ids: readonly number[], config: Config, where: string, past = 0): void {
  if (ids.length === 0) throw new InputError(`${where}: expected at least one token, got none`);
  const limit = config.maxPositionEmbeddings;
  if (past + ids.length > limit) {
    throw new InputError(`${where}: expected at most ${limit} tokens of context, got ${past + ids.length} (max_position_embeddings; shorten the input)`);
  }
  const wrong = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= config.vocabSize);
  if (wrong >= 0) {
    throw new InputError(`${where}: token ${wrong}: expected an integer id within [0, ${config.vocabSize}), got ${ids[wrong]} (is this the model's tokenizer?)`);
  }
}
