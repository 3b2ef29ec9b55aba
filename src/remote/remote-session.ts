import * as v from "valibot";
import { followSignals } from "../base/abort.js";
import { InputError, SessionError } from "../base/errors.js";
import { index, parseOptions, SEED_LIMIT, seedNumber } from "../base/options.js";
import { Random } from "../base/random.js";
import type { Token } from "../generate/generate.js";
import { createGeneration, type Generation, type Usage } from "../generate/generation.js";
import type { GenerateOptions, PrefillOptions } from "../generate/options.js";
import { parsePrefillOptions } from "../generate/options.js";
import type { SessionInput } from "../generate/session.js";
import type { LanguageSession } from "../language-model.js";
import { isTokenIds } from "../model/token-ids.js";
import type { RemoteModel } from "./remote-model.js";
import { checkPrompt, parseRemoteOptions } from "./remote-request.js";

const startSchema = v.strictObject({ seed: v.optional(seedNumber) });

const FORMAT = "lightning-m1 remote session";

const savedSchema = v.strictObject({
  format: v.literal(FORMAT),
  version: v.literal(1),
  model: v.string(),
  seed: seedNumber,
  next: seedNumber,
  ids: v.array(index),
});

/**
 * One conversation, continued turn by turn: its tokens are kept here, and each turn sends all of them. What the server computes again is the server's affair (its prefix cache).
 *
 * Text becomes ids on the server, so that a turn given as text costs one more short request.
 */
export class RemoteSession implements LanguageSession {
  private busy = false;
  private unfollow = () => {};
  private readonly ended = new AbortController();

  private constructor(
    private readonly model: RemoteModel,
    private readonly tokens: number[],
    readonly seed: number,
    /** What the next turn uses that names no seed. */
    private next: number,
  ) {}

  /** @internal @throws {InputError} a seed that is none */
  static start(model: RemoteModel, options: { seed?: number }): RemoteSession {
    const seed = parseOptions(startSchema, options, "session").seed ?? Random.anySeed();
    return new RemoteSession(model, [], seed, seed);
  }

  /** @internal @throws {SessionError} bytes that are no saved session of this kind, or one of another model */
  static restore(model: RemoteModel, bytes: Uint8Array): RemoteSession {
    const saved = readSaved(bytes);
    if (saved.model !== model.name) {
      throw new SessionError(`restore: expected a session of ${model.name}, got one of ${saved.model} (its ids mean something else there)`);
    }
    return new RemoteSession(model, [...saved.ids], saved.seed, saved.next);
  }

  /** All tokens so far, given and generated, ends of sequence included. */
  get ids(): number[] {
    return [...this.tokens];
  }

  get length(): number {
    return this.tokens.length;
  }

  /**
   * Adds to the conversation. Nothing is computed ahead of the next `generate`.
   *
   * @throws {InputError} no tokens
   * @throws {SessionError} while another call is under way, or after `dispose`
   */
  async append(input: SessionInput, options: PrefillOptions = {}): Promise<void> {
    const { signal: outer } = parsePrefillOptions(options, "session.append");
    checkPrompt(input, "session.append: input");
    const signal = this.begin("session.append", outer);
    try {
      this.tokens.push(...(await this.idsOf(input, signal, "session.append")));
    } finally {
      this.end();
    }
  }

  /**
   * Adds `input`, if any, and generates on. Without a `seed` turn n uses the session's seed + n: unlike with a local session, where its turns begin makes a difference.
   *
   * @throws {InputError} options that cannot be worked with; nothing to go on from
   * @throws {SessionError} while another call is under way; a server that gives no token ids
   * @throws {RemoteError} as `RemoteModel.generate`
   */
  generate(input: SessionInput = [], options: GenerateOptions = {}): Generation {
    const { seed = this.next, signal } = parseRemoteOptions(options, this.model.extensions, "session.generate");
    if (typeof input === "string" ? input !== "" : !isTokenIds(input) || input.length > 0) checkPrompt(input, "session.generate: input");
    const usage: Usage = {};
    return createGeneration(this.run(input, { ...options, seed, signal }, usage), seed, 1, usage);
  }

  private async *run(
    input: SessionInput,
    options: GenerateOptions & { seed: number },
    usage: Usage,
  ): AsyncGenerator<Token, void, undefined> {
    const signal = this.begin("session.generate", options.signal);
    try {
      if (input.length > 0) this.tokens.push(...(await this.idsOf(input, signal, "session.generate")));
      if (this.length === 0) throw new InputError("session.generate: input: expected tokens to go on from, got none");
      this.next = (options.seed + 1) % SEED_LIMIT;
      const generation = this.model.generate(this.tokens, { ...options, signal });
      for await (const token of generation) {
        if (token.id >= 0) this.tokens.push(token.id);
        else if (token.text !== "" || !token.stop) {
          throw new SessionError(
            "session.generate: expected a server that gives token ids, got text without (give generate the whole conversation instead)",
          );
        }
        yield token;
      }
      Object.assign(usage, generation.usage);
    } finally {
      this.end();
    }
  }

  /** Its tokens and seeds as bytes, for `restore`. */
  save(): Uint8Array {
    const { model, seed, next, tokens } = this;
    return new TextEncoder().encode(JSON.stringify({ format: FORMAT, version: 1, model: model.name, seed, next, ids: tokens }));
  }

  /** An independent copy, seeds included. */
  fork(): RemoteSession {
    return new RemoteSession(this.model, this.ids, this.seed, this.next);
  }

  /** Goes back to the first `length` tokens: always possible, as nothing is kept but tokens. */
  rewind(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.length) {
      throw new InputError(`session.rewind: length: expected an integer within [0, ${this.length}], got ${length}`);
    }
    this.begin("session.rewind");
    this.tokens.length = length;
    this.end();
  }

  /** Ends a generation under way with an error. */
  dispose(): void {
    this.ended.abort(new SessionError("session: expected one to go on with, got one that was disposed"));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The signal of a call: the session's own, or the caller's. */
  private begin(where: string, signal?: AbortSignal): AbortSignal {
    this.ended.signal.throwIfAborted();
    if (this.busy)
      throw new SessionError(`${where}: another call on this session is under way (let it end, break its loop, or work on a fork)`);
    this.busy = true;
    const call = new AbortController();
    this.unfollow = followSignals(call, [this.ended.signal, signal]);
    return call.signal;
  }

  private end(): void {
    this.busy = false;
    this.unfollow();
  }

  private async idsOf(input: SessionInput, signal: AbortSignal, where: string): Promise<readonly number[]> {
    return typeof input === "string" ? this.model.encode(input, signal, where) : [...input];
  }
}

function readSaved(bytes: Uint8Array): v.InferOutput<typeof savedSchema> {
  try {
    return v.parse(savedSchema, JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new SessionError("restore: expected a saved remote session, got other bytes (sessions of a local model are restored there)", {
      cause,
    });
  }
}
