import { Random } from "../base/random.js";
import type { Cache } from "../model/cache.js";
import { checkIds } from "../model/token-ids.js";
import type { ForwardResult, Transformer } from "../model/transformer.js";

/**
 * Everything that determines how one sequence goes on: its tokens, the state after the first `cache.length` of them, and its
 * randomness. The remaining tokens are pending: the next pass takes them in. A sampled token is pending until then.
 */
export class Sequence {
  private constructor(
    private readonly transformer: Transformer,
    private readonly tokens: number[],
    private readonly state: Cache,
    public random: Random,
  ) {}

  static start(transformer: Transformer, seed: number): Sequence {
    return new Sequence(transformer, [], transformer.newCache(), Random.seeded(seed));
  }

  /** A sequence that goes on from a given state, which it then owns. */
  static resume(transformer: Transformer, ids: readonly number[], cache: Cache, random: Random): Sequence {
    return new Sequence(transformer, [...ids], cache, random);
  }

  get ids(): readonly number[] {
    return this.tokens;
  }

  get length(): number {
    return this.tokens.length;
  }

  /** How many tokens the state has not taken in yet. */
  get pending(): number {
    return this.length - this.cache.length;
  }

  /** @throws {SessionError} disposed, or left half-way by a pass that failed */
  get cache(): Cache {
    this.state.expectUsable();
    return this.state;
  }

  /** Adds pending tokens. */
  append(ids: readonly number[], where: string): void {
    checkIds(ids, this.transformer.config, where, this.length);
    for (const id of ids) this.tokens.push(id);
  }

  /** The fewest tokens that `cut` can leave: a lightning state is a sum over all its tokens and cannot forget some. */
  get minLength(): number {
    return this.transformer.config.attnTypeList.includes(0) ? this.cache.length : 0;
  }

  /** Keeps the first `length` tokens. Where the state can be cut as well, the last one is pending again. */
  truncate(length: number): void {
    if (this.minLength === 0 && length <= this.cache.length) this.cache.resize(Math.max(0, length - 1));
    this.tokens.length = length;
  }

  copy(): Sequence {
    return Sequence.resume(this.transformer, this.tokens, this.cache.copy(), this.random.copy());
  }

  /** Takes in the next `count` pending tokens of every sequence, in one pass. Call inside a scope. */
  static forwardPending(transformer: Transformer, pieces: readonly { sequence: Sequence; count: number }[]): ForwardResult {
    const batch = pieces.map(({ sequence: { cache, tokens }, count }) => ({
      cache,
      ids: tokens.slice(cache.length, cache.length + count),
    }));
    return transformer.forward(batch);
  }

  dispose(): void {
    this.state.dispose();
  }
}
