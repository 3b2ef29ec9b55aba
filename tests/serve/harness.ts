import OpenAI from "openai";
import { afterEach, onTestFinished } from "vitest";
import { MiniMaxM1, type PromptOptions } from "../../src/index.js";
import { type ConnectionLimits, listen } from "../../src/node-entry/listen.js";
import { type ServeOptions, Server } from "../../src/serve/index.js";

/** The bundled model, on one thread. */
export const model = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });

/** A small model whose answers do not end by themselves: random weights, no end-of-sequence token, no tokenizer. */
export const endless = await MiniMaxM1.create(
  {
    ...{ model_type: "minimax_m1", attn_type_list: [0, 1], num_hidden_layers: 2, hidden_size: 24, intermediate_size: 20 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 8, rotary_dim: 4, num_local_experts: 4, num_experts_per_tok: 2 },
    ...{ vocab_size: 64, max_position_embeddings: 1_000_000, rope_theta: 10_000, torch_dtype: "float32" },
  },
  { build: "simd", threads: 1, seed: 1 },
);

/** A request that runs longer than any test. */
export const endlessly = { model: "lightning-m1", prompt: [1], max_tokens: 900_000, repetition: false } as const;

export const QUESTION = "Compute 6 + 6 + 3 - 2 + 3";
export const messages = [{ role: "user", content: QUESTION }] as const;

/** A server on a free port, for one test. */
export async function start(options: ServeOptions = {}, limits: ConnectionLimits = {}, served: MiniMaxM1 = model) {
  const server = new Server(served, options);
  const listening = await listen(server, { port: 0, host: "127.0.0.1" }, limits);
  onTestFinished(() => listening.close(1));
  const client = new OpenAI({ baseURL: `${listening.url}/v1`, apiKey: [options.apiKey ?? "none"].flat()[0]!, maxRetries: 0 });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${listening.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  return { server, client, post, ...listening };
}

/** What the model generates without a server: text, ids and stop reason. */
export async function alone(input: Parameters<MiniMaxM1["generate"]>[0], options: PromptOptions, of = model) {
  const ids: number[] = [];
  let [text, stop] = ["", ""];
  for await (const token of of.generate(input, options)) {
    ids.push(token.id);
    text += token.text;
    stop = token.stop ?? "";
  }
  return { ids, text, stop };
}

/** Waits until the condition is true. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** After each test of the calling file, waits until all requests have freed their memory. */
export async function expectMemoryFreed(): Promise<void> {
  const models = [model, endless];
  // The first run allocates the kernels' workspaces, which stay.
  for (const one of models) await alone([1], { maxTokens: 2 }, one);
  const used = models.map(({ memory }) => memory.usedBytes);
  afterEach(() => until(() => models.every(({ memory }, i) => memory.usedBytes === used[i])));
}
