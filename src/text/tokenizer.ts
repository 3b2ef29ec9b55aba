// Text ↔ ids. Splitting and merging are @huggingface/tokenizers' work; the way back goes over bytes, so that text can be
// streamed token by token although one character may be spread over several tokens.

import type { Tokenizer as Engine } from "@huggingface/tokenizers";
import { CheckpointError, InputError, LightningError } from "../base/errors.js";
import { yieldInTurn } from "../base/event-loop.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { printed } from "../base/printed.js";
import { AddedTokenMatcher } from "./added-tokens.js";
import { encodeInSlices, idOf, type NormalizedText } from "./encode-in-slices.js";
import { maxCharactersPerToken } from "./max-characters-per-token.js";
import { byteAlphabet, parseTokenizerFiles, type TokenizerDefinition, type TokenizerFiles } from "./tokenizer-files.js";
import { expectBoundedRules } from "./tokenizer-rules.js";

export type { TokenizerFiles } from "./tokenizer-files.js";

/** How ids become text. */
export interface DecodeOptions {
  /** Leaves special tokens out of the text (default: they are written out). */
  readonly skipSpecialTokens?: boolean;
}

/** Text from ids that arrive one by one. All pushes and the end, joined, equal `decode` of all ids. */
export interface TextStream {
  /** The text that has become certain with this token; empty while a character is incomplete. */
  push(id: number): string;
  /** What was held back; the stream is empty again afterwards. */
  end(): string;
}

/** Limits of `encodeAsync`. */
export interface EncodeAsyncOptions {
  /** Ends with an error as soon as it is clear that there are more. */
  readonly maxTokens?: number;
  /** Checked between two slices. */
  readonly signal?: AbortSignal;
}

/** A text with more tokens than `encodeAsync` may return. */
export class TooManyTokensError extends InputError {}

/** How long encoding keeps everything else from running. */
const MAX_SLICE_MS = 4;

const encoder = /* @__PURE__ */ new TextEncoder();
const byteOf: ReadonlyMap<string, number> = /* @__PURE__ */ new Map(byteAlphabet.map((char, byte) => [char, byte]));
const utf8 = (): TextDecoder => new TextDecoder("utf-8", { ignoreBOM: true });

/** What the engine does with a tokenizer.json that is odd inside. @throws {CheckpointError} */
function withEngineErrors<T>(where: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw new CheckpointError(
      `${where}: tokenizer.json: expected rules that can be carried out: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
}

/** A byte-pair tokenizer: byte-level as MiniMax-M1's, or any other that tokenizer.json can describe. */
export class Tokenizer {
  /** The largest id + 1. Not every smaller id need have a token: those without one, such as a reserved block's, decode to no text. */
  readonly vocabSize: number;
  /** Begin and end of a sentence, where the configuration names them. */
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Tokens that are markup, not text. */
  readonly specialIds: ReadonlySet<number>;
  private readonly engine: Engine;
  private readonly tokens: ReadonlyMap<number, string>;
  /** Added tokens as they are found in a text, and in a normalised one. */
  private readonly verbatim: AddedTokenMatcher;
  private readonly normalized: AddedTokenMatcher;
  private readonly added: ReadonlySet<number>;
  private readonly byteLevel: boolean;
  private readonly charactersPerToken: number;
  private readonly byteFallback: boolean;

  private constructor(engine: Engine, { tokens, added, bosId, eosId, json }: TokenizerDefinition) {
    this.charactersPerToken = maxCharactersPerToken({ json, added });
    this.engine = engine;
    this.tokens = tokens;
    this.added = new Set(added.map(({ id }) => id));
    this.byteLevel = isByteLevel(json.decoder);
    this.vocabSize = [...tokens.keys()].reduce((size, id) => Math.max(size, id + 1), 0);
    const normalize = (text: string) => engine.normalizer?._call(text) ?? text;
    this.verbatim = new AddedTokenMatcher(added.filter(({ normalized }) => !normalized).map((token) => [token.content, token]));
    this.normalized = new AddedTokenMatcher(added.filter(({ normalized }) => normalized).map((token) => [normalize(token.content), token]));
    this.byteFallback = (json.model as { byte_fallback?: unknown } | undefined)?.byte_fallback === true;
    this.bosId = bosId;
    this.eosId = eosId;
    this.specialIds = new Set(added.filter(({ special }) => special).map(({ id }) => id));
  }

  /**
   * A tokenizer from tokenizer.json, or from vocab.json with merges.txt (byte-level, split as GPT-2 does; tokens that no merge
   * makes are special), with the special tokens that the other files name.
   *
   * @throws {CheckpointError} files that are missing, damaged, contradict each other, or describe no byte-pair model
   */
  static async fromFiles(files: TokenizerFiles): Promise<Tokenizer> {
    expectArgument("tokenizer: files", isObjectLike(files), "an object with tokenizerJson, or vocab and merges", files);
    const definition = parsedFiles(files);
    expectBoundedRules(definition.json);
    const { Tokenizer: Library } = await import("@huggingface/tokenizers");
    try {
      return new Tokenizer(new Library({ ...definition.json }, {}), definition);
    } catch (cause) {
      throw new CheckpointError(`tokenizer: tokenizer.json: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }

  /**
   * Ids of a text. Special tokens in it are recognised; none are added. Nearly linear in the length, also without spaces.
   *
   * @throws {InputError} text that the vocabulary cannot express
   */
  encode(text: string): number[] {
    if (typeof text !== "string") throw new InputError(`encode: text: expected a string, got ${typeof text}`);
    const { pre_tokenizer, model } = this.engine;
    const ids: (number | undefined)[] = withEngineErrors("encode", () =>
      [...this.sections(text)].flatMap((section) => {
        if (typeof section === "number") return section;
        const words = pre_tokenizer ? pre_tokenizer._call(section.text, section.options) : [section.text];
        return model!._call(words).map((token) => idOf(this.engine, token));
      }),
    );
    return ids.includes(undefined) ? throwInexpressible() : (ids as number[]);
  }

  /**
   * The same ids as `encode` gives, computed in slices of a few milliseconds, between which everything else may run.
   *
   * @throws {InputError} text that the vocabulary cannot express, or that has more than `maxTokens` ids; the signal's reason
   */
  async encodeAsync(text: string, { maxTokens = Number.POSITIVE_INFINITY, signal }: EncodeAsyncOptions = {}): Promise<number[]> {
    if (typeof text !== "string") throw new InputError(`encode: text: expected a string, got ${typeof text}`);
    const tooLong = () => new TooManyTokensError(`encode: text: expected at most ${maxTokens} tokens, got more`);
    if (this.fewestTokens(text) > maxTokens) throw tooLong();
    const ids: number[] = [];
    const groups = this.encodeLazily(text);
    let since = performance.now();
    for (let next = withEngineErrors("encode", () => groups.next()); !next.done; next = withEngineErrors("encode", () => groups.next())) {
      for (const id of next.value) ids.push(id ?? throwInexpressible());
      if (ids.length > maxTokens) throw tooLong();
      if (performance.now() - since < MAX_SLICE_MS) continue;
      await yieldInTurn();
      signal?.throwIfAborted();
      since = performance.now();
    }
    return ids;
  }

  /** A lower bound for the number of tokens of a text, from its length alone. */
  fewestTokens(text: string): number {
    return Math.ceil(text.length / this.charactersPerToken);
  }

  /** The ids of a text in groups, computed when they are asked for. */
  private *encodeLazily(text: string) {
    for (const section of this.sections(text)) {
      if (typeof section === "number") yield [section];
      else yield* encodeInSlices(this.engine, section);
    }
  }

  /** The ids of added tokens, and the text between them, normalised. */
  private *sections(text: string): Generator<number | NormalizedText> {
    const { normalizer } = this.engine;
    for (const [section_index, section] of this.verbatim.split(text).entries()) {
      if (typeof section !== "string") {
        yield section.id;
        continue;
      }
      for (const part of this.normalized.split(normalizer ? normalizer._call(section) : section)) {
        yield typeof part === "string" ? { text: part, options: { section_index } } : part.id;
      }
    }
  }

  /**
   * Text of ids, nothing cleaned up: `decode(encode(text)) = text` for byte-level tokenizers. Bytes that are no UTF-8 become U+FFFD.
   *
   * @throws {InputError} an id outside the vocabulary
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const kept = this.kept(ids, options);
    if (!this.byteLevel) return this.join(kept);
    return utf8().decode(Uint8Array.from(kept.flatMap((id) => [...this.bytes(id)])));
  }

  /** Decodes ids as they are generated. */
  stream(options: DecodeOptions = {}): TextStream {
    if (!this.byteLevel)
      return new WindowStream(
        (ids) => this.join(ids),
        (id) => this.kept([id], options),
      );
    const decoder = utf8();
    return {
      push: (id) => this.kept([id], options).reduce((text, kept) => text + decoder.decode(this.bytes(kept), { stream: true }), ""),
      end: () => decoder.decode(),
    };
  }

  /** The id of a token, as it is written in the vocabulary. */
  idOf(token: string): number | undefined {
    return this.engine.token_to_id(token);
  }

  /**
   * The token of an id, as it is written in the vocabulary (`Ġthe`, not ` the`); empty for an id without one.
   *
   * @throws {InputError} an id outside the vocabulary
   */
  tokenOf(id: number): string {
    return this.tokens.get(this.checked(id)) ?? "";
  }

  /**
   * The bytes that a token adds to a text: all that a byte-level token has, a part of a character too, and the space that a token
   * brings with it. Undefined for an id without a token.
   */
  bytesOf(id: number): Uint8Array | undefined {
    const token = this.tokens.get(id);
    if (token === undefined) return undefined;
    if (this.byteLevel || this.added.has(id)) return this.bytes(id);
    const byte = this.byteFallback ? /^<0x([0-9A-F]{2})>$/i.exec(token)?.[1] : undefined;
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    // At the beginning of a text decoders may drop a space.
    return encoder.encode(this.join([id, id]).slice(this.join([id]).length));
  }

  private kept(ids: Iterable<number>, options: DecodeOptions): number[] {
    expectArgument("decode: ids", isIterable(ids), "token ids", ids);
    expectArgument("decode: options", isObjectLike(options), "an object", options);
    const { skipSpecialTokens = false } = options;
    return Array.from(ids, (id) => this.checked(id)).filter((id) => this.tokens.has(id) && !(skipSpecialTokens && this.specialIds.has(id)));
  }

  /** @throws {InputError} an id outside the vocabulary */
  private checked(id: number): number {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabSize) return id;
    throw new InputError(`decode: id: expected 0 … ${this.vocabSize - 1}, got ${printed(id)}`);
  }

  /** Added tokens are plain text; the others are written in the alphabet of bytes. */
  private bytes(id: number): Uint8Array {
    const token = this.tokenOf(id);
    const bytes = this.added.has(id) ? [] : Array.from(token, (char) => byteOf.get(char));
    return bytes.length === 0 || bytes.includes(undefined) ? encoder.encode(token) : Uint8Array.from(bytes as number[]);
  }

  private join(ids: number[]): string {
    return ids.length === 0 ? "" : this.engine.decode(ids, { clean_up_tokenization_spaces: false });
  }
}

/**
 * A stream for decoders that are not byte-level: what a token adds is the text with it less the text without it, both
 * from the last piece of certain text on, whose left neighbours no decoder looks at. Text that ends in U+FFFD may still change.
 */
class WindowStream implements TextStream {
  private ids: number[] = [];
  private certain = 0;

  constructor(
    private readonly join: (ids: number[]) => string,
    private readonly kept: (id: number) => number[],
  ) {}

  push(id: number): string {
    this.ids.push(...this.kept(id));
    const text = this.pending();
    if (text === "" || text.endsWith("\u{fffd}")) return "";
    this.ids.splice(0, this.certain);
    this.certain = this.ids.length;
    return text;
  }

  end(): string {
    const text = this.pending();
    this.ids = [];
    this.certain = 0;
    return text;
  }

  private pending(): string {
    return this.join(this.ids).slice(this.join(this.ids.slice(0, this.certain)).length);
  }
}

/** What JSON cannot hold comes from no file. */
function parsedFiles(files: TokenizerFiles): TokenizerDefinition {
  try {
    return parseTokenizerFiles(files);
  } catch (cause) {
    if (cause instanceof LightningError) throw cause;
    throw new CheckpointError(
      `tokenizer: expected the JSON of tokenizer files: ${cause instanceof Error ? cause.message : printed(cause)}`,
      {
        cause,
      },
    );
  }
}

/** Arrays of memory that was given away cannot be walked. */
function isIterable(x: unknown): x is Iterable<number> {
  return isObjectLike(x) && Symbol.iterator in x && !(ArrayBuffer.isView(x) && x.byteLength === 0 && x.buffer.byteLength === 0);
}

function isByteLevel(decoder: unknown): boolean {
  if (typeof decoder !== "object" || decoder === null || !("type" in decoder)) return false;
  if (decoder.type !== "Sequence") return decoder.type === "ByteLevel";
  return "decoders" in decoder && Array.isArray(decoder.decoders) && decoder.decoders.length === 1 && isByteLevel(decoder.decoders[0]);
}

function throwInexpressible(): never {
  throw new InputError("encode: text: expected characters of the vocabulary, got others (it has no token for them)");
}
