import { Random } from "../base/random.js";
import type { Cache } from "../model/cache.js";
import { checkIds } from "../model/token-ids.js";
import type { ForwardResult, Transformer } from "../model/transformer.js";

/**
 * The state that determines how a sequence continues: its tokens, the cache of its first `cache.length` tokens, and a random generator. The
 * remaining tokens, such as a token that was just sampled, are pending until a forward pass computes them.
 */
export class Sequence {
  private constructor(
    private readonly transformer: Transformer,
    private readonly tokens: number[],
    private readonly state: Cache,
    public random: Random,
  ) {}

  /** Creates an empty sequence. */
  static start(transformer: Transformer, seed: number): Sequence {
    return new Sequence(transformer, [], transformer.newCache(), Random.seeded(seed));
  }

  /** Resumes from a given state and takes ownership of it. */
  static resume(transformer: Transformer, ids: readonly number[], cache: Cache, random: Random): Sequence {
    return new Sequence(transformer, [...ids], cache, random);
  }

  get ids(): readonly number[] {
    return this.tokens;
  }

  get length(): number {
    return this.tokens.length;
  }

  /** Number of tokens that the cache does not contain yet. */
  get pending(): number {
    return this.length - this.cache.length;
  }

  /** Returns the cache. @throws {SessionError} a disposed cache, or a cache that a failed forward pass left invalid */
  get cache(): Cache {
    this.state.expectUsable();
    return this.state;
  }

  /** Adds pending tokens. */
  append(ids: readonly number[], where: string): void {
    checkIds(ids, this.transformer.config, where, this.length);
    for (const id of ids) this.tokens.push(id);
  }

  /**
   * Minimum length for `truncate`. Computed tokens cannot be removed if the model has lightning layers, whose state is a sum over all
   * tokens.
   */
  get minLength(): number {
    return this.transformer.config.attnTypeList.includes(0) ? this.cache.length : 0;
  }

  /** Keeps the first `length` tokens. If this shortens the cache too, the last kept token becomes pending again. */
  truncate(length: number): void {
    if (this.minLength === 0 && length <= this.cache.length) this.cache.resize(Math.max(0, length - 1));
    this.tokens.length = length;
  }

  copy(): Sequence {
    return Sequence.resume(this.transformer, this.tokens, this.cache.copy(), this.random.copy());
  }

  /** Computes the next `count` pending tokens of every sequence in one forward pass. Must be called inside a scope. */
  static forwardPending(transformer: Transformer, requests: readonly { sequence: Sequence; count: number }[]): ForwardResult {
    const batch = requests.map(({ sequence: { cache, tokens }, count }) => ({
      cache,
      ids: tokens.slice(cache.length, cache.length + count),
    }));
    return transformer.forward(batch);
  }

  dispose(): void {
    this.state.dispose();
  }
}
