import { afterAll } from "vitest";
import type { PromptOptions, Token } from "../../src/index.js";
import { type ConnectOptions, RemoteModel } from "../../src/remote/index.js";
import { collect, rejection } from "../generate/model.js";
import { OpenAiServer, type Received, type Reply } from "../support/openai-server.js";

export const QUICK: ConnectOptions = { retryDelayMs: 1, retries: 2 };
export const SECRET = "sk-very-secret";

/** The server of the latest `withServer` or `replying`. */
export let server: OpenAiServer | undefined;

/** Starts a scripted server in place of the previous one, and connects to it. */
export async function withServer(answer: Parameters<typeof OpenAiServer.start>[0], options: ConnectOptions = {}): Promise<RemoteModel> {
  await server?.stop();
  server = await OpenAiServer.start(answer);
  return RemoteModel.connect(server.url, { ...QUICK, ...options });
}
afterAll(() => server?.stop());

/** A model whose server replies to every generation like this. */
export const replying = (reply: (request: Received, attempt: number) => Reply | undefined, options?: ConnectOptions) =>
  withServer((request, attempt) => (request.path === "/v1/models" ? undefined : reply(request, attempt)), options);

export const textOf = (tokens: readonly Token[]) => tokens.map(({ text }) => text).join("");
export const failure = (model: RemoteModel, options?: PromptOptions) => rejection(collect(model.generate("x", options))) as Promise<Error>;
