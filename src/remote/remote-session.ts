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
 * A session on a server, which is continued turn by turn. Its tokens are kept locally, and each turn sends all of them. A server with a
 * prefix cache computes only the new ones.
 *
 * The server encodes text, so a turn that is given as text needs an additional short request.
 */
export class RemoteSession implements LanguageSession {
  private busy = false;
  private unfollow = () => {};
  private readonly disposed = new AbortController();

  private constructor(
    private readonly model: RemoteModel,
    private readonly tokens: number[],
    readonly seed: number,
    /** Seed of the next turn, if that turn has no seed of its own. */
    private nextSeed: number,
  ) {}

  /** @internal @throws {InputError} an invalid seed */
  static start(model: RemoteModel, options: { seed?: number }): RemoteSession {
    const seed = parseOptions(startSchema, options, "session").seed ?? Random.anySeed();
    return new RemoteSession(model, [], seed, seed);
  }

  /** @internal @throws {SessionError} bytes that are not a saved remote session, or a session of another model */
  static restore(model: RemoteModel, bytes: Uint8Array): RemoteSession {
    const saved = readSaved(bytes);
    if (saved.model !== model.name) {
      throw new SessionError(`restore: expected a session of the model ${model.name}, got a session of ${saved.model}`);
    }
    return new RemoteSession(model, [...saved.ids], saved.seed, saved.next);
  }

  /** All tokens so far: inputs, generated tokens, and end-of-sequence tokens. */
  get ids(): number[] {
    return [...this.tokens];
  }

  get length(): number {
    return this.tokens.length;
  }

  /**
   * Adds tokens to the session. The server computes nothing before the next `generate`.
   *
   * @throws {InputError} no tokens
   * @throws {SessionError} another call is running, or the session was disposed
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
   * Adds `input`, if any, and generates. Without a `seed`, turn n uses the session's seed plus n. In contrast to a local session, the
   * result therefore depends on where turns begin.
   *
   * @throws {InputError} invalid options, or an empty session
   * @throws {SessionError} another call is running, or the server sends no token ids
   * @throws {RemoteError} the errors of `RemoteModel.generate`
   */
  generate(input: SessionInput = [], options: GenerateOptions = {}): Generation {
    const { seed = this.nextSeed, signal } = parseRemoteOptions(options, this.model.extensions, "session.generate");
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
      if (this.length === 0) throw new InputError("session.generate: input: expected at least one token, got an empty conversation");
      this.nextSeed = (options.seed + 1) % SEED_LIMIT;
      const generation = this.model.generate(this.tokens, { ...options, signal });
      for await (const token of generation) {
        if (token.id >= 0) this.tokens.push(token.id);
        else if (token.text !== "" || !token.stop) {
          throw new SessionError(
            "session.generate: the server sends no token ids, which a session needs. Pass the whole conversation to generate instead.",
          );
        }
        yield token;
      }
      Object.assign(usage, generation.usage);
    } finally {
      this.end();
    }
  }

  /** Encodes tokens and seeds as bytes, for `restore`. */
  save(): Uint8Array {
    const { model, seed, nextSeed: next, tokens } = this;
    return new TextEncoder().encode(JSON.stringify({ format: FORMAT, version: 1, model: model.name, seed, next, ids: tokens }));
  }

  /** Copies the session, including its seeds. The copy is independent. */
  fork(): RemoteSession {
    return new RemoteSession(this.model, this.ids, this.seed, this.nextSeed);
  }

  /** Keeps only the first `length` tokens. This is always possible, because the tokens are the whole state of a remote session. */
  rewind(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.length) {
      throw new InputError(`session.rewind: length: expected an integer within [0, ${this.length}], got ${length}`);
    }
    this.begin("session.rewind");
    this.tokens.length = length;
    this.end();
  }

  /** Ends the session. A running generation fails. */
  dispose(): void {
    this.disposed.abort(new SessionError("session: the session was disposed"));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * Marks a call as running. Returns a signal that aborts when the session's or the caller's signal aborts.
   *
   * @throws {SessionError} another call is running
   */
  private begin(where: string, signal?: AbortSignal): AbortSignal {
    this.disposed.signal.throwIfAborted();
    if (this.busy) throw new SessionError(`${where}: another call on this session is running. Await it, leave its loop, or use a fork.`);
    this.busy = true;
    const call = new AbortController();
    this.unfollow = followSignals(call, [this.disposed.signal, signal]);
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
    throw new SessionError(
      "restore: expected a saved remote session, got other bytes. A session of a local model can only be restored by a local model.",
      {
        cause,
      },
    );
  }
}
