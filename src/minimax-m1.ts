import * as v from "valibot";
import { CheckpointError, ConfigError, InputError } from "./base/errors.js";
import { yieldToEventLoop } from "./base/event-loop.js";
import { callback, expectArgument, flag, isObjectLike, oneOf, parseOptions, signal } from "./base/options.js";
import { type Checkpoint, type LoadOptions, loadCheckpoint } from "./checkpoint/checkpoint.js";
import { type CreateOptions, initialiseCheckpoint } from "./checkpoint/initialise.js";
import { type SaveOptions, saveCheckpoint } from "./checkpoint/save.js";
import { type FormulaOptions, syntheticCheckpoint } from "./checkpoint/synthetic.js";
import { readTextSettings, type TextSettings } from "./checkpoint/text-settings.js";
import {
  createGeneration,
  type Generation,
  generate,
  parseGenerateOptions,
  Random,
  Session,
  type TextCodec,
  type Usage,
} from "./generate/index.js";
import type { CheckpointSource } from "./io/open-byte-source.js";
import { isConversation, type LanguageModel, type Prompt, type PromptOptions } from "./language-model.js";
import { Cache, type KVType } from "./model/cache.js";
import type { Config } from "./model/config.js";
import { graph } from "./model/graph.js";
import { checkIds, isTokenIds, type TokenIds } from "./model/token-ids.js";
import { type ForwardResult, type LayerResult, Transformer } from "./model/transformer.js";
import { take } from "./ops/route.js";
import type { Runtime } from "./runtime/runtime.js";
import type { Tensor } from "./runtime/tensor.js";
import type { Build } from "./runtime/wasm.js";
import { type ChatMessage, type ChatOptions, formatChat } from "./text/format-chat.js";
import type { Tokenizer } from "./text/tokenizer.js";
import { StreamedWeights, type StreamingStatistics } from "./weights/streamed.js";

/** A layer of a pass, just computed: what its functions copy is gone when the next layer begins. */
export interface LayerView {
  readonly layer: number;
  /** `[batch · seq, hidden]`, a copy. */
  input(): Float32Array;
  /** `[batch · seq, hidden]`, a copy. */
  output(): Float32Array;
  /** `[batch · seq, experts]`, a copy. */
  routerLogits(): Float32Array;
}

/** What `forward` computes besides the logits. */
export interface ForwardOptions {
  /** Logits of all tokens (default) or only of each sequence's last one. */
  logits?: "all" | "last";
  /** The input of every layer and the output of the final norm. */
  hiddenStates?: boolean;
  /** Every layer's router logits, before the softmax over experts. */
  routerLogits?: boolean;
  /** The lightning states after the last token. */
  states?: boolean;
  /** Told of every layer as it is done. What it throws ends the pass. */
  onLayer?: (layer: LayerView) => void;
  /** Ends the pass before the next layer: of `forwardAsync`, because nothing else runs during `forward`. */
  signal?: AbortSignal;
  /** States to continue, one per sequence (from `newCache`); they advance. Without them every sequence starts anew. */
  cache?: readonly Cache[];
}

const forwardSchema = v.strictObject({
  logits: v.optional(oneOf("all", "last"), "all"),
  hiddenStates: v.optional(flag, false),
  routerLogits: v.optional(flag, false),
  states: v.optional(flag, false),
  onLayer: v.optional(callback<(layer: LayerView) => void>()),
  signal: v.optional(signal),
  cache: v.optional(
    v.array(
      v.custom<Cache>((x) => x instanceof Cache, "a state from newCache"),
      "an array of states from newCache",
    ),
  ),
});

/** What was asked for is there: `hiddenStates` is an array if the option was true, undefined otherwise. */
type IfRequested<Options, Key extends keyof ForwardOptions, Value> = Options extends { [K in Key]: true } ? Value : Value | undefined;

/** Arrays are copies: they stay valid after the next call and after `dispose`. */
export interface ForwardOutput<Options extends ForwardOptions = ForwardOptions> {
  /** `[batch, seq, vocab]`, or `[batch, 1, vocab]` for `logits: "last"`. */
  readonly logits: Float32Array;
  /** Input of each layer, then the output of the final norm: `[batch, seq, hidden]` each. */
  readonly hiddenStates: IfRequested<Options, "hiddenStates", Float32Array[]>;
  /** Per layer `[batch · seq, experts]`. */
  readonly routerLogits: IfRequested<Options, "routerLogits", Float32Array[]>;
  /** Per layer `[batch, heads, headDim, headDim]`; undefined for softmax layers. */
  readonly lightningStates: IfRequested<Options, "states", (Float32Array | undefined)[]>;
}

/**
 * A loaded model. Its weights, and every cache and session made from it, live in one wasm memory until `dispose`.
 *
 * Not safe for use from two threads, but calls may overlap: generations take turns between tokens.
 */
export class MiniMaxM1 implements LanguageModel {
  readonly config: Config;
  /** Number of parameters. */
  readonly parameters: number;
  /** @internal */
  readonly transformer: Transformer;
  private readonly rt: Runtime;

  private constructor(
    private readonly checkpoint: Checkpoint,
    private readonly text: TextSettings,
    kv: KVType,
  ) {
    const { config, rt, weights } = checkpoint;
    this.config = { ...config, eosTokenIds: [...new Set([...config.eosTokenIds, ...text.eosIds])] };
    this.parameters = graph(config).parameterCount;
    this.rt = rt;
    this.transformer = new Transformer(this.config, weights, rt, kv);
  }

  /**
   * Loads a checkpoint of MiniMax-M1, MiniMax-Text-01 or transformers' `minimax` from safetensors files.
   *
   * @param source without one, the model that comes with the library: 3.4 million parameters that reason over puzzles (the files of `lightning-m1/model`,
   *   which are read or fetched only then). Otherwise a directory or `.safetensors` file by path, a URL of either, a hub id (Node), picked `File`s, files by name, or bytes
   * @throws {CheckpointError} nothing to open, or a damaged file
   * @throws {ConfigError} a configuration of another model, or one that contradicts itself
   * @throws {WeightError} weights that are missing, superfluous, misshapen or quantised
   * @throws {MemoryError} weights that do not fit; refused before anything is allocated
   */
  static async load(source?: CheckpointSource, options?: LoadOptions): Promise<MiniMaxM1> {
    const checkpoint = await loadCheckpoint(source ?? (await bundledModelFiles()), options);
    try {
      return new MiniMaxM1(checkpoint, await readTextSettings(checkpoint.files), options?.kv ?? "f32");
    } catch (error) {
      checkpoint.rt.dispose();
      throw error;
    }
  }

  /**
   * A new model with random weights, to be trained: float32 in memory, saved in the configuration's dtype.
   *
   * @param config a typed configuration, or the JSON of a `config.json`
   * @throws {ConfigError} a configuration of another model, or one that contradicts itself
   * @throws {MemoryError} weights that do not fit
   */
  static async create(config: Config | Record<string, unknown>, options?: CreateOptions): Promise<MiniMaxM1> {
    const checkpoint = await initialiseCheckpoint(config, options);
    try {
      const text = await readTextSettings(checkpoint.files);
      const { vocabSize } = checkpoint.config;
      if (text.tokenizer && text.tokenizer.vocabSize > vocabSize) {
        throw new ConfigError(`create: vocab_size: expected at least the tokenizer's ${text.tokenizer.vocabSize}, got ${vocabSize}`);
      }
      return new MiniMaxM1(checkpoint, text, "f32");
    } catch (error) {
      checkpoint.rt.dispose();
      throw error;
    }
  }

  /**
   * A model of any size whose weights are a formula of their names and places, so that it needs no memory and no files for them: what the full graph
   * of 456 billion parameters is checked with. Its text is noise; its numbers can be compared with any other implementation's.
   *
   * @param config a typed configuration, or the JSON of a `config.json`
   * @throws {ConfigError} a configuration of another model, or one that contradicts itself
   */
  static async formula(config: Config | Record<string, unknown>, options?: FormulaOptions): Promise<MiniMaxM1> {
    const checkpoint = await syntheticCheckpoint(config, options);
    return new MiniMaxM1(checkpoint, await readTextSettings(checkpoint.files), options?.kv ?? "f32");
  }

  /** Threads that compute, the calling one included. */
  get threads(): number {
    return this.rt.threads;
  }

  /** Which kernels run. */
  get build(): Build {
    return this.rt.build;
  }

  /** Bytes in use, the most ever in use, and the size of the memory itself. */
  get memory(): { usedBytes: number; peakBytes: number; reservedBytes: number } {
    return this.rt.memory;
  }

  /** What streaming has cost so far; undefined for weights that are not streamed. */
  get streaming(): StreamingStatistics | undefined {
    const { weights } = this.checkpoint;
    return weights instanceof StreamedWeights ? weights.statistics : undefined;
  }

  /** Undefined if the checkpoint came without tokenizer files: then inputs are token ids, and generated text is empty. */
  get tokenizer(): Tokenizer | undefined {
    return this.text.tokenizer;
  }

  /** The tokenizer as generation sees it: ids beyond its vocabulary, which a padded embedding has, are without text. */
  private get codec(): TextCodec | undefined {
    const { tokenizer } = this;
    if (!tokenizer) return undefined;
    const stream = () => {
      const text = tokenizer.stream();
      return { push: (id: number) => (id < tokenizer.vocabSize ? text.push(id) : ""), end: () => text.end() };
    };
    return { encode: (text) => tokenizer.encode(text), stream, eosId: tokenizer.eosId };
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
  forward<const Options extends ForwardOptions>(batch: readonly TokenIds[], options?: Options): ForwardOutput<Options> {
    return this.rt.scope(() => {
      const layers = this.forwardLayers<Options>(batch, options ?? {});
      for (;;) {
        const { done, value } = layers.next();
        if (done) return value;
      }
    });
  }

  /** The same, but between two layers everything else may run, for models whose passes take seconds: timers, a page, another generation. */
  async forwardAsync<const Options extends ForwardOptions>(batch: readonly TokenIds[], options?: Options): Promise<ForwardOutput<Options>> {
    const layers = this.forwardLayers<Options>(batch, options ?? {});
    try {
      for (;;) {
        const { done, value } = layers.next();
        if (done) return value;
        await yieldToEventLoop();
      }
    } finally {
      layers.return(undefined as never);
    }
  }

  private *forwardLayers<Options extends ForwardOptions>(
    batch: readonly TokenIds[],
    options: ForwardOptions,
  ): Generator<undefined, ForwardOutput<Options>> {
    const { transformer, rt, config } = this;
    const { cache: given, logits, hiddenStates, routerLogits, states, onLayer, signal } = parseOptions(forwardSchema, options, "forward");
    checkBatch(batch, config, given);
    const own: Cache[] = [];
    const made: Tensor[] = [];
    try {
      if (!given) for (const _ of batch) own.push(this.newCache());
      const caches = given ?? own;
      const seen: Float32Array[] = [];
      const layers = transformer.forwardLayers(batch.map((ids, i) => ({ ids: Array.from(ids), cache: caches[i]! })));
      let result: ForwardResult | undefined;
      try {
        while (!result) {
          signal?.throwIfAborted();
          const { done, value } = layers.next();
          if (done) result = value;
          else {
            if (hiddenStates) seen.push(rt.read(value.input));
            onLayer?.(layerView(value));
            yield;
          }
        }
        made.push(result.hidden, ...result.routerLogits);
        const { hidden, last } = result;
        if (hiddenStates) seen.push(rt.read(hidden));
        return {
          logits: rt.scope(() => rt.read(transformer.logits(logits === "last" ? take(hidden, last) : hidden))),
          hiddenStates: hiddenStates ? seen : undefined,
          routerLogits: routerLogits ? result.routerLogits.map((x) => rt.read(x)) : undefined,
          lightningStates: states ? config.attnTypeList.map((_, layer) => readLightningStates(caches, layer)) : undefined,
        } as ForwardOutput<Options>;
      } catch (error) {
        // The states may have taken in tokens whose results the caller never gets: not to be continued.
        if (result) for (const cache of caches) cache.invalidate();
        throw error;
      } finally {
        layers.return(undefined as never);
      }
    } finally {
      for (const x of made) rt.release(x);
      for (const cache of own) cache.dispose();
    }
  }

  /**
   * Continues text, a conversation or token ids, token by token. Greedy unless sampling options say otherwise; the same seed gives the
   * same tokens. `break` or the signal ends it, and the model is ready for the next call.
   *
   * @throws {InputError} an input or options that cannot be worked with: at once, or with the first token for conversations
   */
  generate(input: Prompt, options?: PromptOptions): Generation {
    return this.generateBatch([input], options);
  }

  /** Continues several prompts of any lengths in the same passes; each token says with `index` to which it belongs. Sequence i uses seed + i. */
  generateBatch(inputs: readonly Prompt[], options?: PromptOptions): Generation {
    const { tools, template, ...rest } = options ?? {};
    if (!Array.isArray(inputs)) throw new InputError(`generate: inputs: expected an array of prompts, got ${typeof inputs}`);
    const { transformer, codec } = this;
    if (!inputs.some(isConversation)) {
      if (tools !== undefined || template !== undefined) throw new InputError("generate: tools, template: expected with messages only");
      return generate(
        transformer,
        inputs.map((input) => this.toIds(input as string | TokenIds)),
        rest,
        codec,
      );
    }
    // A template may need its engine loaded first, so conversations become ids with the first token asked for.
    const prepare = async () => {
      const prompts = await Promise.all(
        inputs.map((input) => (isConversation(input) ? this.formatChat(input, { tools, template }) : input)),
      );
      return prompts.map((prompt) => this.toIds(prompt));
    };
    const seed = parseGenerateOptions(rest, this.config, codec, "generate").seed ?? Random.anySeed();
    const usage: Usage = {};
    const run = async function* () {
      const generation = generate(transformer, await prepare(), { ...rest, seed }, codec, usage);
      yield* generation;
    };
    return createGeneration(run(), seed, inputs.length, usage);
  }

  /**
   * The prompt of a conversation, in the checkpoint's own chat template or, without one, MiniMax-M1's published format. If there are `tools`
   * and the checkpoint has a template named `tool_use`, that one counts.
   */
  async formatChat(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<string> {
    const { chatTemplate, toolTemplate, templateVariables } = this.text;
    expectArgument("chat: options", isObjectLike(options), "an object", options);
    const own = options.tools?.length ? (toolTemplate ?? chatTemplate) : chatTemplate;
    return formatChat(messages, {
      ...options,
      template: options.template ?? own,
      variables: { ...templateVariables, ...options.variables },
    });
  }

  /** A conversation whose state is kept: each turn computes only what is new. Dispose it when done. */
  session(options?: { seed?: number }): Session {
    return Session.start(this.transformer, options ?? {}, this.codec);
  }

  /** A session from the bytes of `session.save()`, exact to the bit. */
  restore(bytes: Uint8Array): Session {
    return Session.restore(this.transformer, bytes, this.codec);
  }

  /**
   * Writes the checkpoint in the layout and dialect in which it was loaded; tensors keep their bytes.
   *
   * @param destination a directory (Node). Without it the files are returned by name.
   */
  save(destination?: undefined, options?: SaveOptions): Promise<Map<string, Uint8Array>>;
  save(destination: string, options?: SaveOptions): Promise<undefined>;
  save(destination?: string, options?: SaveOptions): Promise<Map<string, Uint8Array> | undefined>;
  save(destination?: string, options?: SaveOptions): Promise<Map<string, Uint8Array> | undefined> {
    if (destination !== undefined && typeof destination !== "string") {
      throw new InputError(`save: destination: expected a directory's path, got ${typeof destination}`);
    }
    return destination === undefined
      ? saveCheckpoint(this.checkpoint, undefined, options)
      : saveCheckpoint(this.checkpoint, destination, options);
  }

  /** Frees weights, caches, sessions and scratch. The model is unusable afterwards. */
  dispose(): void {
    this.rt.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private toIds(input: string | TokenIds): readonly number[] {
    if (typeof input !== "string") return isTokenIds(input) ? Array.from({ length: input.length }, (_, i) => input[i]!) : input;
    if (!this.tokenizer) {
      throw new InputError(
        "generate: input: expected token ids, got text (this checkpoint has no tokenizer.json, nor vocab.json with merges.txt)",
      );
    }
    return this.tokenizer.encode(input);
  }
}

/** Where the files of the bundled model are. In a script that is no ES module, nothing says where its own files are. */
async function bundledModelFiles(): Promise<ReadonlyMap<string, URL>> {
  try {
    return (await import("lightning-m1/model")).files;
  } catch (cause) {
    throw new CheckpointError(
      "load: the files of the bundled model cannot be found, because this script was bundled without import.meta.url or without lightning-m1/model (copy the package's folder dist/standalone/model to your server, and load it by its URL)",
      { cause },
    );
  }
}

function layerView({ layer, input, output, routerLogits }: LayerResult): LayerView {
  const { rt } = input;
  return { layer, input: () => rt.read(input), output: () => rt.read(output), routerLogits: () => rt.read(routerLogits) };
}

function readLightningStates(caches: readonly Cache[], layer: number): Float32Array | undefined {
  const states = caches.flatMap((cache) => {
    const own = cache.layers[layer]!;
    return "state" in own ? [own.read()] : [];
  });
  if (states.length === 0) return undefined;
  const all = new Float32Array(states.length * states[0]!.length);
  for (const [i, state] of states.entries()) all.set(state, i * state.length);
  return all;
}

function checkBatch(batch: readonly TokenIds[], config: Config, caches: readonly Cache[] | undefined): void {
  if (!Array.isArray(batch) || batch.length === 0)
    throw new InputError("forward: batch: expected at least one sequence of token ids, got none");
  if (caches && caches.length !== batch.length) {
    throw new InputError(`forward: cache: expected one per sequence (${batch.length}), got ${caches.length}`);
  }
  if (caches && new Set(caches).size !== caches.length) throw new InputError("forward: cache: expected a different one for every sequence");
  for (const [i, ids] of batch.entries()) {
    checkIds(ids, config, `forward: batch[${i}]`, caches?.[i]?.length);
    if (ids.length !== batch[0]!.length) {
      throw new InputError(
        `forward: batch[${i}]: expected ${batch[0]!.length} tokens as in batch[0], got ${ids.length} (forward unequal lengths one by one)`,
      );
    }
  }
}
