import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { callback, flag, oneOf, parseOptions, signal } from "../base/options.js";
import { take } from "../ops/route.js";
import type { Tensor } from "../runtime/tensor.js";
import { Cache } from "./cache.js";
import type { Config } from "./config.js";
import { checkIds, type TokenIds } from "./token-ids.js";
import type { LayerResult, Transformer } from "./transformer.js";

/** The layer of a forward pass that was just computed. Its methods copy numbers. They can be called until the next layer begins. */
export interface LayerView {
  readonly layer: number;
  /** Copies the layer's input, `[batch · seq, hidden]`. */
  input(): Float32Array;
  /** Copies the layer's output, `[batch · seq, hidden]`. */
  output(): Float32Array;
  /** Copies the router's logits, `[batch · seq, experts]`. */
  routerLogits(): Float32Array;
}

/** Options of `forward`. */
export interface ForwardOptions {
  /** Which tokens get logits: all (default), or only the last token of each sequence. */
  logits?: "all" | "last";
  /** Whether to return the input of every layer and the output of the final norm (false). */
  hiddenStates?: boolean;
  /** Whether to return every layer's router logits, before the softmax over experts (false). */
  routerLogits?: boolean;
  /** Whether to return the lightning states after the last token (false). */
  states?: boolean;
  /**
   * Whether to return the probabilities of softmax attention (false). Needs keys and values in float32. They are computed again outside of
   * the kernels, for every pair of tokens.
   */
  attention?: boolean;
  /** Called after each layer. If it throws, the pass ends with that error. */
  onLayer?: (layer: LayerView) => void;
  /** Aborts before the next layer. Use it with `forwardAsync`; while `forward` runs, only `onLayer` can abort. */
  signal?: AbortSignal;
  /**
   * States to continue, one per sequence (from `newCache`). The call advances them. By default every sequence starts with an empty state.
   */
  cache?: readonly Cache[];
}

const forwardSchema = v.strictObject({
  logits: v.optional(oneOf("all", "last"), "all"),
  hiddenStates: v.optional(flag, false),
  routerLogits: v.optional(flag, false),
  states: v.optional(flag, false),
  attention: v.optional(flag, false),
  onLayer: v.optional(callback<(layer: LayerView) => void>()),
  signal: v.optional(signal),
  cache: v.optional(
    v.array(
      v.custom<Cache>((x) => x instanceof Cache, "a state from newCache"),
      "an array of states from newCache",
    ),
  ),
});

/** Non-optional in the result type exactly if the matching option is `true`. */
type IfRequested<Options, Key extends keyof ForwardOptions, Value> = Options extends { [K in Key]: true } ? Value : Value | undefined;

/** The result of `forward`. Arrays are copies, so they stay valid after the next call and after `dispose`. */
export interface ForwardOutput<Options extends ForwardOptions = ForwardOptions> {
  /** Logits `[batch, seq, vocab]`, or `[batch, 1, vocab]` with `logits: "last"`. */
  readonly logits: Float32Array;
  /** Input of each layer, then the output of the final norm. Each has the shape `[batch, seq, hidden]`. */
  readonly hiddenStates: IfRequested<Options, "hiddenStates", Float32Array[]>;
  /** Router logits of each layer, `[batch · seq, experts]`. */
  readonly routerLogits: IfRequested<Options, "routerLogits", Float32Array[]>;
  /** Lightning states of each layer, `[batch, heads, headDim, headDim]`. Undefined for softmax layers. */
  readonly lightningStates: IfRequested<Options, "states", (Float32Array | undefined)[]>;
  /**
   * Attention probabilities of each layer, `[batch, heads, seq, positions]`. Positions are all tokens in the longest of the caches; later
   * ones have 0. Undefined for lightning layers.
   */
  readonly attention: IfRequested<Options, "attention", (Float32Array | undefined)[]>;
}

/** Maximum number of attention probabilities that a call returns: 512 MiB of float32. */
const MAX_ATTENTION_PROBABILITIES = 2 ** 27;

/**
 * Computes logits and the other results that the options request. Yields after each layer, so that the caller can let other work run.
 *
 * @param batch token ids of sequences of equal length
 * @throws {InputError} invalid options, no tokens, unequal lengths, ids outside the vocabulary, more tokens than the model's context, or
 *   more attention probabilities than can be returned
 */
export function* forwardBatch<Options extends ForwardOptions>(
  transformer: Transformer,
  batch: readonly TokenIds[],
  options: ForwardOptions,
): Generator<undefined, ForwardOutput<Options>, undefined> {
  const { rt, config } = transformer;
  const parsed = parseOptions(forwardSchema, options, "forward");
  const { cache: given, logits, hiddenStates, routerLogits, states, attention, onLayer, signal } = parsed;
  checkBatch(batch, config, given);
  if (attention) checkAttention(batch, transformer, given);
  const ownCaches: Cache[] = [];
  const tensors: Tensor[] = [];
  try {
    if (!given) for (const _ of batch) ownCaches.push(transformer.newCache());
    const caches = given ?? ownCaches;
    const hiddenCopies: Float32Array[] = [];
    const probabilities: (Float32Array | undefined)[] = [];
    const inputs = batch.map((ids, i) => ({ ids: Array.from(ids), cache: caches[i]! }));
    const result = yield* transformer.forwardLayers(inputs, {
      signal,
      onLayer: (layer) => {
        if (hiddenStates) hiddenCopies.push(rt.read(layer.input));
        if (attention) probabilities.push(layer.attention());
        onLayer?.(layerView(layer));
      },
    });
    const { hidden, last } = result;
    tensors.push(hidden, ...result.routerLogits);
    try {
      if (hiddenStates) hiddenCopies.push(rt.read(hidden));
      return {
        logits: rt.scope(() => rt.read(transformer.logits(logits === "last" ? take(hidden, last) : hidden))),
        hiddenStates: hiddenStates ? hiddenCopies : undefined,
        routerLogits: routerLogits ? result.routerLogits.map((x) => rt.read(x)) : undefined,
        lightningStates: states ? config.attnTypeList.map((_, layer) => readLightningStates(caches, layer)) : undefined,
        attention: attention ? probabilities : undefined,
      } as ForwardOutput<Options>;
    } catch (error) {
      // The states contain tokens whose results the caller does not receive, so they must not be continued.
      for (const cache of caches) cache.invalidate();
      throw error;
    }
  } finally {
    for (const x of tensors) rt.release(x);
    for (const cache of ownCaches) cache.dispose();
  }
}

function layerView({ layer, input, output, routerLogits }: LayerResult): LayerView {
  const { rt } = input;
  return { layer, input: () => rt.read(input), output: () => rt.read(output), routerLogits: () => rt.read(routerLogits) };
}

/** Copies the lightning states of all sequences in one layer, `[batch, heads, headDim, headDim]`. Returns undefined for a softmax layer. */
function readLightningStates(caches: readonly Cache[], layer: number): Float32Array | undefined {
  const states = caches.flatMap((cache) => cache.layers[layer]!.readState?.() ?? []);
  if (states.length === 0) return undefined;
  const all = new Float32Array(states.length * states[0]!.length);
  for (const [i, state] of states.entries()) all.set(state, i * state.length);
  return all;
}

/** Checks that the attention probabilities of a batch can be returned. */
function checkAttention(batch: readonly TokenIds[], { config, kv }: Transformer, caches: readonly Cache[] | undefined): void {
  if (kv !== "f32")
    throw new InputError(`forward: attention: expected keys and values in float32, got ${kv} (load the model with kv "f32")`);
  const queries = batch[0]!.length;
  const positions = queries + Math.max(0, ...(caches ?? []).map(({ length }) => length));
  const layers = config.attnTypeList.filter((type) => type === 1).length;
  const numbers = layers * batch.length * config.numAttentionHeads * queries * positions;
  if (numbers <= MAX_ATTENTION_PROBABILITIES) return;
  throw new InputError(
    `forward: attention: expected at most ${MAX_ATTENTION_PROBABILITIES} probabilities, got ${numbers} for ${queries} × ${positions} tokens (pass fewer tokens per call, and continue with a cache)`,
  );
}

function checkBatch(batch: readonly TokenIds[], config: Config, caches: readonly Cache[] | undefined): void {
  if (!Array.isArray(batch) || batch.length === 0)
    throw new InputError("forward: batch: expected at least one sequence of token ids, got none");
  if (caches && caches.length !== batch.length) {
    throw new InputError(`forward: cache: expected one per sequence (${batch.length}), got ${caches.length}`);
  }
  if (caches && new Set(caches).size !== caches.length)
    throw new InputError("forward: cache: expected a different one for every sequence, got the same one twice");
  for (const [i, ids] of batch.entries()) {
    checkIds(ids, config, `forward: batch[${i}]`, caches?.[i]?.length);
    if (ids.length !== batch[0]!.length) {
      throw new InputError(
        `forward: batch[${i}]: expected ${batch[0]!.length} tokens as in batch[0], got ${ids.length} (call forward once per length)`,
      );
    }
  }
}
