// A tokenizer as llama.cpp reads it. Source: src/llama-vocab.cpp of llama.cpp.

import { CheckpointError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { Config } from "../../model/config.js";
import { chatTemplate as miniMaxM1Template } from "../../text/chat-template.js";
import { piecePattern } from "../../text/piece-pattern.js";
import { byteAlphabet, parseTokenizerFiles, type TokenizerDefinition, type TokenizerFiles } from "../../text/tokenizer-files.js";
import type { TextSettings } from "../text-settings.js";
import type { MetadataEntry } from "./file-format.js";

/** Types of tokens (llama_token_type). */
const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SYMBOLS_AND_SPACES = String.raw` ?[^\s\p{L}\p{N}]+`;
const SPACES = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
const BEFORE_WORD = String.raw`[^\r\n\p{L}\p{N}]?`;

/** The pattern of GPT-2, which byte-level pre-tokenizers contain. */
const GPT2_PATTERN = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/**
 * llama.cpp knows patterns by the names of models only. Of the names of one pattern, these are those that leave spaces before punctuation
 * in decoded text, as this library does. GPT-2's pattern with its own name would remove them.
 */
const PRE_TOKENIZERS: ReadonlyMap<string, string> = new Map([
  [GPT2_PATTERN, "trillion"],
  [
    [
      `${BEFORE_WORD}${UPPER}*${LOWER}+${CONTRACTIONS}?`,
      `${BEFORE_WORD}${UPPER}+${LOWER}*${CONTRACTIONS}?`,
      String.raw`\p{N}{1,3}`,
      String.raw`${SYMBOLS_AND_SPACES}[\r\n/]*`,
      SPACES,
    ].join("|"),
    "gpt-4o",
  ],
  [
    [CONTRACTIONS, String.raw`${BEFORE_WORD}\p{L}+`, String.raw`\p{N}`, String.raw`${SYMBOLS_AND_SPACES}[\r\n]*`, SPACES].join("|"),
    "qwen2",
  ],
]);

/**
 * The pattern of tokenizers that this library trains has no name in llama.cpp. This name splits at some of the pattern's boundaries only.
 * The tokens are the same if no merge crosses a boundary, see {@link staysInPiece}.
 */
const COARSER_PRE_TOKENIZER = "poro-chat";

/** Tokens that MiniMax-M1's chat format needs. */
const CHAT_TOKENS = ["<begin_of_document>", "<beginning_of_sentence>", "<end_of_sentence>"];

/**
 * Returns the metadata of the tokenizer and the chat templates. Without a tokenizer, each token is called `<|id|>`.
 *
 * @throws {CheckpointError} a tokenizer that llama.cpp cannot express
 */
export function tokenizerMetadata(
  config: Config,
  files: TokenizerFiles | undefined,
  { chatTemplate, toolTemplate, eosIds }: TextSettings,
): MetadataEntry[] {
  const definition = files && parseTokenizerFiles(files);
  const { texts, types } = definition ? namedTokens(definition, config.vocabSize) : numberedTokens(config.vocabSize);
  const ends = [...new Set([...config.eosTokenIds, ...eosIds, ...(definition?.eosId === undefined ? [] : [definition.eosId])])];
  // A model without these ids would get llama.cpp's default, 11.
  const end = ends[0] ?? config.vocabSize - 1;
  const isChatModel = definition && CHAT_TOKENS.every((token) => definition.added.some(({ content }) => content === token));
  const template = chatTemplate ?? (isChatModel ? miniMaxM1Template : undefined);
  return [
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", definition ? preTokenizerOf(definition) : PRE_TOKENIZERS.get(GPT2_PATTERN)!],
    ["tokenizer.ggml.tokens", "string", texts],
    ["tokenizer.ggml.token_type", "i32", types],
    ["tokenizer.ggml.merges", "string", definition ? mergesOf(definition).map((pair) => pair.join(" ")) : ["< |"]],
    ["tokenizer.ggml.bos_token_id", "u32", config.bosTokenId ?? definition?.bosId ?? end],
    ["tokenizer.ggml.eos_token_id", "u32", end],
    ...["eot", "eom"].flatMap((name, i) => {
      const id = ends[i + 1];
      return id === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, "u32", id] as const];
    }),
    ["tokenizer.ggml.add_bos_token", "bool", false],
    ["tokenizer.ggml.add_eos_token", "bool", false],
    ...(types.includes(UNUSED) ? [["tokenizer.ggml.suppress_tokens", "i32", indicesOf(types, UNUSED)] as const] : []),
    ...(template === undefined ? [] : [["tokenizer.chat_template", "string", template] as const]),
    ...(toolTemplate === undefined
      ? []
      : [
          ["tokenizer.chat_templates", "string", ["tool_use"]] as const,
          ["tokenizer.chat_template.tool_use", "string", toolTemplate] as const,
        ]),
  ];
}

interface TokenList {
  readonly texts: readonly string[];
  readonly types: readonly number[];
}

/** Returns tokens that stand for their ids, so that ids can be written as text. */
function numberedTokens(vocabSize: number): TokenList {
  const texts = Array.from({ length: vocabSize }, (_, id) => `<|${id}|>`);
  return { texts, types: texts.map(() => USER_DEFINED) };
}

/** Returns the tokens by id. Ids without a token, which llama.cpp needs too, get a name. */
function namedTokens({ tokens, added }: TokenizerDefinition, vocabSize: number): TokenList {
  const largest = Math.max(...tokens.keys());
  if (largest >= vocabSize) fail("vocabulary", `ids below the model's vocab_size ${vocabSize}`, String(largest));
  const special = new Map(added.map(({ id, special }) => [id, special]));
  const names = new Set(tokens.values());
  if (names.size < tokens.size) fail("vocabulary", "tokens with different texts", "two ids with the same text");
  const texts = Array.from({ length: vocabSize }, (_, id) => tokens.get(id) ?? unusedName(id, names));
  const types = texts.map((_, id) => {
    if (!tokens.has(id)) return UNUSED;
    return special.has(id) ? (special.get(id) ? CONTROL : USER_DEFINED) : NORMAL;
  });
  return { texts, types };
}

/** Returns where a value is in a list. */
function indicesOf(values: readonly number[], wanted: number): number[] {
  return values.flatMap((value, i) => (value === wanted ? [i] : []));
}

function unusedName(id: number, names: ReadonlySet<string>): string {
  let name = `[PAD${id}]`;
  while (names.has(name)) name = `[${name}]`;
  return name;
}

/** Returns the merges in their order. The last rank of a repeated pair counts; llama.cpp would take the first. */
function mergesOf({ json }: TokenizerDefinition): [string, string][] {
  const merges = (json.model as { merges: [string, string][] }).merges;
  const ranked = new Map<string, [string, string]>();
  for (const pair of merges) {
    const key = pair.join(" ");
    ranked.delete(key);
    ranked.set(key, pair);
  }
  return [...ranked.values()];
}

/**
 * Returns llama.cpp's name of the pre-tokenizer.
 *
 * @throws {CheckpointError} rules that llama.cpp does not have
 */
function preTokenizerOf(definition: TokenizerDefinition): string {
  const { json, added } = definition;
  const model = json.model as Record<string, unknown>;
  if (json.normalizer !== null) fail("normalizer", "none", printedRule(json.normalizer));
  for (const rule of ["byte_fallback", "ignore_merges", "dropout", "end_of_word_suffix"]) {
    if (model[rule]) fail(`model.${rule}`, "none", JSON.stringify(model[rule]));
  }
  const odd = added.find(({ lstrip, rstrip, singleWord }) => lstrip || rstrip || singleWord);
  if (odd) fail(`added_tokens: ${odd.content}`, "a token without lstrip, rstrip and single_word", "one of them");
  const pattern = patternOf(json.pre_tokenizer);
  const name = PRE_TOKENIZERS.get(pattern);
  if (name) return name;
  if (pattern !== piecePattern) fail("pre_tokenizer", "a pattern that llama.cpp knows", JSON.stringify(pattern));
  const crossing = mergesOf(definition).find(([left, right]) => !staysInPiece(left + right));
  if (crossing) {
    fail(
      `merges: ${crossing.join(" ")}`,
      "only merges within words, because llama.cpp does not know this tokenizer's pattern",
      "a merge of spaces, or of parts of characters",
    );
  }
  return COARSER_PRE_TOKENIZER;
}

/** Returns the pattern of a byte-level pre-tokenizer. @throws {CheckpointError} any other pre-tokenizer */
function patternOf(rules: unknown): string {
  const parts = isObject(rules) && rules.type === "Sequence" && Array.isArray(rules.pretokenizers) ? rules.pretokenizers : [rules];
  const bytes: unknown = parts.at(-1);
  const split: unknown = parts[0];
  const isByteLevel = isObject(bytes) && bytes.type === "ByteLevel" && !bytes.add_prefix_space;
  if (isByteLevel && parts.length === 1 && bytes.use_regex !== false) return GPT2_PATTERN;
  const isSplit = isObject(split) && split.type === "Split" && split.behavior === "Isolated" && !split.invert;
  if (isByteLevel && parts.length === 2 && bytes.use_regex === false && isSplit && isObject(split.pattern)) {
    return String(split.pattern.Regex);
  }
  return fail("pre_tokenizer", "ByteLevel without add_prefix_space, or one Split and ByteLevel", printedRule(rules));
}

/**
 * Returns whether a token of the library's own pattern lies within one piece wherever it occurs in a text, so that the boundaries of pieces
 * do not matter. Tokens of several spaces do not: the last space belongs to the next word.
 */
function staysInPiece(token: string): boolean {
  const bytes = Uint8Array.from(token, (character) => byteAlphabet.indexOf(character));
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return WITHIN_PIECE.test(text);
  } catch {
    // A part of one character, possibly after a space. The first byte of a character gives its length.
    const character = bytes[0] === 0x20 ? bytes.subarray(1) : bytes;
    return character.subarray(1).every((byte) => byte >> 6 === 2) && character.length <= 4;
  }
}

const WITHIN_PIECE = /^(?: ?\p{Lu}?[\p{Ll}\p{Lt}\p{Lm}\p{Lo}\p{M}]+| ?[^ \t\r\n]|[\r\n]+)$/u;

function printedRule(rule: unknown): string {
  return isObject(rule) ? JSON.stringify(rule).slice(0, 80) : String(rule);
}

function fail(where: string, expected: string, got: string): never {
  throw new CheckpointError(
    `gguf: tokenizer: ${where}: expected ${expected}, got ${got} (llama.cpp would split texts differently; save the model as safetensors instead)`,
  );
}
