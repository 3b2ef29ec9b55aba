// A server of OpenAI's interface for tests. The test defines its responses and its faults.

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { LanguageModel, PromptOptions } from "../../src/language-model.js";
import type { ChatMessage } from "../../src/text/format-chat.js";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: a request's body is what the test looks at
  readonly body: any;
}

/** The data of a response, and how it ends: properly, with a broken connection, or not at all. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly pieces?: readonly (string | Uint8Array)[] | AsyncIterable<string>;
  readonly ending?: "end" | "cut" | "stall";
}

export class OpenAiServer {
  readonly received: Received[] = [];
  /** Number of responses that the client left before their end. */
  left = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /**
   * Starts a server. @param answer returns a response, or undefined to close the connection without one. Requests for the list of models
   * are answered automatically, unless `answer` does it
   */
  static async start(
    answer: (request: Received, attempt: number) => Reply | undefined | Promise<Reply | undefined>,
  ): Promise<OpenAiServer> {
    const server = createServer();
    const self = new OpenAiServer(server);
    server.on("connection", (socket) => {
      self.sockets.add(socket);
      socket.on("close", () => self.sockets.delete(socket));
    });
    server.on("request", async (request, response) => {
      response.on("close", () => {
        if (!response.writableFinished) self.left++;
      });
      let text = "";
      for await (const piece of request) text += piece;
      const { method = "", url = "", headers } = request;
      const received = { method, path: url, headers, body: text === "" ? undefined : JSON.parse(text) };
      if (url !== "/v1/models") self.received.push(received);
      const reply = (await answer(received, self.received.length)) ?? (url === "/v1/models" ? models("m1") : undefined);
      if (!reply) return void request.socket.destroy();
      response.writeHead(reply.status ?? 200, { "content-type": "text/event-stream", ...reply.headers });
      response.flushHeaders();
      for await (const piece of reply.pieces ?? []) {
        if (response.destroyed) return;
        response.write(piece);
        // Each piece is sent separately.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (reply.ending === "cut") request.socket.destroy();
      else if (reply.ending !== "stall") response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return self;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  get connections(): number {
    return this.sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, pieces: [JSON.stringify(body)] };
}

export const models = (...ids: string[]): Reply => json({ object: "list", data: ids.map((id) => ({ id, object: "model" })) });

export const sse = (...events: unknown[]): string[] =>
  events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);

/** Returns a stream of these choices, which ends as that of a server does. */
export function stream(choices: readonly object[], usage?: object): Reply & { readonly pieces: string[] } {
  const events: unknown[] = choices.map((choice) => ({ object: "chunk", choices: [{ index: 0, ...choice }] }));
  if (usage) events.push({ object: "chunk", choices: [], usage });
  return { pieces: sse(...events, "[DONE]") };
}

/**
 * Responds as vLLM does, with a model of this library: ids, probabilities and stop reasons are those of its own generation. The text stays
 * in one piece, as with a server that parses nothing.
 */
export function serving(model: LanguageModel): (request: Received) => Promise<Reply | undefined> {
  return async ({ path, body }) => {
    if (path === "/v1/models") return undefined;
    const chat = path === "/v1/chat/completions";
    const options: PromptOptions = {
      maxTokens: body.max_tokens ?? Infinity,
      temperature: body.temperature,
      topK: body.top_k === undefined || body.top_k < 1 ? Infinity : body.top_k,
      topP: body.top_p,
      minP: body.min_p ?? 0,
      repetitionPenalty: body.repetition_penalty ?? 1,
      seed: body.seed,
      stop: body.stop ?? [],
      stopIds: body.stop_token_ids ?? [],
      topLogprobs: (chat ? body.top_logprobs : body.logprobs) ?? 0,
      repetition: body.repetition,
    };
    const text = chat ? await model.formatChat(body.messages as ChatMessage[], { template: body.chat_template }) : body.prompt;
    const promptIds = typeof text === "string" ? model.tokenizer!.encode(text) : text;
    const name = (id: number) => `token_id:${id}`;
    const choices: object[] = [];
    let tokens = 0;
    for await (const { id, text: piece, logprob, topLogprobs = [], stop, stopString } of model.generate(promptIds, options)) {
      const top = topLogprobs.map((one) => ({ token: name(one.id), logprob: one.logprob }));
      tokens++;
      choices.push({
        ...(chat ? { delta: { content: piece } } : { text: piece }),
        logprobs: chat
          ? { content: [{ token: name(id), logprob, top_logprobs: top }] }
          : {
              tokens: [name(id)],
              token_logprobs: [logprob],
              top_logprobs: [Object.fromEntries(top.map((one) => [one.token, one.logprob]))],
            },
        token_ids: [id],
        ...(tokens === 1 && { prompt_token_ids: promptIds }),
        ...(stop && {
          finish_reason: stop === "eos" || stop === "stop" ? "stop" : stop === "context" ? "length" : stop,
          stop_reason: stop === "stop" ? (stopString ?? id) : null,
        }),
      });
    }
    if (!body.stream) return json({ choices: [{ index: 0, text: "", prompt_token_ids: promptIds }] });
    return stream(choices, { prompt_tokens: promptIds.length, completion_tokens: tokens });
  };
}
