import { SessionError } from "../base/errors.js";
import type { Token } from "../generate/generate.js";
import { createGeneration, type Generation, type Usage } from "../generate/generation.js";
import { type GenerateOptions, type GenerateSettings, type PrefillOptions, parsePrefillOptions } from "../generate/options.js";
import type { SessionInput } from "../generate/session.js";
import { checkIdle, checkRewind } from "../generate/session-checks.js";
import type { LanguageSession } from "../language-model.js";
import { type Caller, sendable } from "./caller.js";
import type { SessionChange } from "./protocol.js";

type ParseOptions = (options: GenerateOptions, where: string) => GenerateSettings;

/**
 * A session in a worker, which is continued turn by turn. Its exact state stays in the worker. Its tokens are kept here too, and updated
 * with every answer of the worker.
 */
export class WorkerSession implements LanguageSession {
  private readonly tokens: number[] = [];
  private minLength = 0;
  private lastSeed = 0;
  private busy = false;
  private disposed = false;

  /** @param handle number of the session in the worker @internal */
  constructor(
    private readonly caller: Caller,
    private readonly handle: number,
    private readonly parseOptions: ParseOptions,
    state: SessionChange,
  ) {
    this.apply(state);
  }

  /** All tokens so far: inputs, generated tokens, and end-of-sequence tokens. */
  get ids(): number[] {
    return [...this.tokens];
  }

  /** Number of tokens so far. */
  get length(): number {
    return this.tokens.length;
  }

  /** The seed of the session's random generator. */
  get seed(): number {
    return this.lastSeed;
  }

  /**
   * Adds input and computes its state, as `Session.append` does.
   *
   * @throws {InputError} no tokens, ids outside the vocabulary, or more tokens than the context
   * @throws {SessionError} another call on this session is running
   */
  async append(input: SessionInput, options: PrefillOptions = {}): Promise<void> {
    const { signal, prefillChunk } = parsePrefillOptions(options, "session.append");
    const args = sendable({ handle: this.handle, input, prefillChunk }, "session.append: input");
    this.begin("session.append");
    try {
      await this.caller.call("append", args, { signal, onItem: (change) => this.apply(change) });
    } finally {
      this.busy = false;
    }
  }

  /**
   * Adds `input`, if any, and continues generating, as `Session.generate` does. A token is computed when it is requested. After `break`,
   * the session therefore ends with the last token that was returned.
   *
   * @throws {InputError} invalid options. An invalid input is reported with the first token
   * @throws {SessionError} another call on this session is running
   */
  generate(input: SessionInput = [], options: GenerateOptions = {}): Generation {
    const { seed = this.seed } = this.parseOptions(options, "session.generate");
    const { signal, ...plain } = options;
    const args = sendable({ handle: this.handle, input, options: plain }, "session.generate");
    const usage: Usage = {};
    return createGeneration(this.run(args, signal, usage), seed, 1, usage);
  }

  private async *run(
    args: { handle: number; input: SessionInput; options: GenerateOptions },
    signal: AbortSignal | undefined,
    usage: Usage,
  ): AsyncGenerator<Token, void, undefined> {
    this.begin("session.generate");
    try {
      for await (const { token, usage: counts, ...change } of this.caller.stream("continue", args, { signal })) {
        this.apply(change);
        Object.assign(usage, counts);
        if (token) yield token;
      }
    } finally {
      this.busy = false;
    }
  }

  /** Encodes the session as bytes. `MiniMaxM1.restore` and `WorkerModel.restore` continue it bit-identically. */
  save(): Promise<Uint8Array> {
    return this.caller.call("save", { handle: this.handle });
  }

  /** Copies the session, including its random generator. Both sessions must be disposed. */
  fork(): WorkerSession {
    const handle = this.caller.newHandle();
    const fork = new WorkerSession(this.caller, handle, this.parseOptions, {
      ids: this.tokens,
      minLength: this.minLength,
      seed: this.seed,
    });
    // If a call is running, the worker's session may be one token ahead.
    const update = (state: SessionChange) => fork.apply({ ...state, ids: state.ids.slice(fork.length) });
    this.caller.call("forkSession", { handle, from: this.handle }).then(update, () => {});
    return fork;
  }

  /**
   * Keeps only the first `length` tokens. Computed tokens cannot be removed if the model has lightning layers.
   *
   * @throws {SessionError} the state contains more than `length` tokens and the model has lightning layers, or another call is running
   */
  rewind(length: number): void {
    checkRewind(length, { length: this.length, minLength: this.minLength });
    this.begin("session.rewind");
    this.busy = false;
    this.caller.send("rewind", { handle: this.handle, length });
    this.tokens.length = length;
  }

  /** Frees the state. A running generation ends with an error. */
  dispose(): void {
    this.disposed = true;
    this.caller.send("free", { handle: this.handle });
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private begin(where: string): void {
    if (this.disposed) throw new SessionError(`${where}: the session was disposed`);
    checkIdle(this.busy, where);
    this.busy = true;
  }

  private apply({ ids, minLength, seed }: SessionChange): void {
    for (const id of ids) this.tokens.push(id);
    this.minLength = minLength;
    this.lastSeed = seed;
  }
}
