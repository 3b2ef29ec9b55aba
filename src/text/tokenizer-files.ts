// Checks the files of a byte-pair tokenizer and converts them to one form, a tokenizer.json object. It encodes and decodes nothing.

import { CheckpointError } from "../base/errors.js";

/** The contents of tokenizer files: parsed JSON, and the text of merges.txt. Either `tokenizerJson` is needed, or `vocab` and `merges`. */
export interface TokenizerFiles {
  /** tokenizer.json. It takes precedence over `vocab` and `merges`. */
  readonly tokenizerJson?: unknown;
  /** Parsed vocab.json, which maps tokens to ids. */
  readonly vocab?: unknown;
  /** Text of merges.txt: two tokens per line, with the most frequent pair first. */
  readonly merges?: string;
  /** Parsed tokenizer_config.json, with bos, eos and other special tokens. */
  readonly tokenizerConfig?: unknown;
  /** Parsed special_tokens_map.json, with special tokens that tokenizer_config.json does not name. */
  readonly specialTokensMap?: unknown;
  /** Parsed added_tokens.json, which maps tokens to ids. */
  readonly addedTokens?: unknown;
}

/** A token that is matched in the text before all other steps, and is never split. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Whether the token matches only if no letter, digit or underscore is directly beside it. */
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

/** The checked contents of tokenizer files. */
export interface TokenizerDefinition {
  /** A complete tokenizer.json. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Every token by id. Ids may have gaps, such as a reserved block. */
  readonly tokens: ReadonlyMap<number, string>;
  readonly added: readonly AddedToken[];
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
}

type Json = Record<string, unknown>;

/**
 * Unknown token for models that have none. Such models would silently drop text that they cannot express. This token has no id, so such
 * text is detected.
 */
const UNKNOWN_TOKEN = "\u{10ffff}";

/**
 * The 256 characters with which byte-level vocabularies write bytes, by byte (the alphabet of GPT-2). Printable Latin-1 characters stand
 * for themselves. The other 68 bytes, in order, are U+0100 and the following characters.
 */
export const byteAlphabet: readonly string[] = /* @__PURE__ */ (() => {
  let shifted = 0x100;
  const printable = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : shifted++));
})();

/**
 * Parses tokenizer files. Checks that they describe a byte-pair model, that no two tokens have the same id, that merges join known tokens
 * into known tokens, and that bos and eos are in the vocabulary.
 *
 * @throws {CheckpointError} files that are missing, damaged or inconsistent
 */
export function parseTokenizerFiles(files: TokenizerFiles): TokenizerDefinition {
  const config = {
    ...record(files.specialTokensMap ?? {}, "special_tokens_map.json"),
    ...record(files.tokenizerConfig ?? {}, "tokenizer_config.json"),
  };
  const isPair = files.tokenizerJson === undefined;
  const source = isPair ? fromVocabAndMerges(files.vocab, files.merges, config) : record(files.tokenizerJson, "tokenizer.json");
  const model = record(source.model, "tokenizer.json: model");
  if (!("merges" in model) || (model.type ?? "BPE") !== "BPE") fail("tokenizer.json: model.type", "BPE", model.type);
  if (model.continuing_subword_prefix) fail("tokenizer.json: model.continuing_subword_prefix", "none", model.continuing_subword_prefix);

  const vocab = readVocab(model.vocab);
  const merges = readMerges(model.merges, vocab);
  const added = readAdded(isPair ? unmergedTokens(vocab, merges) : source.added_tokens, files, config, vocab);
  return {
    json: {
      normalizer: null,
      pre_tokenizer: null,
      decoder: null,
      ...source,
      post_processor: null,
      added_tokens: added.map(({ singleWord: single_word, ...token }) => ({ ...token, single_word })),
      model: { ...model, type: "BPE", unk_token: model.unk_token ?? UNKNOWN_TOKEN, merges },
    },
    tokens: tokensById(vocab, added),
    added,
    bosId: namedId("bos_token", config, vocab, added),
    eosId: namedId("eos_token", config, vocab, added),
  };
}

/** Creates the tokenizer.json of a GPT-2 tokenizer with this vocabulary and these merges, without special tokens. */
function fromVocabAndMerges(vocab: unknown, merges: string | undefined, config: Json): Json {
  if (vocab === undefined || merges === undefined) {
    const got = vocab === undefined ? (merges === undefined ? "neither" : "merges.txt alone") : "vocab.json alone";
    throw new CheckpointError(`tokenizer: expected tokenizer.json, or vocab.json with merges.txt, got ${got}`);
  }
  if (typeof merges !== "string") fail("merges.txt", "text", merges);
  const lines = merges.split(/\r?\n/).filter((line) => line !== "");
  return {
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: config.add_prefix_space === true, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab, merges: lines },
  };
}

/** Returns the tokens that are neither a byte nor the result of a merge. In a vocab.json, these are the special tokens. */
function unmergedTokens(vocab: ReadonlyMap<string, number>, merges: readonly [string, string][]): Partial<AddedToken>[] {
  const made = new Set([...byteAlphabet, ...merges.map(([left, right]) => left + right)]);
  return [...vocab].filter(([token]) => !made.has(token)).map(([content, id]) => ({ id, content, special: true }));
}

function readVocab(value: unknown): Map<string, number> {
  const vocab = new Map<string, number>();
  for (const [token, id] of Object.entries(record(value, "vocabulary"))) {
    vocab.set(token, isId(id) ? id : fail(`vocabulary: ${JSON.stringify(token)}`, "an id", id));
  }
  return vocab.size > 0 ? vocab : fail("vocabulary", "at least one token", {});
}

/** Returns whether a value is a valid id, a non-negative 32-bit integer. */
function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}

/** Parses merges like the reference implementation: a repeated pair takes its last rank, and `#version` entries are ignored. */
function readMerges(value: unknown, vocab: ReadonlyMap<string, number>): [string, string][] {
  if (!Array.isArray(value)) fail("merges", "a list", value);
  return value.flatMap((merge: unknown, rank) => {
    const where = `merges: ${rank}`;
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const [left, right, ...others]: unknown[] = Array.isArray(pair) ? pair : [];
    if (String(left).startsWith("#version") && (typeof merge === "string" || !vocab.has(String(left)))) return [];
    if (typeof left !== "string" || typeof right !== "string" || others.length > 0) fail(where, "two tokens", merge);
    for (const token of [left, right, left + right]) if (!vocab.has(token)) fail(where, "tokens of the vocabulary", token);
    return [[left, right] as [string, string]];
  });
}

/** Collects the added tokens of all files. The first file that has a token defines its properties. */
function readAdded(listed: unknown, files: TokenizerFiles, config: Json, vocab: ReadonlyMap<string, number>): AddedToken[] {
  if (!Array.isArray(listed ?? [])) fail("tokenizer.json: added_tokens", "a list", listed);
  const added = new Map<string, AddedToken>();
  const add = (value: unknown, where: string): void => {
    const { id, content, special, single_word, lstrip, rstrip, normalized } = record(value, where);
    if (typeof content !== "string" || content === "") fail(`${where}: content`, "text", content);
    if (!isId(id)) fail(`${where}: id`, "an id", id);
    const singleWord = single_word === true;
    const token = { id, content, special: special === true, singleWord, lstrip: lstrip === true, rstrip: rstrip === true };
    const known = added.get(content)?.id ?? vocab.get(content);
    if (known !== undefined && known !== token.id) fail(`${where}: ${JSON.stringify(content)}`, `id ${known} as in another file`, token.id);
    if (!added.has(content)) added.set(content, { ...token, normalized: typeof normalized === "boolean" ? normalized : !token.special });
  };

  for (const [i, token] of ((listed ?? []) as unknown[]).entries()) add(token, `tokenizer.json: added_tokens[${i}]`);
  for (const [id, token] of Object.entries(record(config.added_tokens_decoder ?? {}, "tokenizer_config.json: added_tokens_decoder"))) {
    const where = `tokenizer_config.json: added_tokens_decoder: ${id}`;
    add({ ...record(token, where), id: Number(id) }, where);
  }
  for (const [content, id] of Object.entries(record(files.addedTokens ?? {}, "added_tokens.json")))
    add({ id, content }, "added_tokens.json");

  const further = Array.isArray(config.additional_special_tokens) ? config.additional_special_tokens : [];
  const named = [config.bos_token, config.eos_token, config.unk_token, config.pad_token, ...further].map(contentOf);
  for (const content of named) {
    if (content === undefined) continue;
    const id = added.get(content)?.id ?? vocab.get(content);
    if (id === undefined) continue;
    const plain = { singleWord: false, lstrip: false, rstrip: false, normalized: false };
    added.set(content, { ...plain, ...added.get(content), id, content, special: true });
  }
  return [...added.values()].sort((a, b) => a.id - b.id);
}

function tokensById(vocab: ReadonlyMap<string, number>, added: readonly AddedToken[]): Map<number, string> {
  const tokens = new Map<number, string>();
  for (const [token, id] of [...vocab, ...added.map(({ content, id }) => [content, id] as const)]) {
    const other = tokens.get(id);
    if (other !== undefined && other !== token) fail(`vocabulary: id ${id}`, "one token", [other, token]);
    tokens.set(id, token);
  }
  return tokens;
}

function namedId(name: string, config: Json, vocab: ReadonlyMap<string, number>, added: readonly AddedToken[]): number | undefined {
  const content = contentOf(config[name]);
  if (content === undefined) return undefined;
  return (
    vocab.get(content) ??
    added.find((token) => token.content === content)?.id ??
    fail(`tokenizer_config.json: ${name}`, "a token of the vocabulary", content)
  );
}

/** Returns the text of a special token. Files give it as a string, or as an object with the string in `content`. */
function contentOf(value: unknown): string | undefined {
  const content = typeof value === "object" && value !== null && "content" in value ? value.content : value;
  return typeof content === "string" ? content : undefined;
}

function record(value: unknown, where: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(where, "a JSON object", value);
  return value as Json;
}

function fail(where: string, expected: string, got: unknown): never {
  throw new CheckpointError(
    `tokenizer: ${where}: expected ${expected}, got ${got === undefined ? "nothing" : JSON.stringify(got).slice(0, 80)}`,
  );
}
