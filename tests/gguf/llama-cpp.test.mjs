// Models that this library writes as GGUF, in llama.cpp: the same ids of a text, and the same greedy tokens.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gguf, smallConfig } from "../../bench/bench-model.mjs";
import { exportGguf, MiniMaxM1 } from "../../dist/node/index.js";

const folder = mkdtempSync(join(tmpdir(), "gguf-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error" });

async function withLlamaCpp(path, body) {
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
  try {
    return await body(model);
  } finally {
    await model.dispose();
  }
}

/** Generates greedily in llama.cpp, up to and including an end-of-sequence token. */
async function theirTokens(model, prompt, maxTokens) {
  // One thread: llama.cpp's threads wait actively for each other, which takes very long on a busy machine.
  const context = await model.createContext({ contextSize: 512, batchSize: 512, threads: 1, sequences: 1, flashAttention: false });
  const tokens = [];
  try {
    for await (const token of context.getSequence().evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
      tokens.push(token);
      if (tokens.length === maxTokens || model.isEogToken(token)) return tokens;
    }
    return tokens;
  } finally {
    await context.dispose();
  }
}

async function ourTokens(model, prompt, maxTokens) {
  const tokens = [];
  for await (const { id } of model.generate(prompt, { maxTokens })) tokens.push(id);
  return tokens;
}

/** Returns how much lower than the highest logit those of given tokens are, at most. It is 0 if all tokens are greedy. */
function largestGap(model, prompt, tokens) {
  const { logits } = model.forward([[...prompt, ...tokens]]);
  const { vocabSize } = model.config;
  const gaps = tokens.map((token, i) => {
    const at = (prompt.length - 1 + i) * vocabSize;
    const row = logits.subarray(at, at + vocabSize);
    return row.reduce((most, x) => Math.max(most, x)) - row[token];
  });
  return Math.max(...gaps);
}

describe("the bundled model", () => {
  const QUESTIONS = [
    "Compute 3 + 4 - 2",
    "Sort by alphabet : pear fig apple",
    "Close the open brackets : ( [ {",
    "Fill in the sudoku",
    "What is the last column?",
  ];
  const TEXTS = [
    "",
    " ",
    "a  b\t c \n\n\r\n d",
    "it's 'the' ABCdef Wörld 世界 🙂 e\u0301 \u00a0x",
    "a(b) c,d.e... 12345 ٣ !?|…。",
    "<begin_of_document><beginning_of_sentence>user name=user\nhi<end_of_sentence>\n<think>x</think>",
    "<end_of_sentence",
    "Sort by alphabet: pear, fig, apple.\nWhich is the first?",
  ];
  let model;
  beforeAll(async () => {
    model = await MiniMaxM1.load(undefined, { threads: 1 });
  });
  afterAll(() => model.dispose());

  test.each(["bf16", "f32", "f16", "q8_0"])("as %s: ids, texts and greedy tokens", async (dtype) => {
    const path = join(folder, `m1-${dtype}.gguf`);
    await exportGguf(undefined, path, { dtype });
    await withLlamaCpp(path, async (theirs) => {
      for (const text of TEXTS) {
        const ids = model.tokenizer.encode(text);
        expect([...theirs.tokenize(text, true)], JSON.stringify(text)).toEqual(ids);
        expect(theirs.detokenize(ids, true)).toBe(text);
      }
      for (const content of QUESTIONS) {
        const prompt = await model.formatChat([{ role: "user", content }]);
        const ids = [...theirs.tokenize(prompt, true)];
        expect(ids).toEqual(model.tokenizer.encode(prompt));
        const tokens = await theirTokens(theirs, ids, 100);
        expect(tokens, content).toEqual(await ourTokens(model, ids, 100));
        expect(tokens.at(-1)).toBe(theirs.tokens.eos);
      }
      expect([theirs.tokens.bos, theirs.tokens.eos]).toEqual([442, 443]);
      expect(theirs.fileInfo.metadata.tokenizer.chat_template).toContain("<beginning_of_sentence>ai name=assistant");
    });
  });

  test("every ASCII character beside every other, and random texts", async () => {
    const path = join(folder, "m1-bf16.gguf");
    await exportGguf(undefined, path);
    await withLlamaCpp(path, async (theirs) => {
      const characters = [..."\t\n\r !'(),.:;AaZz09éÉß世٣\u0301\u00a0🙂"];
      const pairs = characters.flatMap((a) => characters.flatMap((b) => [` ${a}${b}`, `${a} ${b}`, `${a}${b}e`]));
      let state = 1;
      const pick = (list) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return list[Math.floor((state / 2 ** 32) * list.length)];
      };
      const words = [...characters, "the", " or", "Find", " not", "user", " column", "ies", "st"];
      const random = Array.from({ length: 300 }, () => Array.from({ length: 30 }, () => pick(words)).join(""));
      const wrong = [...pairs, ...random].filter((text) => theirs.tokenize(text, true).join() !== model.tokenizer.encode(text).join());
      expect(wrong).toEqual([]);
    });
  });
});

describe("models without a tokenizer", () => {
  const PROMPT = Array.from({ length: 24 }, (_, i) => (i * i * 7 + 3) % 250);

  test.each(["F32", "BF16", "Q8_0"])("the small model of the benchmarks as %s", async (type) => {
    const path = await gguf("small", smallConfig, type);
    const checkpoint = path.replace(/-[A-Z0-9_]+\.gguf$/, "/");
    const model = await MiniMaxM1.load(checkpoint, { threads: 1 });
    await withLlamaCpp(path, async (theirs) => {
      expect([...theirs.tokenize(PROMPT.map((id) => `<|${id}|>`).join(""), true)]).toEqual(PROMPT);
      const tokens = await theirTokens(theirs, PROMPT, 32);
      if (type === "F32") expect(tokens).toEqual(await ourTokens(model, PROMPT, tokens.length));
      // Logits have a standard deviation of about 1.
      expect(largestGap(model, PROMPT, tokens)).toBeLessThan({ F32: 1e-3, BF16: 0.1, Q8_0: 0.2 }[type]);
    });
    model.dispose();
  });

  test.each([
    ["3 heads", { num_attention_heads: 3, num_key_value_heads: 1 }],
    ["6 heads, 6 of them with keys and values", { num_attention_heads: 6, num_key_value_heads: 6 }],
    ["12 heads in 4 groups", { num_attention_heads: 12, num_key_value_heads: 4 }],
    ["12 heads in 3 groups", { num_attention_heads: 12, num_key_value_heads: 3 }],
    ["3 heads in transformers' dialect", { model_type: "minimax", architectures: ["MiniMaxForCausalLM"], num_attention_heads: 3 }],
    ["a tied head", { tie_word_embeddings: true }],
    ["a rotary embedding of whole heads", { rotary_dim: 32 }],
    ["two softmax layers first", { attn_type_list: [1, 1, 0, 0] }],
    ["all experts", { num_local_experts: 4, num_experts_per_tok: 4 }],
    ["one expert", { num_local_experts: 1, num_experts_per_tok: 1 }],
    ["several ends of sequence", { eos_token_id: [250, 251, 252] }],
  ])("%s", async (_, change) => {
    const config = { ...smallConfig, num_hidden_layers: 4, attn_type_list: [0, 1, 0, 1], ...change };
    const model = await MiniMaxM1.formula(config, { threads: 1 });
    const path = join(folder, "formula.gguf");
    await model.save(path, { format: "gguf" });
    await withLlamaCpp(path, async (theirs) => {
      const tokens = await theirTokens(theirs, PROMPT, 24);
      expect(tokens.length).toBeGreaterThan(1);
      expect(largestGap(model, PROMPT, tokens)).toBeLessThan(1e-3);
    });
    model.dispose();
  });
});
