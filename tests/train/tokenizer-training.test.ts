import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors.js";
import { decodeJson } from "../../src/base/json.js";
import { readTextSettings } from "../../src/checkpoint/text-settings.js";
import { MiniMaxM1 } from "../../src/minimax-m1.js";
import { type ChatMessage, formatChat } from "../../src/text/format-chat.js";
import type { Tokenizer } from "../../src/text/tokenizer.js";
import { byteAlphabet } from "../../src/text/tokenizer-files.js";
import { learnBytePairs, type Merge } from "../../src/train/byte-pair-training.js";
import { type TokenizerOptions, trainTokenizer } from "../../src/train/tokenizer-training.js";
import { encodeNaively, learnNaively } from "../reference/byte-pairs.js";
import { chatTemplate } from "../support/chat-template.js";
import { rawTensors, SMALL, singleFile } from "../support/checkpoints.js";
import { facts } from "../support/facts.js";

const MARKUP = ["<end_of_document>", "<begin_of_document>", "<beginning_of_sentence>", "<end_of_sentence>"];
const SPECIAL = [...MARKUP, "<think>", "</think>"];

/** Everything that the splitting tells apart. */
const sample = `The quick brown fox jumps over the lazy dog; the dog doesn't.
Sort QWERTY: E Q R T W Y, and 12 + 345 = 357.
  if (a[i] != b[j]) { return [[i, j], {}]; }
naïve café, Größe, 漢字と漢字, 👍🏽👍`;

/** What Hugging Face's trainer (tokenizers 0.23.2, BpeTrainer) learns from it, split likewise: 40 merges over the bytes. */
const published =
  "d o | h e | ð Ł | Ġ do | t he | v e | ¢ å | ¼ ¢å | æ ¼¢å | Ġ 3 | Ġ Q | Ġ b | Ġ j | Ġ { | Ġ the | ĳ į | Ń Ĺ | ðŁ ĳį | Ġdo g | æ¼¢å ŃĹ | " +
  "G r | S o | T he | a f | a n | a z | a Ã | c k | c af | e s | e t | f o | i f | i ck | l az | m p | n aÃ | o w | o ve | q u";

const bytesOf = (text: string): string[] => Array.from(new TextEncoder().encode(text), (byte) => byteAlphabet[byte]!);

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        ...[
          " ",
          "  ",
          "\n",
          "\r\n",
          "\t",
          "the",
          " The",
          "ABC",
          " QRS",
          "McX",
          "12",
          " 3",
          "[([])]",
          "don't",
          "<think>",
          "<thin",
          "</think>>",
        ],
        ...["é", "e\u0301", "漢字", "👩‍👩‍👧", "\u00a0", "\u0085", "\ufeff", "ǅ", "½", "__proto__", "constructor", "Ġ", ...MARKUP],
      ),
      { maxLength: 20 },
    )
    .map((parts) => parts.join("")),
);
const anyTexts = fc.array(anyText, { maxLength: 5 });

async function load(files: ReadonlyMap<string, Uint8Array>): Promise<Tokenizer> {
  return (await readTextSettings(files)).tokenizer!;
}

function mergesOf(files: ReadonlyMap<string, Uint8Array>): Merge[] {
  return (decodeJson(files.get("tokenizer.json")!, "tokenizer.json") as { model: { merges: Merge[] } }).model.merges;
}

/** The splitting in other words: character by character. Sections hold no special token. */
function splitNaively(text: string): string[] {
  const sections = text.split(/(<(?:(?:end|begin)_of_document|(?:beginning|end)_of_sentence|\/?think)>)/);
  return sections.flatMap((section, i) => (i % 2 === 1 ? [section] : splitSection([...section])));
}

function splitSection(chars: string[]): string[] {
  const pieces: string[] = [];
  const is = (pattern: RegExp, at: number): boolean => at < chars.length && pattern.test(chars[at]!);
  const [capital, lower, blank, line] = [/^\p{Lu}$/u, /^(?!\p{Lu})[\p{L}\p{M}]$/u, /^[ \t]$/, /^[\r\n]$/];
  for (let at = 0; at < chars.length; ) {
    const begin = at;
    const space = chars[at] === " " ? 1 : 0;
    const first = at + space;
    if (first < chars.length && !is(blank, first) && !is(line, first)) {
      at = first + 1;
      if (is(capital, first) || is(lower, first)) while (is(lower, at)) at++;
    } else if (is(line, at)) {
      while (is(line, at)) at++;
    } else {
      while (is(blank, at)) at++;
      // The last blank before text is left to it.
      if (at < chars.length && !is(line, at) && at > begin + 1) at--;
    }
    pieces.push(chars.slice(begin, at).join(""));
  }
  return pieces;
}

describe("merges", () => {
  test("are those of Hugging Face's trainer", () => {
    const merges = mergesOf(trainTokenizer([sample], { vocabSize: 256 + 40 + SPECIAL.length }));
    expect(merges.map((pair) => pair.join(" ")).join(" | ")).toBe(published);
  });

  test("are those of a trainer that counts everything anew", () => {
    const alphabet = ["a", "b", "c", "d"];
    const word = fc.string({ unit: fc.constantFrom("\u0000", "\u0001", "\u0002"), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.dictionary(word, fc.integer({ min: 1, max: 3 }), { maxKeys: 12 }), fc.integer({ min: 4, max: 40 }), (pieces, size) => {
        const counts = new Map(Object.entries(pieces));
        const words = [...counts].flatMap(([piece, count]) =>
          Array.from({ length: count }, () => [...piece].map((char) => alphabet[char.charCodeAt(0)]!)),
        );
        const { merges, tokens } = learnBytePairs(counts, alphabet, size);
        expect(merges).toEqual(learnNaively(words, alphabet, size));
        expect(tokens).toEqual([...new Set([...alphabet, ...merges.map((pair) => pair.join(""))])]);
      }),
      { numRuns: 500 },
    );
  });

  test("of texts: within pieces only, whatever the text", () => {
    fc.assert(
      fc.property(anyTexts, (texts) => {
        const words = texts.flatMap(splitNaively).filter((piece) => !SPECIAL.includes(piece));
        const vocabSize = 256 + 12 + SPECIAL.length;
        expect(mergesOf(trainTokenizer(texts, { vocabSize }))).toEqual(
          learnNaively(words.map(bytesOf), [...byteAlphabet].sort(), 256 + 12),
        );
      }),
    );
  });

  test("of a run: the first two letters, then the next two", () => {
    const merges = (text: string, count: number) => mergesOf(trainTokenizer([text], { vocabSize: 256 + count + SPECIAL.length }));
    expect(merges("aaaaa", 9)).toEqual([
      ["a", "a"],
      ["aa", "a"],
      ["aa", "aaa"],
    ]);
    expect(merges("b".repeat(1024), 10).map(([left]) => left.length)).toEqual(Array.from({ length: 10 }, (_, i) => 2 ** i));
  });

  test("a text that is one long word does not take the square of its length", () => {
    const letters = Array.from({ length: 200_000 }, (_, i) => String.fromCharCode(97 + ((i * i * 7 + (i >> 3)) % 26))).join("");
    const began = performance.now();
    trainTokenizer([letters], { vocabSize: 4000 });
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

describe("the tokenizer", () => {
  let tokenizer: Tokenizer;
  let merges: Merge[];
  beforeAll(async () => {
    const files = trainTokenizer([sample, sample.toUpperCase()], { vocabSize: 360, specialTokens: ["<answer>", "</answer>"] });
    merges = mergesOf(files);
    tokenizer = await load(files);
  });

  test("has as many tokens as it was to have, special ones last", () => {
    expect(tokenizer.vocabSize).toBe(360);
    expect(Array.from({ length: 8 }, (_, i) => tokenizer.tokenOf(352 + i))).toEqual([...SPECIAL, "<answer>", "</answer>"]);
    expect([tokenizer.bosId, tokenizer.eosId]).toEqual([354, 355]);
    expect([tokenizer.tokenOf(0), tokenizer.tokenOf(255)]).toEqual(["!", "Ń"]);
  });

  test("gives every text back, whole and streamed", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = tokenizer.encode(text);
        expect(tokenizer.decode(ids)).toBe(text);
        const stream = tokenizer.stream();
        expect(ids.map((id) => stream.push(id)).join("") + stream.end()).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  test("encodes as the merges say, piece by piece", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const expected = splitNaively(text).flatMap((piece) => (SPECIAL.includes(piece) ? [piece] : encodeNaively(bytesOf(piece), merges)));
        expect(tokenizer.encode(text).map((id) => tokenizer.tokenOf(id))).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test("keeps capitals, digits and brackets apart, words whole, and a space with what follows", async () => {
    const text = "The QWERTY zebras: 2024 [[()]] == MiniMax\n\n    end";
    // Trained to the end, every piece is one token.
    const trained = await load(trainTokenizer([text], { vocabSize: 1000 }));
    const pieces = trained.encode(text).map((id) => trained.decode([id]));
    expect(pieces).toEqual("The| Q|W|E|R|T|Y| zebras|:| 2|0|2|4| [|[|(|)|]|]| =|=| Mini|Max|\n\n|   | end".split("|"));
    expect(trained.vocabSize).toBeLessThan(1000);
  });

  test("takes special tokens whole, never as part of others, wherever they stand", () => {
    const ids = tokenizer.encode("a<think>b</think><answer>c</answer><end_of_sentence>");
    expect(ids.map((id) => tokenizer.tokenOf(id))).toEqual([
      "a",
      "<think>",
      "b",
      "</think>",
      "<answer>",
      "c",
      "</answer>",
      "<end_of_sentence>",
    ]);
    fc.assert(
      fc.property(anyText, fc.constantFrom(...SPECIAL), anyText, (before, special, after) => {
        const [left, right] = [tokenizer.encode(before), tokenizer.encode(after)];
        expect(tokenizer.encode(before + special + after)).toEqual([...left, tokenizer.idOf(special), ...right]);
      }),
    );
  });

  test("shows what a model writes: markup alone is left out of decoded text", () => {
    const ids = tokenizer.encode("<begin_of_document><think>b</think><answer>c</answer><end_of_sentence>");
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("<think>b</think><answer>c</answer>");
  });

  test("special tokens in the texts teach nothing", () => {
    const options = { vocabSize: 300, specialTokens: ["<a|b.c*>"] };
    const plain = trainTokenizer(["abc", "cab", "bc"], options);
    expect(trainTokenizer(["abc<think>cab<a|b.c*>", "<end_of_sentence>bc"], options)).toEqual(plain);
  });

  test("the same texts give the same files, however they are handed over", () => {
    const texts = [sample, "another", ""];
    const files = trainTokenizer(texts, { vocabSize: 300 });
    expect(trainTokenizer(new Set(texts), { vocabSize: 300 })).toEqual(files);
    expect(trainTokenizer([...texts].reverse(), { vocabSize: 300 })).toEqual(files);
  });
});

describe("beside a checkpoint", () => {
  test("the files make a model understand text and conversations", async () => {
    const files = trainTokenizer([sample], { vocabSize: 300 });
    const config = { ...SMALL, vocab_size: 304, max_position_embeddings: 256 };
    // Zero weights: every logit is equal, so that what is sampled is any token.
    const zeros = rawTensors(config).map((tensor) => ({ ...tensor, bytes: new Uint8Array(tensor.bytes.length) }));
    const model = await MiniMaxM1.load(new Map([...singleFile(config, zeros), ...files]));
    const messages: ChatMessage[] = [{ role: "user", content: "Sort QWERTY" }];
    const prompt = await model.formatChat(messages);
    expect(prompt).toBe(await formatChat(messages));
    const { tokenizer } = model;
    expect(tokenizer!.vocabSize).toBe(300);
    expect(tokenizer!.decode(tokenizer!.encode(prompt))).toBe(prompt);
    let text = "";
    const ids: number[] = [];
    for await (const token of model.generate(messages, { maxTokens: 40, temperature: 1, seed: 4 })) {
      text += token.text;
      if (token.id < 300 && token.stop !== "eos") ids.push(token.id);
    }
    expect(ids.length).toBeGreaterThan(4);
    expect(text).toBe(tokenizer!.decode(ids));
    model.dispose();
  });

  test("the chat template renders MiniMax-M1's format", async () => {
    const { chatTemplate: template, templateVariables } = await readTextSettings(trainTokenizer([], { vocabSize: 262 }));
    expect(template).toBeDefined();
    expect(templateVariables).toEqual({
      bos_token: "<beginning_of_sentence>",
      eos_token: "<end_of_sentence>",
      unk_token: "<end_of_document>",
    });
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.constantFrom("", "\n", " a ", "{{ x }}", "{% if %}", "'\"\\"));
    const content = fc.oneof(text, fc.array(fc.record({ type: fc.constant("text" as const), text }), { minLength: 1, maxLength: 3 }));
    const message: fc.Arbitrary<ChatMessage> = fc.oneof(
      fc.record({ role: fc.constantFrom("system" as const, "user" as const, "assistant" as const), content }),
      fc.record({ role: fc.constant("tool" as const), name: fc.string({ minLength: 1 }), content }),
    );
    const tool = fc.dictionary(fc.string({ unit: "binary", maxLength: 8 }), fc.jsonValue(), { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 6 }),
        fc.array(tool, { maxLength: 3 }),
        fc.boolean(),
        async (messages, tools, addGenerationPrompt) => {
          const options = { tools, addGenerationPrompt };
          const rendered = await formatChat(messages, { ...options, template, variables: templateVariables });
          expect(rendered).toBe(await formatChat(messages, options));
          expect(rendered).toBe(await formatChat(messages, { ...options, template: chatTemplate }));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("little and hostile input", () => {
  const cases: [string, string[]][] = [
    ["no texts", []],
    ["an empty text", [""]],
    ["single characters", ["a", "b", "c"]],
    ["only special tokens", ["<think></think>"]],
  ];
  test.each(cases)("%s: a tokenizer of bytes", async (_, texts) => {
    const tokenizer = await load(trainTokenizer(texts, { vocabSize: 1000 }));
    expect(tokenizer.vocabSize).toBe(262);
    expect(tokenizer.decode(tokenizer.encode("Größe 漢字"))).toBe("Größe 漢字");
  });

  test("half a surrogate pair is U+FFFD, in training as in encoding", async () => {
    const tokenizer = await load(trainTokenizer(["\ud800", "x\udc00"], { vocabSize: 264 }));
    expect(tokenizer.encode("\ud800")).toEqual(tokenizer.encode("\ufffd"));
    expect(tokenizer.encode("\ud800")).toHaveLength(1);
  });

  test("room for the bytes and the special tokens alone is enough", async () => {
    expect((await load(trainTokenizer([sample], { vocabSize: 262 }))).vocabSize).toBe(262);
    expect((await load(trainTokenizer([sample], { vocabSize: 263 }))).vocabSize).toBe(263);
  });

  const refused: [string, unknown, unknown, string][] = [
    ["too small a vocabulary", [], { vocabSize: 261 }, "vocabSize: …262…(256 bytes and 6 special tokens)…261"],
    ["no size", [], {}, "vocabSize"],
    ["no options", [], undefined, "options"],
    ["a broken size", [], { vocabSize: 300.5 }, "vocabSize"],
    ["an endless size", [], { vocabSize: Number.POSITIVE_INFINITY }, "vocabSize"],
    ["an unknown option", [], { vocabSize: 300, merges: 3 }, "merges: unknown option"],
    ["one text for several", "abc", { vocabSize: 300 }, "array"],
    ["no texts at all", null, { vocabSize: 300 }, "got null"],
    ["bytes for a text", ["a", new Uint8Array(3)], { vocabSize: 300 }, "texts[1]: expected a string"],
    ["a special token for several", [], { vocabSize: 300, specialTokens: "<a>" }, "specialTokens"],
    ...["", "a", "<>", "Ġthe", "<a b>", "<a><b>", "<\ud800>", 3].map((token): [string, unknown, unknown, string] => [
      `the special token ${JSON.stringify(token)}`,
      [],
      { vocabSize: 300, specialTokens: [token] },
      'specialTokens.0: expected a text such as "<answer>"',
    ]),
  ];
  test.each(refused)("%s is refused", (_, texts, options, message) => {
    const train = () => trainTokenizer(texts as Iterable<string>, options as TokenizerOptions);
    expect(train).toThrow(InputError);
    expect(train).toThrow(facts(message));
  });
});
