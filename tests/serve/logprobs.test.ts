import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { RemoteModel } from "../../src/remote/index.js";
import { Server } from "../../src/serve/index.js";
import { byteAlphabet } from "../../src/text/tokenizer-files.js";
import { collect } from "../generate/model.js";

/** A space with a part of a character, U+FFFD as a character, and 漢. An added token is 漢 as well, and the last id has no token. */
const FURTHER = ["Ġð", "ï¿½", [0xe6, 0xbc, 0xa2].map((byte) => byteAlphabet[byte]).join("")];
const VOCAB = 256 + FURTHER.length + 2;

let model: MiniMaxM1;
let server: Server;
beforeAll(async () => {
  const made = await MiniMaxM1.create(
    {
      ...{ model_type: "minimax_m1", attn_type_list: [0, 1], num_hidden_layers: 2, hidden_size: 24, intermediate_size: 20 },
      ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 8, rotary_dim: 4, num_local_experts: 4, num_experts_per_tok: 2 },
      ...{ vocab_size: VOCAB, max_position_embeddings: 4096, rope_theta: 10_000, torch_dtype: "float32" },
    },
    { build: "simd", threads: 1, seed: 3 },
  );
  const files = await made.save();
  made.dispose();
  const tokenizer = {
    // The same text as another token.
    added_tokens: [{ id: 256 + FURTHER.length, content: "漢", special: false, normalized: false }],
    decoder: { type: "ByteLevel" },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
    model: { type: "BPE", vocab: Object.fromEntries([...byteAlphabet, ...FURTHER].map((token, id) => [token, id])), merges: [] },
  };
  files.set("tokenizer.json", new TextEncoder().encode(JSON.stringify(tokenizer)));
  model = await MiniMaxM1.load(files, { build: "simd", threads: 1 });
  server = new Server(model);
});
afterAll(() => model.dispose());

const ALL = 20;
const sampled = { seed: 5, temperature: 1, max_tokens: 24 };
const messages = [{ role: "user", content: "é😀" }];

interface Entry {
  readonly token: string;
  readonly bytes: number[] | null;
  readonly top_logprobs: readonly Entry[];
}

interface Written {
  readonly token_ids: number[];
  readonly logprobs: {
    readonly content: readonly Entry[];
    readonly tokens: readonly string[];
    readonly top_logprobs: readonly Record<string, number>[];
  };
}

/** The choices of an answer, or of all events of a stream. */
async function ask(path: string, body: object): Promise<Written[]> {
  const request = new Request(`http://localhost/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...sampled, ...body, return_token_ids: true }),
  });
  const text = await (await server.fetch(request)).text();
  const events = text.startsWith("data:") ? text.split("\n\n").filter((event) => event && !event.includes("[DONE]")) : [`data: ${text}`];
  return events.map((event) => JSON.parse(event.slice("data: ".length)).choices[0]);
}

/** The name and the bytes of a token. */
function expected(id: number): [string, number[] | null] {
  if (id === VOCAB - 1) return [`token_id:${id}`, null];
  if (id === 258 || id === 259) return ["漢", [0xe6, 0xbc, 0xa2]];
  if (id === 257) return ["\ufffd", [0xef, 0xbf, 0xbd]];
  if (id === 256) return ["bytes: \\xf0", [0x20, 0xf0]];
  return [id < 0x80 ? String.fromCharCode(id) : `bytes:\\x${id.toString(16)}`, [id]];
}

describe.each([false, true])("streamed: %s", (stream) => {
  test("chat: every token has its bytes and a name, parts of characters too", async () => {
    const choices = await ask("chat/completions", { messages, stream, logprobs: true, top_logprobs: ALL });
    const ids = choices.flatMap(({ token_ids }) => token_ids);
    const content = choices.flatMap(({ logprobs }) => logprobs.content);
    expect(content.map(({ token, bytes }) => [token, bytes])).toEqual(ids.map(expected));
    expect(ids.some((id) => id >= 0x80)).toBe(true);
    for (const { top_logprobs } of content) {
      expect(top_logprobs).toHaveLength(ALL);
      for (const { token, bytes } of top_logprobs) {
        if (bytes === null) expect(token).toBe(`token_id:${VOCAB - 1}`);
        else if (bytes.length === 1) expect([token, bytes]).toEqual(expected(bytes[0]!));
      }
    }
    // Bytes of all tokens joined are the text.
    const text = Buffer.from(content.flatMap(({ bytes }) => bytes ?? [])).toString();
    expect(text).toBe(model.tokenizer!.decode(ids.filter((id) => id < VOCAB - 1)));
  });

  test("completions: all alternatives have distinct keys", async () => {
    const choices = await ask("completions", { prompt: "é😀", stream, logprobs: ALL });
    const ids = choices.flatMap(({ token_ids }) => token_ids);
    const lists = choices.flatMap(({ logprobs }) => logprobs.top_logprobs);
    expect(choices.flatMap(({ logprobs }) => logprobs.tokens)).toEqual(ids.map((id) => expected(id)[0]));
    const own: number[][] = [];
    const options = { seed: 5, temperature: 1, maxTokens: 24, topLogprobs: ALL };
    for await (const { id, topLogprobs } of model.generate("é😀", options))
      own.push([...new Set([...topLogprobs!.map((one) => one.id), id])]);
    expect(lists.map((list) => Object.keys(list).length)).toEqual(own.map((list) => list.length));
  });
});

test("two tokens with the same text: the chosen one has the name, the other its id", async () => {
  const twins = [258, 259];
  const lists = await ask("completions", { prompt: "x", logprobs: ALL, max_tokens: 200 });
  const { logprobs, token_ids } = lists[0]!;
  let seen = 0;
  for (const [i, list] of logprobs.top_logprobs.entries()) {
    if (!twins.some((id) => `token_id:${id}` in list)) continue;
    seen++;
    expect(list).toHaveProperty("漢");
    if (twins.includes(token_ids[i]!)) expect(list).not.toHaveProperty([`token_id:${token_ids[i]}`]);
  }
  expect(seen).toBeGreaterThan(0);
});

test("RemoteModel reads all alternatives", async () => {
  const fetch = async (url: string, init: RequestInit) => server.fetch(new Request(url, init));
  const options = { seed: 5, temperature: 1, maxTokens: 12, topLogprobs: 8 };
  for (const prompt of ["é😀", [{ role: "user", content: "é😀" }]] as const) {
    const local = await collect(model.generate(prompt, options));
    for (const extensions of [true, false]) {
      const remote = await RemoteModel.connect("http://localhost/v1", { extensions, fetch });
      const tokens = (await collect(remote.generate(prompt, options))).filter(({ logprob }) => !Number.isNaN(logprob));
      expect(tokens.map(({ logprob }) => logprob)).toEqual(local.map(({ logprob }) => logprob));
      expect(tokens.map(({ topLogprobs }) => topLogprobs!.map(({ logprob }) => logprob))).toEqual(
        local.map(({ topLogprobs }) => topLogprobs!.map(({ logprob }) => logprob)),
      );
      expect(tokens.map(({ text }) => text).join("")).toBe(local.map(({ text }) => text).join(""));
    }
  }
});
