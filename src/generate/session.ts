import * as v from "valibot";
import { InputError, SessionError } from "../base/errors.js";
import { parseOptions } from "../base/options.js";
import { Random } from "../base/random.js";
import { checkIds, isTokenIds, type TokenIds } from "../model/token-ids.js";
import type { Transformer } from "../model/transformer.js";
import type { TextCodec } from "../text/text-codec.js";
import { continueSequences, prefillSequence, type Token } from "./generate.js";
import { createGeneration, type Generation, type Usage } from "./generation.js";
import { type GenerateOptions, type GenerateSettings, type PrefillOptions, parseGenerateOptions, parsePrefillOptions } from "./options.js";
import { Sequence } from "./sequence.js";
import { decodeSequence, encodeSequence } from "./session-file.js";

const startSchema = v.strictObject({ seed: v.optional(v.unknown()) });

/** What a session takes in: text (with a tokenizer) or token ids. */
export type SessionInput = string | TokenIds;

/**
 * One conversation, continued turn by turn: only new tokens are computed. Holds memory until `dispose`.
 * Cancelled or broken off, it stands where the last token left it and can go on from there.
 */
export class Session {
  private busy = false;

  private constructor(
    private readonly transformer: Transformer,
    private readonly sequence: Sequence,
    private readonly codec: TextCodec | undefined,
  ) {}

  /** @internal @throws {InputError} a seed that is none */
  static start(transformer: Transformer, options: Pick<GenerateOptions, "seed"> = {}, codec?: TextCodec): Session {
    const { seed } = parseGenerateOptions(
      parseOptions(startSchema, options, "session") as { seed?: number },
      transformer.config,
      codec,
      "session",
    );
    return new Session(transformer, Sequence.start(transformer, seed ?? Random.anySeed()), codec);
  }

  /** @internal @throws {SessionError} bytes that are no saved session, are damaged, or belong to another model */
  static restore(transformer: Transformer, bytes: Uint8Array, codec?: TextCodec): Session {
    return new Session(transformer, decodeSequence(transformer, bytes), codec);
  }

  /** All tokens so far, given and generated, ends of sequence included. */
  get ids(): number[] {
    return [...this.sequence.ids];
  }

  get length(): number {
    return this.sequence.length;
  }

  /** What its randomness began with. */
  get seed(): number {
    return this.sequence.random.seed;
  }

  /**
   * Adds to the conversation and computes its state ahead of the next `generate`: a prefix to `fork` or `save`.
   *
   * @throws {InputError} no tokens, ids outside the vocabulary, more than the context holds
   * @throws {SessionError} while another call is under way
   */
  async append(input: SessionInput, options: PrefillOptions = {}): Promise<void> {
    const settings = parsePrefillOptions(options, "session.append");
    const ids = this.toIds(input, "session.append");
    this.begin("session.append");
    try {
      this.sequence.append(ids, "session.append: input");
      await prefillSequence(this.transformer, this.sequence, settings);
    } finally {
      this.busy = false;
    }
  }

  /**
   * Adds `input`, if any, and generates on. Without a `seed` its randomness goes on as well, so that it makes no difference
   * in how many calls a text is generated.
   *
   * @throws {InputError} as `append`; options that cannot be worked with; nothing to go on from; a full context
   * @throws {SessionError} while another call is under way
   */
  generate(input: SessionInput = [], options: GenerateOptions = {}): Generation {
    const settings = parseGenerateOptions(options, this.transformer.config, this.codec, "session.generate");
    const ids = this.toIds(input, "session.generate");
    const usage: Usage = {};
    return createGeneration(this.run(ids, settings, usage), settings.seed ?? this.seed, 1, usage);
  }

  private async *run(ids: readonly number[], settings: GenerateSettings, usage: Usage): AsyncGenerator<Token, void, undefined> {
    const { sequence, transformer } = this;
    const { config } = transformer;
    this.begin("session.generate");
    try {
      if (ids.length > 0) {
        checkIds(ids, config, "session.generate: input", sequence.length + 1);
        sequence.append(ids, "session.generate: input");
      }
      if (sequence.pending === 0) throw new InputError("session.generate: input: expected tokens to go on from, got none");
      if (sequence.length >= config.maxPositionEmbeddings) {
        throw new InputError(
          `session.generate: context: expected room within ${config.maxPositionEmbeddings} tokens, got ${sequence.length} taken`,
        );
      }
      if (settings.seed !== undefined) sequence.random = Random.seeded(settings.seed);
      usage.promptTokens = sequence.length;
      yield* continueSequences(transformer, [sequence], settings, this.codec, usage);
    } finally {
      this.busy = false;
    }
  }

  /** All of it as bytes, exact to the bit: `restore` goes on as if nothing had happened. */
  save(): Uint8Array<ArrayBuffer> {
    return encodeSequence(this.transformer, this.sequence);
  }

  /** An independent copy, randomness included (give `generate` a `seed` to go elsewhere). Dispose both. */
  fork(): Session {
    return new Session(this.transformer, this.sequence.copy(), this.codec);
  }

  /**
   * Goes back to the first `length` tokens; randomness goes on. Exact, and therefore refused where it could not be:
   * lightning attention's state is a sum over all its tokens. Tokens not yet computed, as the last one generated, can always go.
   *
   * @throws {SessionError} the state has taken in more than `length` tokens and has lightning layers; another call is under way
   */
  rewind(length: number): void {
    const { sequence } = this;
    if (!Number.isInteger(length) || length < 0 || length > sequence.length) {
      throw new InputError(`session.rewind: length: expected an integer within [0, ${sequence.length}], got ${length}`);
    }
    if (length < sequence.minLength) {
      throw new SessionError(
        `session.rewind: length: expected at least ${sequence.minLength}, got ${length}: lightning layers cannot forget tokens (fork or save before going on, or append the first ${length} ids to a new session)`,
      );
    }
    this.begin("session.rewind");
    sequence.truncate(length);
    this.busy = false;
  }

  /** Frees the state. A generation under way ends in an error. */
  dispose(): void {
    this.sequence.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private begin(where: string): void {
    if (this.busy)
      throw new SessionError(`${where}: another call on this session is under way (let it end, break its loop, or work on a fork)`);
    this.busy = true;
  }

  private toIds(input: SessionInput, where: string): readonly number[] {
    if (isTokenIds(input)) return Array.from({ length: input.length }, (_, i) => input[i]!);
    if (typeof input !== "string") throw new InputError(`${where}: input: expected text or an array of token ids, got ${typeof input}`);
    if (!this.codec) throw new InputError(`${where}: input: expected token ids, got text (this model was loaded without a tokenizer)`);
    return this.codec.encode(input);
  }
}
