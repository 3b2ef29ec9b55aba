import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { readTextSettings } from "../../src/checkpoint/text-settings.js";
import { MiniMaxM1 } from "../../src/minimax-m1.js";
import { type ChatMessage, formatChat } from "../../src/text/format-chat.js";
import { parseAssistant } from "../../src/text/parse-assistant.js";
import { Tokenizer } from "../../src/text/tokenizer.js";

const directory = new URL("./qwen-form/", import.meta.url);
const bytes = (name: string) => new Uint8Array(readFileSync(new URL(name, directory)));
const parsed = (name: string) => JSON.parse(readFileSync(new URL(name, directory), "utf8"));

/** Texts, and the ids that Hugging Face's tokenizers 0.23.2 gives. */
const cases: { text: string; ids: number[] }[] = parsed("cases.json");

describe("a tokenizer.json in the form of Qwen's: NFC, its pattern, byte-level merges, added tokens", () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await Tokenizer.fromFiles({ tokenizerJson: parsed("tokenizer.json"), tokenizerConfig: parsed("tokenizer_config.json") });
  });

  test.each(cases)("ids of $text", async ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(await tokenizer.encodeAsync(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text.normalize("NFC"));
    const stream = tokenizer.stream();
    expect(ids.map((id) => stream.push(id)).join("") + stream.end()).toBe(text.normalize("NFC"));
  });

  test("special tokens, the end of a turn, and added tokens that are text", () => {
    const id = (token: string) => tokenizer.idOf(token)!;
    expect([tokenizer.eosId, tokenizer.bosId]).toEqual([id("<|im_end|>"), undefined]);
    for (const token of ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]) expect(tokenizer.specialIds.has(id(token)), token).toBe(true);
    for (const token of ["<think>", "</think>", "<tool_call>"]) expect(tokenizer.specialIds.has(id(token)), token).toBe(false);
    const text = "<|im_start|>assistant\n<think>\n\n</think>\n\nHi<|im_end|>";
    expect(tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true })).toBe("assistant\n<think>\n\n</think>\n\nHi");
  });

  test("read as the files of a checkpoint", async () => {
    const files = new Map(["tokenizer.json", "tokenizer_config.json"].map((name) => [name, bytes(name)]));
    const settings = await readTextSettings(files);
    expect(settings.tokenizer!.encode(cases[3]!.text)).toEqual(cases[3]!.ids);
    expect(settings.templateVariables).toEqual({ eos_token: "<|im_end|>", pad_token: "<|endoftext|>" });
  });
});

describe("a chat template in the form of Qwen's", () => {
  const template = readFileSync(new URL("chat_template.jinja", directory), "utf8");
  /** Conversations, and the texts that Jinja 3.1.6 renders with the settings of transformers. */
  const chats: { messages: ChatMessage[]; tools: object[] | null; add_generation_prompt: boolean; text: string }[] = parsed("chats.json");

  test.each(chats)("renders as in Python: $text", async ({ messages, tools, add_generation_prompt, text, ...variables }) => {
    const options = { template, tools: tools ?? [], addGenerationPrompt: add_generation_prompt, variables };
    expect(await formatChat(messages, options)).toBe(text);
  });

  test("the model's calls come back as they went in", () => {
    const call = (city: string) => `<tool_call>\n{"name": "w", "arguments": {"city": "${city}"}}\n</tool_call>`;
    expect(parseAssistant(`<think>\nhm\n</think>\n\nI ask.\n${call("Oslo")}\n${call("Bern")}`)).toEqual({
      reasoning: "\nhm\n",
      content: "\n\nI ask.",
      toolCalls: [
        { name: "w", arguments: { city: "Oslo" } },
        { name: "w", arguments: { city: "Bern" } },
      ],
      malformed: [],
    });
    expect(parseAssistant("The tag <tool_call> in a sentence")).toMatchObject({
      content: "The tag <tool_call> in a sentence",
      toolCalls: [],
    });
    expect(parseAssistant("<tool_call>\nno call\n</tool_call>").malformed).toMatchObject([{ line: "no call" }]);
  });
});

test("a HypeNet with these files: a conversation from its directory of files, with ids beyond the tokenizer's vocabulary", async () => {
  const names = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
  const files = new Map(names.map((name) => [name, bytes(name)]));
  const config = {
    model_type: "hypenet",
    torch_dtype: "float32",
    vocab_size: 1000,
    hidden_size: 16,
    intermediate_size: 16,
    num_hidden_layers: 2,
    mixer_types: ["lightning-attn", "attn"],
    num_attention_heads: 2,
    head_dim: 8,
    attn_use_rope: false,
    attn_logits_scaling: "hype 500",
    lightning_use_qk_norm: true,
    tie_word_embeddings: true,
    eos_token_id: 702,
  };
  using made = await MiniMaxM1.create(config, { seed: 1, threads: 1, files });
  using model = await MiniMaxM1.load(await made.save(), { threads: 1 });
  expect(model.tokenizer!.vocabSize).toBeLessThan(model.config.vocabSize);
  expect(model.tokenizer!.eosId).toBe(702);
  const prompt = await model.formatChat([{ role: "user", content: "Hi" }]);
  expect(prompt).toBe("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  const generation = model.generate([{ role: "user", content: "Hi" }], { maxTokens: 40, temperature: 2, seed: 3 });
  const ids: number[] = [];
  for await (const { id } of generation) ids.push(id);
  expect(ids.some((id) => id >= model.tokenizer!.vocabSize)).toBe(true);
});
