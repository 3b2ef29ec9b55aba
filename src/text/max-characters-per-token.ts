import type { TokenizerDefinition } from "./tokenizer-files.js";

type Json = Readonly<Record<string, unknown>>;

/** Pre-tokenizers that drop no text. The words that they return, joined, equal the text. */
const LOSSLESS_PRE_TOKENIZERS: ReadonlySet<unknown> = new Set(["ByteLevel", "Digits", "Punctuation", "FixedLength"]);

/**
 * Returns the maximum number of characters (UTF-16 units) that one token can represent. A text of n characters therefore has at least n /
 * maximum tokens.
 *
 * Returns `Infinity` if the tokenizer may shorten or drop text. This is the case with a normalizer, with tokens that strip the spaces
 * beside them, and with fused unknown tokens.
 *
 * A token of a byte-level vocabulary has one character per byte, and every character of the text has at least one byte.
 */
export function maxCharactersPerToken({ json, added }: Pick<TokenizerDefinition, "json" | "added">): number {
  const model = json.model as Json;
  if (json.normalizer || model.fuse_unk || !keepsWholeText(json.pre_tokenizer as Json | null)) return Number.POSITIVE_INFINITY;
  if (added.some(({ lstrip, rstrip }) => lstrip || rstrip)) return Number.POSITIVE_INFINITY;
  // An unknown character, which may be a surrogate pair, is one token.
  let longest = 2;
  for (const token in model.vocab as Json) longest = Math.max(longest, token.length);
  for (const { content } of added) longest = Math.max(longest, content.length);
  return longest;
}

function keepsWholeText(stage: Json | null | undefined): boolean {
  if (!stage) return true;
  if (stage.type === "Sequence") return ((stage.pretokenizers ?? []) as Json[]).every(keepsWholeText);
  if (stage.type === "Split") return !(stage.invert ?? true) && String(stage.behavior).toLowerCase() !== "removed";
  return LOSSLESS_PRE_TOKENIZERS.has(stage.type);
}
