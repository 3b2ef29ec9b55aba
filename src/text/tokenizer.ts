// Converts text to ids and ids to text. @huggingface/tokenizers splits texts into words and merges them into tokens; detokenizer.ts
// converts ids to text.

import type { Tokenizer as Engine } from "@huggingface/tokenizers";
import { CheckpointError, InputError, LightningError } from "../base/errors.js";
import { yieldInTurn } from "../base/event-loop.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { printed } from "../base/printed.js";
import { AddedTokenMatcher } from "./added-tokens.js";
import { type DecodeOptions, Detokenizer, type TextStream } from "./detokenizer.js";
import { encodeInSlices, idOf, type NormalizedText } from "./encode-in-slices.js";
import { maxCharactersPerToken } from "./max-characters-per-token.js";
import { parseTokenizerFiles, type TokenizerDefinition, type TokenizerFiles } from "./tokenizer-files.js";
import { expectBoundedRules } from "./tokenizer-rules.js";

export type { DecodeOptions, TextStream } from "./detokenizer.js";
export type { TokenizerFiles } from "./tokenizer-files.js";

/** Limits of `encodeAsync`. */
export interface EncodeAsyncOptions {
  /** Maximum number of tokens. Encoding fails as soon as it is certain that the text has more. */
  readonly maxTokens?: number;
  /** Aborts encoding. It is checked between two time slices. */
  readonly signal?: AbortSignal;
}

/** A text with more tokens than `encodeAsync` may return. */
export class TooManyTokensError extends InputError {}

/** Length of a time slice in milliseconds, after which encoding yields. */
const MAX_SLICE_MS = 4;

/** A byte-pair tokenizer. It can be byte-level like that of MiniMax-M1, or any other that a tokenizer.json can describe. */
export class Tokenizer {
  /** The largest id plus 1. Some smaller ids may have no token, for example in a reserved block. They decode to an empty text. */
  readonly vocabSize: number;
  /** Ids of the beginning and the end of a sequence, if the configuration names them. */
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Ids of tokens that are markup and not text. */
  readonly specialIds: ReadonlySet<number>;
  private readonly engine: Engine;
  private readonly detokenizer: Detokenizer;
  /** Finds the added tokens that are matched in the original text. */
  private readonly verbatimTokens: AddedTokenMatcher;
  /** Finds the added tokens that are matched in the normalised text. */
  private readonly normalizedTokens: AddedTokenMatcher;
  private readonly maxCharactersPerToken: number;

  private constructor(engine: Engine, definition: TokenizerDefinition) {
    const { added, bosId, eosId } = definition;
    const normalize = (text: string) => engine.normalizer?._call(text) ?? text;
    this.engine = engine;
    this.detokenizer = new Detokenizer(engine, definition);
    this.maxCharactersPerToken = maxCharactersPerToken(definition);
    this.verbatimTokens = new AddedTokenMatcher(added.filter(({ normalized }) => !normalized).map((token) => [token.content, token]));
    this.normalizedTokens = new AddedTokenMatcher(
      added.filter(({ normalized }) => normalized).map((token) => [normalize(token.content), token]),
    );
    this.bosId = bosId;
    this.eosId = eosId;
    this.vocabSize = this.detokenizer.vocabSize;
    this.specialIds = this.detokenizer.specialIds;
  }

  /**
   * Creates a tokenizer from tokenizer.json, or from vocab.json with merges.txt, and from the special tokens in the other files.
   *
   * With vocab.json and merges.txt, the tokenizer is byte-level and splits texts as GPT-2 does. Tokens that no merge produces are special.
   *
   * @throws {CheckpointError} files that are missing, damaged or inconsistent, or that do not describe a byte-pair model
   */
  static async fromFiles(files: TokenizerFiles): Promise<Tokenizer> {
    expectArgument("tokenizer: files", isObjectLike(files), "an object with tokenizerJson, or vocab and merges", files);
    const definition = parseFiles(files);
    expectBoundedRules(definition.json);
    const { Tokenizer: Library } = await import("@huggingface/tokenizers");
    try {
      return new Tokenizer(new Library({ ...definition.json }, {}), definition);
    } catch (cause) {
      throw new CheckpointError(`tokenizer: tokenizer.json: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }

  /**
   * Encodes a text. Special tokens in the text are recognised, but none are added. The time is nearly linear in the length, even without
   * spaces.
   *
   * @throws {InputError} text that the vocabulary cannot express
   */
  encode(text: string): number[] {
    if (typeof text !== "string") throw new InputError(`encode: text: expected a string, got ${typeof text}`);
    const { pre_tokenizer, model } = this.engine;
    const ids: (number | undefined)[] = withEngineErrors(() =>
      [...this.sections(text)].flatMap((section) => {
        if (typeof section === "number") return section;
        const words = pre_tokenizer ? pre_tokenizer._call(section.text, section.options) : [section.text];
        return model!._call(words).map((token) => idOf(this.engine, token));
      }),
    );
    return ids.includes(undefined) ? throwInexpressible() : (ids as number[]);
  }

  /**
   * Encodes a text like `encode`, in time slices of a few milliseconds between which other work runs. The ids are the same.
   *
   * @throws {InputError} text that the vocabulary cannot express, or that has more than `maxTokens` ids; the signal's reason
   */
  async encodeAsync(text: string, { maxTokens = Number.POSITIVE_INFINITY, signal }: EncodeAsyncOptions = {}): Promise<number[]> {
    if (typeof text !== "string") throw new InputError(`encode: text: expected a string, got ${typeof text}`);
    const tooLong = () => new TooManyTokensError(`encode: text: expected at most ${maxTokens} tokens, got more`);
    if (this.fewestTokens(text) > maxTokens) throw tooLong();
    const ids: number[] = [];
    const groups = this.encodeLazily(text);
    const nextGroup = () => withEngineErrors(() => groups.next());
    let since = performance.now();
    for (let group = nextGroup(); !group.done; group = nextGroup()) {
      for (const id of group.value) ids.push(id ?? throwInexpressible());
      if (ids.length > maxTokens) throw tooLong();
      if (performance.now() - since < MAX_SLICE_MS) continue;
      await yieldInTurn();
      signal?.throwIfAborted();
      since = performance.now();
    }
    return ids;
  }

  /** Returns a lower bound for the number of tokens of a text, from its length alone. */
  fewestTokens(text: string): number {
    return Math.ceil(text.length / this.maxCharactersPerToken);
  }

  /** Yields the ids of a text in groups that are computed on demand. */
  private *encodeLazily(text: string) {
    for (const section of this.sections(text)) {
      if (typeof section === "number") yield [section];
      else yield* encodeInSlices(this.engine, section);
    }
  }

  /** Splits a text at added tokens. Yields their ids, and the normalised text between them. */
  private *sections(text: string): Generator<number | NormalizedText> {
    const { normalizer } = this.engine;
    for (const [section_index, section] of this.verbatimTokens.split(text).entries()) {
      if (typeof section !== "string") {
        yield section.id;
        continue;
      }
      for (const part of this.normalizedTokens.split(normalizer ? normalizer._call(section) : section)) {
        yield typeof part === "string" ? { text: part, options: { section_index } } : part.id;
      }
    }
  }

  /**
   * Decodes ids to text, without any clean-up: `decode(encode(text)) = text` for byte-level tokenizers. Bytes that are not UTF-8 become
   * U+FFFD.
   *
   * @throws {InputError} an id outside the vocabulary
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    return this.detokenizer.decode(ids, options);
  }

  /** Decodes ids as they are generated. */
  stream(options: DecodeOptions = {}): TextStream {
    return this.detokenizer.stream(options);
  }

  /** Returns the id of a token, given in the vocabulary's notation. Returns undefined for an unknown token. */
  idOf(token: string): number | undefined {
    return this.engine.token_to_id(token);
  }

  /**
   * Returns the token of an id as it is written in the vocabulary (`Ġthe`, not ` the`). Returns an empty text for an id without a token.
   *
   * @throws {InputError} an id outside the vocabulary
   */
  tokenOf(id: number): string {
    return this.detokenizer.tokenOf(id);
  }

  /**
   * Returns the bytes that a token adds to a text, including its leading space. A byte-level token may contain only a part of a character.
   * Returns undefined for an id without a token.
   */
  bytesOf(id: number): Uint8Array | undefined {
    return this.detokenizer.bytesOf(id);
  }
}

/** Parses the files. @throws {CheckpointError} values that JSON cannot represent, and the errors of `parseTokenizerFiles` */
function parseFiles(files: TokenizerFiles): TokenizerDefinition {
  try {
    return parseTokenizerFiles(files);
  } catch (cause) {
    if (cause instanceof LightningError) throw cause;
    const reason = cause instanceof Error ? cause.message : printed(cause);
    throw new CheckpointError(`tokenizer: expected the JSON of tokenizer files: ${reason}`, { cause });
  }
}

/** Runs the engine. @throws {CheckpointError} in place of any other error, because such errors come from invalid rules in tokenizer.json */
function withEngineErrors<T>(body: () => T): T {
  try {
    return body();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    throw new CheckpointError(`encode: tokenizer.json: expected rules that can be applied: ${reason}`, { cause });
  }
}

function throwInexpressible(): never {
  throw new InputError("encode: text: expected characters of the vocabulary, got characters without a token");
}
