// Trains a tokenizer on texts and writes its files. src/text/tokenizer.ts reads them and encodes text.

import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, expectArgument, isObjectLike, parseOptions } from "../base/options.js";
import { chatTemplate } from "../text/chat-template.js";
import { piecePattern } from "../text/piece-pattern.js";
import { byteAlphabet } from "../text/tokenizer-files.js";
import { learnBytePairs } from "./byte-pair-training.js";

/** Options of `trainTokenizer`. */
export interface TokenizerOptions {
  /**
   * Number of tokens, which are 256 bytes, learned tokens and special tokens. If the texts have too few distinct pairs, the tokenizer has
   * fewer tokens.
   */
  readonly vocabSize: number;
  /**
   * Tokens such as `<answer>` that are always matched as a whole. They are in addition to MiniMax-M1's own tokens, `<think>` and
   * `</think>`. Decoded text contains them.
   */
  readonly specialTokens?: readonly string[];
}

/** Markup of MiniMax-M1's chat format. Decoding can omit it. */
const CHAT_MARKUP_TOKENS = ["<end_of_document>", "<begin_of_document>", "<beginning_of_sentence>", "<end_of_sentence>"];
/** Tags in the text of a model. Decoding never omits them. */
const THINK_TOKENS = ["<think>", "</think>"];

/**
 * Returns whether a special token has a valid form. The form ensures that training cannot learn the token (`<` is always a separate piece),
 * and that no token is the prefix of another.
 */
const isSpecial = (token: unknown): token is string => typeof token === "string" && /^<[^<>\s\p{Cs}]+>$/u.test(token);

/** @internal */
export const tokenizerSchema = v.strictObject({
  vocabSize: count,
  specialTokens: v.optional(
    v.array(v.custom<string>(isSpecial, 'a text such as "<answer>", without spaces'), 'an array of texts such as "<answer>"'),
    [],
  ),
});

/**
 * Trains a byte-level byte-pair tokenizer (Sennrich et al., 2016; bytes as in GPT-2). Returns its files by name: `tokenizer.json` and
 * `tokenizer_config.json`. A checkpoint with these files accepts text and conversations. The tokenizer encodes any text. The same texts
 * give the same files.
 *
 * Order of ids: the bytes in GPT-2's order, learned tokens, `<end_of_document>`, `<begin_of_document>`, `<beginning_of_sentence>` (bos),
 * `<end_of_sentence>` (eos), `<think>`, `</think>`, then `specialTokens`.
 *
 * @param texts read one at a time. Special tokens in them are skipped
 * @throws {InputError} invalid texts or options, or a `vocabSize` without room for bytes and special tokens
 */
export function trainTokenizer(texts: Iterable<string>, options: TokenizerOptions): Map<string, Uint8Array<ArrayBuffer>> {
  const training = startTokenizerTraining(options);
  const walked = isObjectLike(texts) && Symbol.iterator in texts && !ArrayBuffer.isView(texts);
  expectArgument("trainTokenizer: texts", walked, "several texts (put one text into an array)", texts);
  let index = 0;
  for (const text of texts) {
    if (typeof text !== "string") throw new InputError(`trainTokenizer: texts[${index}]: expected a string, got ${typeof text}`);
    training.push(text);
    index++;
  }
  return training.end();
}

/**
 * Trains a tokenizer on texts that arrive one by one.
 *
 * @internal
 */
export function startTokenizerTraining(options: TokenizerOptions): {
  push(text: string): void;
  end(): Map<string, Uint8Array<ArrayBuffer>>;
} {
  const { vocabSize, specialTokens } = parseOptions(tokenizerSchema, options, "trainTokenizer");
  const special = [...new Set([...CHAT_MARKUP_TOKENS, ...THINK_TOKENS, ...specialTokens])];
  const least = byteAlphabet.length + special.length;
  if (vocabSize < least) {
    throw new InputError(
      `trainTokenizer: vocabSize: expected at least ${least} (256 bytes and ${special.length} special tokens), got ${vocabSize}`,
    );
  }
  const pieces = new Map<string, number>();
  const marks = new RegExp(special.map((token) => token.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)).join("|"), "u");
  const piece = new RegExp(piecePattern, "gu");
  return {
    push(text) {
      for (const section of text.split(marks)) {
        for (const [found] of section.matchAll(piece)) pieces.set(found, (pieces.get(found) ?? 0) + 1);
      }
    },
    end: () => tokenizerFiles(pieces, special, vocabSize),
  };
}

/** Learns the merges and writes the files. @param pieces count of each piece */
function tokenizerFiles(
  pieces: ReadonlyMap<string, number>,
  special: readonly string[],
  vocabSize: number,
): Map<string, Uint8Array<ArrayBuffer>> {
  const { tokens, merges } = learnBytePairs(pieces, byteAlphabet, vocabSize - special.length);
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, i) => ({
      id: tokens.length + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: CHAT_MARKUP_TOKENS.includes(content),
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: piecePattern }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
  const config = {
    add_prefix_space: false,
    bos_token: "<beginning_of_sentence>",
    eos_token: "<end_of_sentence>",
    unk_token: "<end_of_document>",
    clean_up_tokenization_spaces: false,
    tokenizer_class: "PreTrainedTokenizerFast",
    chat_template: chatTemplate,
  };
  const encode = (value: unknown) => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
  return new Map([
    ["tokenizer.json", encode(json)],
    ["tokenizer_config.json", encode(config)],
  ]);
}
