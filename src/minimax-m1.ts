import { ConfigError, InputError } from "./base/errors.js";
import { expectArgument, isObjectLike } from "./base/options.js";
import { Random } from "./base/random.js";
import { runSteps, runStepsWithPauses } from "./base/steps.js";
import { bundledModelFiles } from "./bundled-model.js";
import type { Checkpoint } from "./checkpoint/checkpoint.js";
import { type CreateOptions, initialiseCheckpoint } from "./checkpoint/initialise.js";
import { loadCheckpoint } from "./checkpoint/load.js";
import type { LoadOptions } from "./checkpoint/load-options.js";
import { saveCheckpoint } from "./checkpoint/save.js";
import type { SaveOptions } from "./checkpoint/save-options.js";
import { type FormulaOptions, syntheticCheckpoint } from "./checkpoint/synthetic.js";
import { readTextSettings, type TextSettings } from "./checkpoint/text-settings.js";
import { createGeneration, type Generation, generate, parseGenerateOptions, Session, type Usage } from "./generate/index.js";
import type { CheckpointSource } from "./io/open-byte-source.js";
import { isConversation, type LanguageModel, type Prompt, type PromptOptions } from "./language-model.js";
import type { Cache, KVType } from "./model/cache.js";
import type { Config } from "./model/config.js";
import { type ForwardOptions, type ForwardOutput, forwardBatch } from "./model/forward.js";
import { graph } from "./model/graph.js";
import { isTokenIds, type TokenIds } from "./model/token-ids.js";
import { Transformer } from "./model/transformer.js";
import type { Runtime } from "./runtime/runtime.js";
import type { Build } from "./runtime/wasm.js";
import { type ChatMessage, type ChatOptions, formatChat } from "./text/format-chat.js";
import { codecOf, type TextCodec } from "./text/text-codec.js";
import type { Tokenizer } from "./text/tokenizer.js";
import { StreamedWeights, type StreamingStatistics } from "./weights/streamed.js";

/**
 * A loaded model. Its weights, and all caches and sessions created from it, are in one wasm memory until `dispose`.
 *
 * A model must not be used from two threads. Calls may overlap: generations take turns between tokens.
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
   * @param source a directory or `.safetensors` file by path, a URL of either, a hub id (Node), `File`s that the user picked, files by
   *   name, or bytes. By default the bundled model (`lightning-m1/model`), which has 3.4 million parameters and solves puzzles. Its files
   *   are read or fetched only in this case
   * @throws {CheckpointError} no checkpoint at the source, or a damaged file
   * @throws {ConfigError} the configuration of another architecture, or inconsistent values
   * @throws {WeightError} missing, unexpected or quantised weights, or weights of a wrong shape
   * @throws {MemoryError} weights that do not fit into memory; thrown before anything is allocated
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
   * Creates a model with random weights, for training. Weights are float32 in memory and are saved in the configuration's dtype.
   *
   * @param config a typed configuration, or the JSON of a `config.json`
   * @throws {ConfigError} the configuration of another architecture, inconsistent values, or a vocabulary smaller than the tokenizer's
   * @throws {MemoryError} weights that do not fit into memory
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
   * Creates a model with synthetic weights: kernels compute each weight on the fly from its tensor's name and its position. The weights
   * need neither memory nor files, so even the full 456-billion-parameter graph can be checked on any machine.
   *
   * The generated text is noise, but the numbers can be compared with those of any other implementation.
   *
   * @param config a typed configuration, or the JSON of a `config.json`
   * @throws {ConfigError} the configuration of another architecture, or inconsistent values
   */
  static async formula(config: Config | Record<string, unknown>, options?: FormulaOptions): Promise<MiniMaxM1> {
    const checkpoint = await syntheticCheckpoint(config, options);
    return new MiniMaxM1(checkpoint, await readTextSettings(checkpoint.files), options?.kv ?? "f32");
  }

  /** Number of threads that compute, including the calling one. */
  get threads(): number {
    return this.rt.threads;
  }

  /** Build of the kernels in use. */
  get build(): Build {
    return this.rt.build;
  }

  /** Bytes in use, their maximum so far, and the size of the wasm memory. */
  get memory(): { usedBytes: number; peakBytes: number; reservedBytes: number } {
    return this.rt.memory;
  }

  /** Statistics of streaming so far. Undefined if the weights are not streamed. */
  get streaming(): StreamingStatistics | undefined {
    const { weights } = this.checkpoint;
    return weights instanceof StreamedWeights ? weights.statistics : undefined;
  }

  /** The tokenizer. Undefined if the checkpoint has no tokenizer files; inputs must then be token ids, and generated text is empty. */
  get tokenizer(): Tokenizer | undefined {
    return this.text.tokenizer;
  }

  /** The text files of the checkpoint by name, such as tokenizer.json. @internal */
  get textFiles(): ReadonlyMap<string, Uint8Array> {
    return this.checkpoint.files;
  }

  private get codec(): TextCodec | undefined {
    return this.tokenizer && codecOf(this.tokenizer);
  }

  /** Allocates the empty state of one sequence, to be passed to `forward`. Call its `dispose` when done. */
  newCache(): Cache {
    return this.transformer.newCache();
  }

  /**
   * Computes logits and, if requested, intermediate results: hidden states, router logits and lightning states.
   *
   * @param batch token ids of sequences of equal length
   * @throws {InputError} no tokens, unequal lengths, ids outside the vocabulary, or more tokens than the model's context
   * @throws {SessionError} a cache that cannot be continued
   */
  forward<const Options extends ForwardOptions>(batch: readonly TokenIds[], options?: Options): ForwardOutput<Options> {
    return this.rt.scope(() => runSteps(forwardBatch<Options>(this.transformer, batch, options ?? {})));
  }

  /**
   * Computes the same as `forward`, but yields to the event loop after each layer. Timers, input or another generation can run there. Use
   * it for models whose forward pass takes seconds.
   */
  async forwardAsync<const Options extends ForwardOptions>(batch: readonly TokenIds[], options?: Options): Promise<ForwardOutput<Options>> {
    return runStepsWithPauses(forwardBatch<Options>(this.transformer, batch, options ?? {}));
  }

  /**
   * Continues text, a conversation or token ids, token by token. Decoding is greedy by default. With sampling options, the same seed gives
   * the same tokens. `break` or the signal ends the generation; the model is then ready for the next call.
   *
   * @throws {InputError} an invalid input or option. For a conversation, an invalid input is reported with the first token
   */
  generate(input: Prompt, options?: PromptOptions): Generation {
    return this.generateBatch([input], options);
  }

  /**
   * Continues several prompts of any lengths in shared forward passes. `token.index` is the index of its prompt. Prompt i uses the seed
   * plus i.
   */
  generateBatch(inputs: readonly Prompt[], options?: PromptOptions): Generation {
    const { tools, template, ...rest } = options ?? {};
    if (!Array.isArray(inputs)) throw new InputError(`generate: inputs: expected an array of prompts, got ${typeof inputs}`);
    const { transformer, codec } = this;
    if (!inputs.some(isConversation)) {
      if (tools !== undefined || template !== undefined)
        throw new InputError("generate: tools, template: available for conversations (arrays of messages) only");
      return generate(
        transformer,
        inputs.map((input) => this.toIds(input as string | TokenIds)),
        rest,
        codec,
      );
    }
    // Formatting is asynchronous, because the template engine is loaded on first use. It therefore runs when the first token is requested.
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
   * Formats a conversation as a prompt, with the checkpoint's chat template or, if it has none, in MiniMax-M1's published format.
   * With `tools`, a template named `tool_use` is preferred if the checkpoint has one.
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

  /** Starts a session, whose state is kept so that each turn computes only new tokens. Call its `dispose` when done. */
  session(options?: { seed?: number }): Session {
    return Session.start(this.transformer, options ?? {}, this.codec);
  }

  /** Restores a session from the bytes of `session.save()`. The restored state is identical to the bit. */
  restore(bytes: Uint8Array): Session {
    return Session.restore(this.transformer, bytes, this.codec);
  }

  /**
   * Saves the checkpoint with the file layout and the tensor names with which it was loaded. Tensors keep their bytes. With the option
   * `format: "gguf"`, writes one file for llama.cpp instead.
   *
   * @param destination a directory, or the path of a GGUF file (Node). If omitted, the files are returned by name.
   * @throws {ConfigError} a model that llama.cpp cannot express
   */
  save(destination?: undefined, options?: SaveOptions): Promise<Map<string, Uint8Array>>;
  save(destination: string, options?: SaveOptions): Promise<undefined>;
  save(destination?: string, options?: SaveOptions): Promise<Map<string, Uint8Array> | undefined>;
  save(destination?: string, options?: SaveOptions): Promise<Map<string, Uint8Array> | undefined> {
    if (destination !== undefined && typeof destination !== "string") {
      throw new InputError(`save: destination: expected a path, got ${typeof destination}`);
    }
    return destination === undefined
      ? saveCheckpoint(this.checkpoint, undefined, options)
      : saveCheckpoint(this.checkpoint, destination, options);
  }

  /** Frees all memory: weights, caches, sessions and scratch. The model is unusable afterwards. */
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
        "generate: input: expected token ids, got text. This checkpoint has no tokenizer (neither tokenizer.json nor vocab.json with merges.txt)",
      );
    }
    return this.tokenizer.encode(input);
  }
}
