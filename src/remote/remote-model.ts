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
import { retryStream } from "./retry-stream.js";
import { parseEvent, type RemoteEvent, StreamDecoder } from "./stream-decoder.js";

/** A generation on a server. When it has ended, `usage` contains the server's token counts, if the server reports them. */
export type RemoteGeneration = Generation;

const modelsSchema = v.looseObject({
  data: v.array(v.looseObject({ id: v.string(), max_model_len: v.fallback(v.nullish(v.number()), null) })),
});

const tokenizedSchema = v.looseObject({ choices: v.array(v.looseObject({ prompt_token_ids: v.nullish(v.array(v.number())) })) });

const NEVER = new AbortController().signal;

/**
 * A model on a server with OpenAI's HTTP interface, such as vLLM or `lightning-m1 serve`. It has the methods of `MiniMaxM1`, so a single
 * line decides whether a program uses a local or a remote model.
 *
 * Text and token ids are sent to `/completions`, and conversations to `/chat/completions`. All options are sent, including the defaults of
 * this library, so that the defaults of the server have no effect.
 */
export class RemoteModel implements LanguageModel {
  private readonly disposed = new AbortController();

  private constructor(
    /** Name of the model on the server. */
    readonly name: string,
    /** Maximum length of a sequence in tokens, if the server reports it. */
    readonly contextLength: number | undefined,
    private readonly connection: Connection,
    private readonly concurrency: number,
    /** Whether vLLM's additions to OpenAI's interface are used. */
    readonly extensions: boolean,
  ) {}

  /**
   * Connects to a model of a server. This is the model of the given name or, without a name, the server's only model. If the server has no
   * list of models, the name is not checked.
   *
   * @param url the base address of the API, such as `http://127.0.0.1:8000/v1`
   * @throws {InputError} an invalid address or invalid options
   * @throws {RemoteError} no server at this address, or no such model; the message names the server's models
   */
  static async connect(url: string | URL, options: ConnectOptions = {}): Promise<RemoteModel> {
    const { model, signal = NEVER, concurrency, extensions, ...settings } = parseConnectOptions(options);
    const connection = new Connection(parseBaseUrl(url), settings);
    const models = await modelsOf(connection, signal).catch((error: unknown): ListedModel[] => {
      if (model !== undefined && error instanceof RemoteError && isUnlisted(error)) return [];
      throw error;
    });
    // Not every server has a list of models.
    if (model !== undefined && models.length === 0) return new RemoteModel(model, undefined, connection, concurrency, extensions);
    const found = model === undefined && models.length === 1 ? models[0] : models.find(({ id }) => id === model);
    if (!found) {
      const names = `${models
        .slice(0, 20)
        .map(({ id }) => id)
        .join(", ")}${models.length > 20 ? ", …" : ""}`;
      const problem =
        models.length === 0
          ? "the server lists no models. Set the option model to a name."
          : model === undefined
            ? `the server has several models (${names}). Set the option model to one of them.`
            : `the server has no model ${JSON.stringify(model)} (it lists ${names})`;
      throw new RemoteError(`connect: model: ${problem}`);
    }
    return new RemoteModel(found.id, found.max_model_len ?? undefined, connection, concurrency, extensions);
  }

  /**
   * Continues text, a conversation or token ids, as `MiniMaxM1.generate` does.
   *
   * A token's `id` is −1 if the server sends no ids, and its `logprob` is NaN if the server sends no probabilities. The last token may have
   * neither id nor text, but only the stop reason.
   *
   * @throws {InputError} an invalid input or invalid options. They are reported at once or, for conversations, with the first token
   * @throws {RemoteError} with the next token: no connection, an error response, a silent server, or a stream that breaks off
   */
  generate(input: Prompt, options?: PromptOptions): RemoteGeneration {
    return this.generateBatch([input], options);
  }

  /** Continues several prompts in concurrent requests. A token's `index` is the index of its prompt. Prompt i uses the seed plus i. */
  generateBatch(inputs: readonly Prompt[], options?: PromptOptions): RemoteGeneration {
    const { tools, template, ...rest } = options ?? {};
    if (!Array.isArray(inputs)) throw new InputError(`generate: inputs: expected an array of prompts, got ${typeof inputs}`);
    if (inputs.length === 0) throw new InputError("generate: input: expected at least one sequence, got none");
    const settings = parseRemoteOptions(rest, this.extensions, "generate");
    const chat = inputs.some(isConversation);
    if (!chat && (tools !== undefined || template !== undefined)) {
      throw new InputError("generate: tools, template: available for conversations (arrays of messages) only");
    }
    if (template !== undefined) {
      parseOptions(v.strictObject({ template: text }), { template }, "generate");
      if (!this.extensions)
        throw new InputError("generate: template: not available, because the server was connected with extensions: false");
    }
    for (const [i, input] of inputs.entries()) if (!isConversation(input)) checkPrompt(input, `generate: input[${i}]`);
    const seed = settings.seed ?? Random.anySeed();
    const usage: Usage = {};
    const open = async function* (this: RemoteModel, i: number, signal: AbortSignal) {
      const prompt = inputs[i]!;
      // Checks messages and tools, with the same errors as for a local model.
      if (isConversation(prompt)) await formatChat(prompt, { tools });
      const asked = { tools, template, repetition: rest.repetition };
      const request = buildRequest(prompt, this.name, settings, (seed + i) % SEED_LIMIT, this.extensions, asked);
      yield* retryStream(() => this.answer(i, request, settings, usage, signal), this.connection.settings, signal);
    };
    const signals = [this.disposed.signal, settings.signal];
    return createGeneration(mergeStreams(inputs.length, this.concurrency, open.bind(this), signals), seed, inputs.length, usage);
  }

  /**
   * Formats a conversation as a prompt, in MiniMax-M1's published format or with `template`. The server's own template is not known here.
   */
  formatChat(messages: readonly ChatMessage[], options?: ChatOptions): Promise<string> {
    return formatChat(messages, options);
  }

  /** Starts a session, whose tokens are kept locally and sent with every turn. It needs a server that sends token ids. */
  session(options?: { seed?: number }): RemoteSession {
    return RemoteSession.start(this, options ?? {});
  }

  /** Restores a session from the bytes of `session.save()`. */
  restore(bytes: Uint8Array): RemoteSession {
    return RemoteSession.restore(this, bytes);
  }

  /** Ends all running generations. */
  dispose(): void {
    this.disposed.abort(new RemoteError("remote: the model was disposed"));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Encodes a text on the server, in the same way as the server encodes prompts. @internal */
  async encode(text: string, signal: AbortSignal, where: string): Promise<number[]> {
    checkPrompt(text, `${where}: input`);
    const body = { model: this.name, prompt: text, max_tokens: 1, temperature: 0, add_special_tokens: false, return_token_ids: true };
    const call = new AbortController();
    const unfollow = followSignals(call, [this.disposed.signal, signal]);
    const answer = await this.connection.requestJson("completions", body, call.signal).finally(unfollow);
    const result = v.safeParse(tokenizedSchema, answer);
    const ids = result.success ? result.output.choices[0]?.prompt_token_ids : undefined;
    if (!ids) {
      throw new RemoteError(
        `${where}: input: the server sends no token ids, which a session needs. Pass the whole conversation to generate instead.`,
      );
    }
    return ids;
  }

  /** Makes one attempt to generate one sequence. */
  private async *answer(
    index: number,
    { path, body, tools }: RemoteRequest,
    settings: GenerateSettings,
    usage: Usage,
    signal: AbortSignal,
  ): AsyncGenerator<Token, void, undefined> {
    const where = `remote: POST ${printableUrl(this.connection.url(path))}`;
    const answer = new StreamDecoder(index, tools, settings, where);
    // Some servers send token counts with every event, but most send them only with the last one.
    let counted: RemoteEvent["usage"];
    for await (const event of this.connection.streamEvents(path, body, signal, () => answer.stop !== undefined)) {
      const { choices, usage: counts } = parseEvent(event, where);
      if (counts) counted = counts;
      for (const choice of choices ?? []) if (!answer.stop) yield* answer.decode(choice);
    }
    if (!answer.stop) {
      throw new RemoteError(`${where}: the stream broke off before a finish_reason. Generate again.`, {
        retryable: true,
      });
    }
    if (!counted) return;
    usage.promptTokens = (usage.promptTokens ?? 0) + (counted.prompt_tokens ?? 0);
    usage.completionTokens = (usage.completionTokens ?? 0) + (counted.completion_tokens ?? 0);
  }
}

/**
 * Returns whether an error only means that the server has no list of models. This holds for every error response except the response to a
 * wrong key.
 */
function isUnlisted({ status, retryable }: RemoteError): boolean {
  return status === undefined ? !retryable : status !== 401;
}

type ListedModel = { readonly id: string; readonly max_model_len?: number | null | undefined };

async function modelsOf(connection: Connection, signal: AbortSignal): Promise<ListedModel[]> {
  const answer = await connection.requestJson("models", undefined, signal);
  const result = v.safeParse(modelsSchema, answer);
  if (!result.success)
    throw new RemoteError("connect: models: the response is not a list of models (is this the base address of an OpenAI-compatible API?)");
  return result.output.data;
}
