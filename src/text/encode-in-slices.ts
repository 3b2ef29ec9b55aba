// Encodes texts in time slices, so that other work can run between words and within a long word.
//
// The engine (@huggingface/tokenizers) encodes in stages: pre-tokenizers split the text between two added tokens into words, and each word
// is merged separately. Here the same stages run lazily, word by word. The ids are the same.

import type { Tokenizer as Engine } from "@huggingface/tokenizers";
import { mergeInSlices } from "./merge-long-words.js";
import { byteAlphabet } from "./tokenizer-files.js";

/** Parts of the engine that its types do not declare. Tests compare the resulting ids with those of the engine. */
interface EngineInternals {
  readonly pre_tokenizer: PreTokenizer | null;
  readonly model: BytePairModel;
}

interface PreTokenizer {
  /** The members of a sequence of pre-tokenizers. */
  readonly tokenizers?: readonly (PreTokenizer | null)[];
  readonly config?: { readonly type?: string; readonly behavior?: string; readonly invert?: boolean };
  readonly pattern?: RegExp | null;
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
  pre_tokenize(text: string, options: NormalizedText["options"]): string[];
}

/** The engine's model for byte-pair encoding. */
export interface BytePairModel {
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token_id: number | undefined;
  readonly bpe_ranks: ReadonlyMap<string, number>;
  readonly end_of_word_suffix?: string | null;
  readonly continuing_subword_suffix?: string | null;
  readonly fuse_unk: boolean;
  readonly ignore_merges: boolean;
  bpe(word: string): readonly string[];
  encode(words: readonly string[]): readonly string[];
  _call(words: readonly string[]): readonly string[];
}

/** Normalised text between two added tokens. */
export interface NormalizedText {
  readonly text: string;
  readonly options: { readonly section_index: number };
}

/** Minimum length of a word or text that is processed in time slices. */
const LONG_WORD_CHARACTERS = 4096;

/**
 * Some ids of a text. An id is undefined for text that the vocabulary cannot express. An empty group is a point at which the caller may
 * pause.
 */
type IdGroup = readonly (number | undefined)[];

/** Yields the ids of a text in groups that are computed on demand. */
export function* encodeInSlices(engine: Engine, section: NormalizedText): Generator<IdGroup, void, undefined> {
  const { model, pre_tokenizer } = engine as unknown as EngineInternals;
  const idsOf = (tokens: readonly string[]) => tokens.map((token) => idOf(engine, token));
  // Fusing neighbouring unknown tokens into one token needs all tokens of the text.
  const unfused: string[] = [];
  for (const word of splitWords(section, pre_tokenizer)) {
    for (const tokens of word === undefined
      ? [[]]
      : word.length > LONG_WORD_CHARACTERS
        ? encodeLong(model, word)
        : [model.encode([word])]) {
      if (model.fuse_unk) for (const token of tokens) unfused.push(token);
      yield model.fuse_unk ? [] : idsOf(tokens);
    }
  }
  if (model.fuse_unk) yield idsOf(fuseUnknownTokens(model, unfused));
}

/** Returns the id of a token, or of the unknown token. Returns undefined if the vocabulary has neither. */
export function idOf(engine: Engine, token: string): number | undefined {
  const { model } = engine as unknown as EngineInternals;
  return model.tokens_to_ids.get(token) ?? model.unk_token_id;
}

/** Yields the words of a text. An undefined word is a point at which the caller may pause. */
function splitWords({ text, options }: NormalizedText, first: PreTokenizer | null): Iterable<string | undefined> {
  return flattenStages(first).reduce<Iterable<string | undefined>>((words, stage) => applyStage(stage, words, options), [text]);
}

/** Returns the members of nested sequences of pre-tokenizers as one list. */
function flattenStages(stage: PreTokenizer | null): PreTokenizer[] {
  return stage?.tokenizers ? stage.tokenizers.flatMap(flattenStages) : stage ? [stage] : [];
}

function* applyStage(
  stage: PreTokenizer,
  pieces: Iterable<string | undefined>,
  options: NormalizedText["options"],
): Iterable<string | undefined> {
  for (const piece of pieces) {
    if (piece === undefined) yield piece;
    else if (piece.length <= LONG_WORD_CHARACTERS) yield* stage.pre_tokenize(piece, options);
    else yield* splitLong(stage, piece, options);
  }
}

/** Yields the results of `pre_tokenize` one by one. Pre-tokenizers without a case here are fast. */
function* splitLong(stage: PreTokenizer, text: string, options: NormalizedText["options"]): Iterable<string | undefined> {
  const { config: { type, behavior, invert } = {}, pattern } = stage;
  if (type === "ByteLevel") {
    const whole = stage.add_prefix_space && !text.startsWith(" ") ? ` ${text}` : text;
    for (const word of stage.use_regex && pattern ? matches(whole, pattern) : [whole]) yield* toByteAlphabet(word);
  } else if ((type === "Digits" || type === "Punctuation" || (type === "Split" && invert)) && pattern) {
    for (const word of matches(text, pattern)) if (word !== "") yield word;
  } else if (type === "Split" && pattern && behavior?.toLowerCase() !== "removed") {
    let end = 0;
    for (const { 0: match, index } of text.matchAll(pattern)) {
      if (end < index) yield text.slice(end, index);
      if (match !== "") yield match;
      end = index + match.length;
    }
    if (end < text.length) yield text.slice(end);
  } else yield* stage.pre_tokenize(text, options);
}

function* matches(text: string, pattern: RegExp): Iterable<string> {
  for (const [match] of text.matchAll(pattern)) yield match;
}

const encoder = /* @__PURE__ */ new TextEncoder();

/** Converts a word to the byte alphabet. */
function* toByteAlphabet(word: string): Iterable<string | undefined> {
  let written = "";
  for (let begin = 0; begin < word.length; ) {
    let end = Math.min(word.length, begin + LONG_WORD_CHARACTERS);
    // Do not split a surrogate pair.
    if (end < word.length && /[\ud800-\udbff]/.test(word[end - 1]!)) end--;
    for (const byte of encoder.encode(word.slice(begin, end))) written += byteAlphabet[byte];
    begin = end;
    if (begin < word.length) yield undefined;
  }
  yield written;
}

/** Yields the tokens of a long word in groups. */
function* encodeLong(model: BytePairModel, word: string): Iterable<readonly string[]> {
  if (model.ignore_merges && model.tokens_to_ids.has(word)) return yield [word];
  for (const merged of mergeInSlices(model, word)) {
    yield merged.length === 0 ? merged : model.encode.call(withOverrides(model, { ignore_merges: false, bpe: () => merged }), [word]);
  }
}

function fuseUnknownTokens(model: BytePairModel, tokens: readonly string[]): readonly string[] {
  return model._call.call(withOverrides(model, { encode: () => tokens }), []);
}

/** Returns a copy of the model with some members replaced. */
function withOverrides(model: BytePairModel, parts: Partial<BytePairModel>): BytePairModel {
  return Object.create(model, Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, { value }])));
}
