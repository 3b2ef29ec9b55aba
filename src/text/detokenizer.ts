// Converts ids to text. Byte-level tokens are joined as bytes, so that text can be streamed even if several tokens share one character.

import type { Tokenizer as Engine } from "@huggingface/tokenizers";
import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { printed } from "../base/printed.js";
import { byteAlphabet, type TokenizerDefinition } from "./tokenizer-files.js";

/** Options of decoding. */
export interface DecodeOptions {
  /** Leaves special tokens out of the text (false). */
  readonly skipSpecialTokens?: boolean;
}

/** Decodes ids that arrive one by one. The joined results of all calls of `push` and of `end` equal the result of `decode` for all ids. */
export interface TextStream {
  /** Returns the text that this token completes. It is empty while a character is incomplete. */
  push(id: number): string;
  /** Returns the text that was held back. Afterwards the stream is empty again. */
  end(): string;
}

const encoder = /* @__PURE__ */ new TextEncoder();
const byteOf: ReadonlyMap<string, number> = /* @__PURE__ */ new Map(byteAlphabet.map((char, byte) => [char, byte]));
const utf8Decoder = (): TextDecoder => new TextDecoder("utf-8", { ignoreBOM: true });

/** Converts ids to tokens, bytes and text. */
export class Detokenizer {
  /** The largest id plus 1. */
  readonly vocabSize: number;
  /** Ids of tokens that are markup and not text. */
  readonly specialIds: ReadonlySet<number>;
  private readonly engine: Engine;
  private readonly tokens: ReadonlyMap<number, string>;
  private readonly addedIds: ReadonlySet<number>;
  private readonly isByteLevel: boolean;
  /** Whether tokens `<0x00>` … `<0xFF>` stand for bytes. */
  private readonly hasByteFallback: boolean;

  constructor(engine: Engine, { tokens, added, json }: TokenizerDefinition) {
    this.engine = engine;
    this.tokens = tokens;
    this.addedIds = new Set(added.map(({ id }) => id));
    this.isByteLevel = isByteLevel(json.decoder);
    this.hasByteFallback = (json.model as { byte_fallback?: unknown } | undefined)?.byte_fallback === true;
    this.vocabSize = [...tokens.keys()].reduce((size, id) => Math.max(size, id + 1), 0);
    this.specialIds = new Set(added.filter(({ special }) => special).map(({ id }) => id));
  }

  /** See `Tokenizer.decode`. */
  decode(ids: Iterable<number>, options: DecodeOptions): string {
    const visible = this.visibleIds(ids, options);
    if (!this.isByteLevel) return this.join(visible);
    return utf8Decoder().decode(Uint8Array.from(visible.flatMap((id) => [...this.bytes(id)])));
  }

  /** See `Tokenizer.stream`. */
  stream(options: DecodeOptions): TextStream {
    if (!this.isByteLevel) {
      return new WindowStream(
        (ids) => this.join(ids),
        (id) => this.visibleIds([id], options),
      );
    }
    const decoder = utf8Decoder();
    return {
      push: (id) =>
        this.visibleIds([id], options).reduce((text, visible) => text + decoder.decode(this.bytes(visible), { stream: true }), ""),
      end: () => decoder.decode(),
    };
  }

  /** See `Tokenizer.tokenOf`. */
  tokenOf(id: number): string {
    return this.tokens.get(this.checkId(id)) ?? "";
  }

  /** See `Tokenizer.bytesOf`. */
  bytesOf(id: number): Uint8Array | undefined {
    const token = this.tokens.get(id);
    if (token === undefined) return undefined;
    if (this.isByteLevel || this.addedIds.has(id)) return this.bytes(id);
    const byte = this.hasByteFallback ? /^<0x([0-9A-F]{2})>$/i.exec(token)?.[1] : undefined;
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    // Decoders may drop a space at the beginning of a text, so another token is put before this one.
    return encoder.encode(this.join([id, id]).slice(this.join([id]).length));
  }

  /** Returns the ids whose tokens appear in the text. @throws {InputError} an id outside the vocabulary */
  private visibleIds(ids: Iterable<number>, options: DecodeOptions): number[] {
    expectArgument("decode: ids", isIterable(ids), "token ids", ids);
    expectArgument("decode: options", isObjectLike(options), "an object", options);
    const { skipSpecialTokens = false } = options;
    return Array.from(ids, (id) => this.checkId(id)).filter((id) => this.tokens.has(id) && !(skipSpecialTokens && this.specialIds.has(id)));
  }

  /** Checks that an id is in the vocabulary, and returns it. @throws {InputError} it is not */
  private checkId(id: number): number {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabSize) return id;
    throw new InputError(`decode: id: expected 0 … ${this.vocabSize - 1}, got ${printed(id)}`);
  }

  /** Returns the bytes of a token. Added tokens are plain text; all other tokens are written in the byte alphabet. */
  private bytes(id: number): Uint8Array {
    const token = this.tokenOf(id);
    const bytes = this.addedIds.has(id) ? [] : Array.from(token, (char) => byteOf.get(char));
    return bytes.length === 0 || bytes.includes(undefined) ? encoder.encode(token) : Uint8Array.from(bytes as number[]);
  }

  private join(ids: number[]): string {
    return ids.length === 0 ? "" : this.engine.decode(ids, { clean_up_tokenization_spaces: false });
  }
}

/**
 * A stream for decoders that are not byte-level. The text of a token is the difference between the text with it and the text without it.
 *
 * Decoding starts at the last complete piece of text, because no decoder looks at earlier tokens. Text that ends in U+FFFD may still
 * change.
 */
class WindowStream implements TextStream {
  private ids: number[] = [];
  /** Number of ids whose text was returned. */
  private completeIds = 0;

  constructor(
    private readonly join: (ids: number[]) => string,
    private readonly visibleIds: (id: number) => number[],
  ) {}

  push(id: number): string {
    this.ids.push(...this.visibleIds(id));
    const text = this.pendingText();
    if (text === "" || text.endsWith("\u{fffd}")) return "";
    this.ids.splice(0, this.completeIds);
    this.completeIds = this.ids.length;
    return text;
  }

  end(): string {
    const text = this.pendingText();
    this.ids = [];
    this.completeIds = 0;
    return text;
  }

  private pendingText(): string {
    return this.join(this.ids).slice(this.join(this.ids.slice(0, this.completeIds)).length);
  }
}

/** Returns whether a value can be iterated. False for the typed array of a detached buffer. */
function isIterable(x: unknown): x is Iterable<number> {
  return isObjectLike(x) && Symbol.iterator in x && !(ArrayBuffer.isView(x) && x.byteLength === 0 && x.buffer.byteLength === 0);
}

function isByteLevel(decoder: unknown): boolean {
  if (typeof decoder !== "object" || decoder === null || !("type" in decoder)) return false;
  if (decoder.type !== "Sequence") return decoder.type === "ByteLevel";
  return "decoders" in decoder && Array.isArray(decoder.decoders) && decoder.decoders.length === 1 && isByteLevel(decoder.decoders[0]);
}
