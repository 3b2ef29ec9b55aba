import * as v from "valibot";
import { followSignals } from "../base/abort.js";
import { InputError, RemoteError } from "../base/errors.js";
import { parseOptions, SEED_LIMIT, text } from "../base/options.js";
import { Random } from "../base/random.js";
import type { Token } from "../generate/generate.js";
import { createGeneration, type Generation, type Usage } from "../generate/generation.js";
import type { GenerateSettings } from "../generate/options.js";
import { isConversation, type LanguageModel, type Prompt, type PromptOptions } from "../language-model.js";
import { type ChatMessage, type ChatOptions, formatChat } from "../text/format-chat.js";
import { type ConnectOptions, parseBaseUrl, parseConnectOptions } from "./connect-options.js";
import { Connection } from "./connection.js";
import { printableUrl } from "./http-request.js";
import { mergeStreams } from "./merge-streams.js";
import { buildRequest, checkPrompt, parseRemoteOptions, type RemoteRequest } from "./remote-request.js";
import { RemoteSession } from "./remote-session.js";
import { withRetries } from "./retry.js";
import { parseEvent, type RemoteEvent, StreamDecoder } from "./stream-decoder.js";

/** Tokens from a server. Its `usage` is the server's count, known when the generation is over if the server tells it. */
export type RemoteGeneration = Generation;

const modelsSchema = v.looseObject({
  data: v.array(v.looseObject({ id: v.string(), max_model_len: v.fallback(v.nullish(v.number()), null) })),
});

const tokenizedSchema = v.looseObject({ choices: v.array(v.looseObject({ prompt_token_ids: v.nullish(v.array(v.number())) })) });

const NEVER = new AbortController().signal;

/**
 * A model on a server that speaks OpenAI's interface: vLLM, `lightning-m1 serve`, others. Used as a `MiniMaxM1` is used, so that one line decides where
 * a program's model computes.
 *
 * Text and token ids go to `/completions`, conversations to `/chat/completions`. Options are sent in full, defaults included, so that a server's own defaults change nothing.
 */
export class RemoteModel implements LanguageModel {
  private readonly ended = new AbortController();

  private constructor(
    /** The model's name on the server. */
    readonly name: string,
    /** Most tokens of a sequence, if the server says so. */
    readonly contextLength: number | undefined,
    private readonly connection: Connection,
    private readonly concurrency: number,
    /** Whether the server is taken to know vLLM's additions. */
    readonly extensions: boolean,
  ) {}

  /**
   * Asks the server for its models and takes the one named, or its only one. A server that lists none is believed to have the one named.
   *
   * @param url the base of the API, as `http://127.0.0.1:8000/v1`
   * @throws {InputError} an address or options that cannot be worked with
   * @throws {RemoteError} no server there, or none of this model; the models that are there are named
   */
  static async connect(url: string | URL, options: ConnectOptions = {}): Promise<RemoteModel> {
    const { model, signal = NEVER, concurrency, extensions, ...settings } = parseConnectOptions(options);
    const connection = new Connection(parseBaseUrl(url), settings);
    const models = await modelsOf(connection, signal).catch((error: unknown): ListedModel[] => {
      if (model !== undefined && error instanceof RemoteError && isUnlisted(error)) return [];
      throw error;
    });
    // Not every server lists what it has.
    if (model !== undefined && models.length === 0) return new RemoteModel(model, undefined, connection, concurrency, extensions);
    const found = model === undefined && models.length === 1 ? models[0] : models.find(({ id }) => id === model);
    if (!found) {
      const there = models.slice(0, 20).map(({ id }) => id);
      const names = there.length === 0 ? "none" : `${there.join(", ")}${models.length > there.length ? ", …" : ""}`;
      throw new RemoteError(
        `connect: model: expected ${model === undefined ? "a server with one model, or the name of one" : `${JSON.stringify(model)} on the server`}, got ${names} (give one of these as model)`,
      );
    }
    return new RemoteModel(found.id, found.max_model_len ?? undefined, connection, concurrency, extensions);
  }

  /**
   * Continues text, a conversation or token ids, as `MiniMaxM1.generate` does. Where the server gives no ids, a token's `id` is −1, and where it gives no probabilities, its `logprob` is NaN.
   * A last token without an id or text may come to say why the text ended.
   *
   * @throws {InputError} an input or options that cannot be worked with: at once, or with the first token for conversations
   * @throws {RemoteError} with the next token: a server that cannot be reached, refuses, falls silent or breaks off
   */
  generate(input: Prompt, options?: PromptOptions): RemoteGeneration {
    return this.generateBatch([input], options);
  }

  /** Continues several prompts in requests that run at the same time; each token says with `index` to which it belongs. Sequence i uses seed + i. */
  generateBatch(inputs: readonly Prompt[], options?: PromptOptions): RemoteGeneration {
    const { tools, template, ...rest } = options ?? {};
    if (!Array.isArray(inputs)) throw new InputError(`generate: inputs: expected an array of prompts, got ${typeof inputs}`);
    if (inputs.length === 0) throw new InputError("generate: input: expected at least one sequence, got none");
    const settings = parseRemoteOptions(rest, this.extensions, "generate");
    const chat = inputs.some(isConversation);
    if (!chat && (tools !== undefined || template !== undefined)) {
      throw new InputError("generate: tools, template: expected with messages only");
    }
    if (template !== undefined) {
      parseOptions(v.strictObject({ template: text }), { template }, "generate");
      if (!this.extensions)
        throw new InputError("generate: template: expected none, got one (the server was connected with extensions: false)");
    }
    for (const [i, input] of inputs.entries()) if (!isConversation(input)) checkPrompt(input, `generate: input[${i}]`);
    const seed = settings.seed ?? Random.anySeed();
    const usage: Usage = {};
    const open = async function* (this: RemoteModel, i: number, signal: AbortSignal) {
      const prompt = inputs[i]!;
      // Messages and tools that cannot be read are found here, with the same errors as locally.
      if (isConversation(prompt)) await formatChat(prompt, { tools });
      const asked = { tools, template, repetition: rest.repetition };
      const request = buildRequest(prompt, this.name, settings, (seed + i) % SEED_LIMIT, this.extensions, asked);
      yield* withRetries(() => this.answer(i, request, settings, usage, signal), this.connection.settings, signal);
    };
    const signals = [this.ended.signal, settings.signal];
    return createGeneration(mergeStreams(inputs.length, this.concurrency, open.bind(this), signals), seed, inputs.length, usage);
  }

  /** The prompt of a conversation in MiniMax-M1's published format, or another that `template` gives. The server's own format is not known here. */
  formatChat(messages: readonly ChatMessage[], options?: ChatOptions): Promise<string> {
    return formatChat(messages, options);
  }

  /** A conversation whose tokens are kept here and sent again with every turn. Needs a server that gives token ids. */
  session(options?: { seed?: number }): RemoteSession {
    return RemoteSession.start(this, options ?? {});
  }

  /** A session from the bytes of `session.save()`. */
  restore(bytes: Uint8Array): RemoteSession {
    return RemoteSession.restore(this, bytes);
  }

  /** Ends all generations under way. */
  dispose(): void {
    this.ended.abort(new RemoteError("remote: expected a model, got one that was disposed"));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal The ids of a text: what the server makes of it as a prompt. */
  async encode(text: string, signal: AbortSignal, where: string): Promise<number[]> {
    checkPrompt(text, `${where}: input`);
    const body = { model: this.name, prompt: text, max_tokens: 1, temperature: 0, add_special_tokens: false, return_token_ids: true };
    const call = new AbortController();
    const unfollow = followSignals(call, [this.ended.signal, signal]);
    const answer = await this.connection.requestJson("completions", body, call.signal).finally(unfollow);
    const result = v.safeParse(tokenizedSchema, answer);
    const ids = result.success ? result.output.choices[0]?.prompt_token_ids : undefined;
    if (!ids) {
      throw new RemoteError(
        `${where}: input: expected a server that gives token ids, got none (give generate the whole conversation instead)`,
      );
    }
    return ids;
  }

  /** One attempt at one sequence. */
  private async *answer(
    index: number,
    { path, body, tools }: RemoteRequest,
    settings: GenerateSettings,
    usage: Usage,
    signal: AbortSignal,
  ): AsyncGenerator<Token, void, undefined> {
    const where = `remote: POST ${printableUrl(this.connection.url(path))}`;
    const answer = new StreamDecoder(index, tools, settings, where);
    // Some servers count with every event, and most with the last one.
    let counted: RemoteEvent["usage"];
    for await (const event of this.connection.streamEvents(path, body, signal, () => answer.stop !== undefined)) {
      const { choices, usage: counts } = parseEvent(event, where);
      if (counts) counted = counts;
      for (const choice of choices ?? []) if (!answer.stop) yield* answer.decode(choice);
    }
    if (!answer.stop) {
      throw new RemoteError(`${where}: expected a text that ends with a finish_reason, got a stream that broke off (generate again)`, {
        retryable: true,
      });
    }
    if (!counted) return;
    usage.promptTokens = (usage.promptTokens ?? 0) + (counted.prompt_tokens ?? 0);
    usage.completionTokens = (usage.completionTokens ?? 0) + (counted.completion_tokens ?? 0);
  }
}

/** Whether an answer, though no list of models, says nothing of the server's models: any but a wrong key. */
function isUnlisted({ status, retryable }: RemoteError): boolean {
  return status === undefined ? !retryable : status !== 401;
}

type ListedModel = { readonly id: string; readonly max_model_len?: number | null | undefined };

async function modelsOf(connection: Connection, signal: AbortSignal): Promise<ListedModel[]> {
  const answer = await connection.requestJson("models", undefined, signal);
  const result = v.safeParse(modelsSchema, answer);
  if (!result.success)
    throw new RemoteError("connect: models: expected a list of models, got something else (is this the base of an OpenAI-compatible API?)");
  return result.output.data;
}
