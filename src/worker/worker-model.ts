import * as v from "valibot";
import { InputError, LightningError } from "../base/errors.js";
import { callback, parseOptions, seedNumber, signal } from "../base/options.js";
import { Random } from "../base/random.js";
import { readTextSettings } from "../checkpoint/text-settings.js";
import { createGeneration, type Generation, type Usage } from "../generate/generation.js";
import { type GenerateOptions, type GenerateSettings, parseGenerateOptions } from "../generate/options.js";
import { parseSession } from "../generate/session-bytes.js";
import { isConversation, type LanguageModel, type Prompt, type PromptOptions } from "../language-model.js";
import type { Config } from "../model/config.js";
import type { ForwardOptions, ForwardOutput, LayerView } from "../model/forward.js";
import type { TokenIds } from "../model/token-ids.js";
import type { Build } from "../runtime/wasm.js";
import type { ChatMessage, ChatOptions } from "../text/format-chat.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { type Caller, sendable } from "./caller.js";
import type { ModelFacts, WorkerStatistics } from "./protocol.js";
import { respond, type WorkerRequestInit } from "./respond.js";
import { WorkerCache } from "./worker-cache.js";
import { WorkerSession } from "./worker-session.js";

/** Options of `WorkerModel.forward`: those of `MiniMaxM1.forward`, with caches of the worker. */
export interface WorkerForwardOptions extends Omit<ForwardOptions, "cache"> {
  /** States to continue, one per sequence (from `newCache`). The call advances them. */
  cache?: readonly WorkerCache[];
}

/** Number of tokens that a generation computes before they are requested, so that the worker need not wait for the page. */
const TOKENS_AHEAD = 8;

const sessionSchema = v.strictObject({ seed: v.optional(seedNumber) });
const forwardSchema = v.looseObject({
  signal: v.optional(signal),
  onLayer: v.optional(callback<(layer: LayerView) => void>()),
  cache: v.optional(
    v.array(
      v.custom<WorkerCache>((x) => x instanceof WorkerCache, "a state from newCache"),
      "an array of states from newCache",
    ),
  ),
});

/** A model in a worker, from `createWorkerModel`. It has the methods of `MiniMaxM1`; those that compute return promises. */
export class WorkerModel implements LanguageModel {
  private constructor(
    private readonly caller: Caller,
    private readonly facts: ModelFacts,
    /** The tokenizer. Undefined without the option `tokenizer`, and for a checkpoint without tokenizer files. */
    readonly tokenizer: Tokenizer | undefined,
  ) {}

  /** @internal */
  static async create(caller: Caller, { files, ...facts }: ModelFacts): Promise<WorkerModel> {
    return new WorkerModel(caller, { ...facts, files: undefined }, files && (await readTextSettings(files)).tokenizer);
  }

  get config(): Config {
    return this.facts.config;
  }

  /** Number of parameters. */
  get parameters(): number {
    return this.facts.parameters;
  }

  /** Build of the kernels in use. */
  get build(): Build {
    return this.facts.build;
  }

  /** Returns the memory, the number of threads and the statistics of streaming. */
  statistics(): Promise<WorkerStatistics> {
    return this.caller.call("statistics", undefined);
  }

  /**
   * Continues text, a conversation or token ids, as `MiniMaxM1.generate` does, with the same tokens. The worker computes up to 8 tokens
   * before they are requested.
   *
   * @throws {InputError} invalid options. An invalid input is reported with the first token
   */
  generate(input: Prompt, options?: PromptOptions): Generation {
    return this.generateBatch([input], options);
  }

  /** Continues several prompts in shared forward passes. `token.index` is the index of its prompt. Prompt i uses the seed plus i. */
  generateBatch(inputs: readonly Prompt[], options?: PromptOptions): Generation {
    const { tools, template, ...rest } = options ?? {};
    if (!Array.isArray(inputs)) throw new InputError(`generate: inputs: expected an array of prompts, got ${typeof inputs}`);
    if (!inputs.some(isConversation) && (tools !== undefined || template !== undefined)) {
      throw new InputError("generate: tools, template: available for conversations (arrays of messages) only");
    }
    const settings = this.parseOptions(rest, "generate");
    const seed = settings.seed ?? Random.anySeed();
    const { signal, ...plain } = rest;
    const args = sendable({ inputs, options: { ...plain, tools, template, seed } }, "generate");
    const usage: Usage = {};
    const run = async function* (caller: Caller) {
      for await (const item of caller.stream("generate", args, { signal, ahead: TOKENS_AHEAD })) {
        Object.assign(usage, item.usage);
        yield item.token;
      }
    };
    return createGeneration(run(this.caller), seed, inputs.length, usage);
  }

  /** Formats a conversation as a prompt, with the checkpoint's chat template. */
  async formatChat(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<string> {
    return this.caller.call("formatChat", sendable({ messages, options }, "chat"));
  }

  /** Starts a session, whose exact state is kept in the worker. Call its `dispose` when done. */
  session(options?: { seed?: number }): WorkerSession {
    const { seed = Random.anySeed() } = parseOptions(sessionSchema, options ?? {}, "session");
    const handle = this.caller.newHandle();
    this.caller.send("createSession", { handle, seed });
    return new WorkerSession(this.caller, handle, this.parseOptions, { ids: [], minLength: 0, seed });
  }

  /**
   * Restores a session from the bytes of `session.save()`, of this model or of a `MiniMaxM1` with the same weights. The restored state is
   * identical to the bit.
   *
   * @throws {SessionError} bytes that are not a saved session, or that are damaged. A session of another model is reported by its first use
   */
  restore(bytes: Uint8Array): WorkerSession {
    const { ids, computed, seed } = parseSession(bytes);
    const minLength = this.config.attnTypeList.includes(0) ? computed : 0;
    const handle = this.caller.newHandle();
    this.caller.send("restoreSession", { handle, bytes: bytes.slice() });
    return new WorkerSession(this.caller, handle, this.parseOptions, { ids, minLength, seed });
  }

  /** Allocates the empty state of one sequence, to be passed to `forward`. Call its `dispose` when done. */
  newCache(): WorkerCache {
    const handle = this.caller.newHandle();
    this.caller.send("createCache", { handle });
    return new WorkerCache(this.caller, handle);
  }

  /**
   * Computes logits and, if requested, intermediate results, as `MiniMaxM1.forward` does. Between layers, the worker does other work.
   * `onLayer` receives copies of each layer's results; when it is called, the worker may have computed further layers.
   *
   * @throws {InputError} no tokens, unequal lengths, ids outside the vocabulary, or more tokens than the model's context
   * @throws {SessionError} a cache that cannot be continued
   */
  async forward<const Options extends WorkerForwardOptions>(
    batch: readonly TokenIds[],
    options?: Options,
  ): Promise<ForwardOutput<Omit<Options, "cache">>> {
    const { signal, onLayer, cache, ...plain } = parseOptions(forwardSchema, options ?? {}, "forward");
    const args = {
      ...sendable({ batch, options: plain as ForwardOptions }, "forward"),
      caches: cache?.map(({ handle }) => handle),
      layers: onLayer !== undefined,
    };
    const { output, lengths } = await this.caller.call("forward", args, {
      signal,
      onItem: ({ layer, input, output, routerLogits }) =>
        onLayer?.({ layer, input: () => input, output: () => output, routerLogits: () => routerLogits }),
    });
    for (const [i, length] of lengths.entries()) cache![i]!.computed = length;
    return output as ForwardOutput<Omit<Options, "cache">>;
  }

  /**
   * Responds to a request as `lightning-m1/serve` does, but without a network: pass this function as `fetch` to `RemoteModel.connect`, or to
   * another client of OpenAI's interface. Only the path of the URL matters, such as `/v1/chat/completions`.
   */
  readonly fetch = (input: Request | string | URL, init?: WorkerRequestInit): Promise<Response> => respond(this.caller, input, init);

  /** Ends the worker, which frees its memory. Running and later calls fail. */
  dispose(): void {
    this.caller.close(new LightningError("worker: used after dispose. Load the model again."));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Checks options of generation here, so that errors are thrown at once. */
  private readonly parseOptions = (options: GenerateOptions, where: string): GenerateSettings =>
    parseGenerateOptions(options, this.config, this.facts.text, where);
}
