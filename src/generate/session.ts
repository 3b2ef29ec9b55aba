import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { parseOptions } from "../base/options.js";
import { Random } from "../base/random.js";
import { checkIds, isTokenIds, type TokenIds } from "../model/token-ids.js";
import type { Transformer } from "../model/transformer.js";
import type { TextCodec } from "../text/text-codec.js";
import { continueSequences, prefillSequence, type Token } from "./generate.js";
import { createGeneration, type Generation, type Usage } from "./generation.js";
import { type GenerateOptions, type GenerateSettings, type PrefillOptions, parseGenerateOptions, parsePrefillOptions } from "./options.js";
import { Sequence } from "./sequence.js";
import { checkIdle, checkRewind } from "./session-checks.js";
import { decodeSequence, encodeSequence } from "./session-file.js";

const startSchema = v.strictObject({ seed: v.optional(v.unknown()) });

/** Input of a session: text (requires a tokenizer) or token ids. */
export type SessionInput = string | TokenIds;

/**
 * A sequence that is continued turn by turn, so that only new tokens are computed. It holds memory until `dispose`. After an abort or
 * `break`, it can be continued from the last generated token.
 */
export class Session {
  private busy = false;

  private constructor(
    private readonly transformer: Transformer,
    private readonly sequence: Sequence,
    private readonly codec: TextCodec | undefined,
  ) {}

  /** @internal @throws {InputError} an invalid seed */
  static start(transformer: Transformer, options: Pick<GenerateOptions, "seed"> = {}, codec?: TextCodec): Session {
    const { seed } = parseGenerateOptions(
      parseOptions(startSchema, options, "session") as { seed?: number },
      transformer.config,
      codec,
      "session",
    );
    return new Session(transformer, Sequence.start(transformer, seed ?? Random.anySeed()), codec);
  }

  /** @internal @throws {SessionError} bytes that are not a saved session, are damaged, or belong to another model */
  static restore(transformer: Transformer, bytes: Uint8Array, codec?: TextCodec): Session {
    return new Session(transformer, decodeSequence(transformer, bytes), codec);
  }

  /** All tokens so far: inputs, generated tokens, and end-of-sequence tokens. */
  get ids(): number[] {
    return [...this.sequence.ids];
  }

  /** Number of tokens so far. */
  get length(): number {
    return this.sequence.length;
  }

  /** Minimum length for `rewind`. @internal */
  get minLength(): number {
    return this.sequence.minLength;
  }

  /** The seed of the session's random generator. */
  get seed(): number {
    return this.sequence.random.seed;
  }

  /**
   * Adds input and computes its state. Use it to prepare the next `generate`, or to compute a prefix that you `fork` or `save`.
   *
   * @throws {InputError} no tokens, ids outside the vocabulary, or more tokens than the context
   * @throws {SessionError} another call on this session is running
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
   * Adds `input`, if any, and continues generating. Without a `seed`, the random generator continues from the previous call, so several
   * short calls produce the same text as one long call.
   *
   * @throws {InputError} the errors of `append`, invalid options, an empty session without input, or a full context
   * @throws {SessionError} another call on this session is running
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
      if (sequence.pending === 0) throw new InputError("session.generate: input: expected tokens to continue, got an empty session");
      if (sequence.length >= config.maxPositionEmbeddings) {
        throw new InputError(
          `session.generate: context: expected fewer than ${config.maxPositionEmbeddings} tokens so far, got ${sequence.length}. The context is full.`,
        );
      }
      if (settings.seed !== undefined) sequence.random = Random.seeded(settings.seed);
      usage.promptTokens = sequence.length;
      yield* continueSequences(transformer, [sequence], settings, this.codec, usage);
    } finally {
      this.busy = false;
    }
  }

  /** Encodes the session as bytes. A restored session continues bit-identically. */
  save(): Uint8Array<ArrayBuffer> {
    return encodeSequence(this.transformer, this.sequence);
  }

  /**
   * Copies the session, including its random generator. To get another continuation, pass a `seed` to `generate`. Both sessions must be
   * disposed.
   */
  fork(): Session {
    return new Session(this.transformer, this.sequence.copy(), this.codec);
  }

  /**
   * Keeps only the first `length` tokens. The state of the random generator does not change.
   *
   * Pending tokens, such as the last generated token, can always be removed. Computed tokens cannot be removed if the model has lightning
   * layers, whose state is a sum over all tokens.
   *
   * @throws {SessionError} the state contains more than `length` tokens and the model has lightning layers, or another call is running
   */
  rewind(length: number): void {
    const { sequence } = this;
    checkRewind(length, this);
    this.begin("session.rewind");
    sequence.truncate(length);
    this.busy = false;
  }

  /** Frees the state. A running generation ends with an error. */
  dispose(): void {
    this.sequence.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private begin(where: string): void {
    checkIdle(this.busy, where);
    this.busy = true;
  }

  private toIds(input: SessionInput, where: string): readonly number[] {
    if (isTokenIds(input)) return Array.from({ length: input.length }, (_, i) => input[i]!);
    if (typeof input !== "string") throw new InputError(`${where}: input: expected text or an array of token ids, got ${typeof input}`);
    if (!this.codec) throw new InputError(`${where}: input: expected token ids, got text. The model was loaded without a tokenizer.`);
    return this.codec.encode(input);
  }
}
