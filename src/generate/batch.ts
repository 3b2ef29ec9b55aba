import { pause } from "../base/pause.js";
import type { Transformer } from "../model/transformer.js";
import { take } from "../ops/route.js";
import { logSoftmax } from "../ops/softmax.js";
import { slice, type Tensor } from "../runtime/tensor.js";
import { Sequence } from "./sequence.js";

/** Pending tokens of one sequence, to be taken in by the next pass. */
export interface Piece<Result> {
  readonly sequence: Sequence;
  /** How many of them. */
  readonly count: number;
  /** Most tokens of prompts, its own included, in the pass that takes it in. */
  readonly chunk: number;
  /** Withdraws it, as long as no pass has taken it in. */
  readonly signal?: AbortSignal | undefined;
  /**
   * What becomes of the logits and log-probabilities after its last token, `[1, vocab]` each: called within the pass, and only if no
   * token of the sequence is pending any more.
   */
  next?(logits: Tensor, logprobs: Tensor): Result;
}

interface Waiting {
  readonly piece: Piece<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Tokens of prompts that a pass may take in beside sequences under way, if more than one prompt waits: they all wait for each other's. */
const CROWD = 256;

/** Turns of the event loop without anything new, before a pass begins: a server takes in a connection a turn, and reads from it in a later one. */
const TURNS = 3;

/**
 * The passes of one model, which all its generations share: whatever waits when a pass begins goes along with it or, where too much waits, with one of the next. A sequence therefore
 * joins and leaves the running batch at any pass, and one whose tokens nobody asks for is left out.
 *
 * A row's numbers do not depend on the rows beside it, so nobody notices the others but by the time a pass takes.
 */
export class Batch {
  private static readonly all = new WeakMap<Transformer, Batch>();
  private waiting: Waiting[] = [];
  private scheduled = false;
  /** Whether the latest pass was of prompts alone, that single tokens had to wait for. */
  private ahead = false;

  private constructor(private readonly transformer: Transformer) {}

  /** The one of this model. */
  static of(transformer: Transformer): Batch {
    const batch = Batch.all.get(transformer) ?? new Batch(transformer);
    Batch.all.set(transformer, batch);
    return batch;
  }

  /**
   * Takes the piece in with the next pass that has room for it, and gives what `next` made of it. If it fails, the others do not.
   *
   * @throws the signal's reason; {SessionError} a state that cannot be continued; {MemoryError} no room for its state
   */
  step<Result>(piece: Piece<Result>): Promise<Result | undefined> {
    return new Promise<unknown>((resolve, reject) => {
      this.waiting.push({ piece, resolve, reject });
      this.schedule();
    }) as Promise<Result | undefined>;
  }

  private async schedule(): Promise<void> {
    if (this.scheduled) return;
    this.scheduled = true;
    await this.gather();
    this.scheduled = false;
    this.pass(this.choose().filter(hasRoom));
    if (this.waiting.length > 0) void this.schedule();
  }

  /** Waits for what is on its way, up to what a pass has room for: whoever misses a pass waits for all of it. A lone token's pass is too short for that. */
  private async gather(): Promise<void> {
    await pause();
    let tokens = this.count();
    const full = tokens + CROWD;
    for (let quiet = 0; quiet < TURNS && tokens > 1 && tokens < full; ) {
      await pause();
      const before = tokens;
      tokens = this.count();
      quiet = tokens > before ? 0 : quiet + 1;
    }
  }

  /** Tokens that wait, when those that nobody wants any more are gone. */
  private count(): number {
    this.waiting = this.waiting.filter(isWanted);
    return this.waiting.reduce((sum, { piece }) => sum + piece.count, 0);
  }

  /**
   * All single tokens, and of prompts what has waited longest, up to the smallest chunk among them, and beside single tokens up to `CROWD`.
   * More than half a crowd goes ahead alone, and the single tokens with the pass after it: hardly later for them, and sooner for the
   * prompts. The rest waits on.
   */
  private choose(): Waiting[] {
    const singles = this.waiting.filter(({ piece }) => piece.count === 1);
    const prompts: Waiting[] = [];
    let room = singles.length > 0 ? CROWD : Number.POSITIVE_INFINITY;
    let tokens = 0;
    for (const one of this.waiting) {
      const { count, chunk } = one.piece;
      if (count === 1) continue;
      if (tokens > 0 && tokens + count > Math.min(room, chunk)) continue;
      prompts.push(one);
      [tokens, room] = [tokens + count, Math.min(room, chunk)];
    }
    this.ahead = !this.ahead && singles.length > 0 && prompts.length > 1 && tokens > CROWD / 2;
    const chosen = new Set(this.ahead ? prompts : [...singles, ...prompts]);
    const all = this.waiting;
    this.waiting = all.filter((one) => !chosen.has(one));
    return all.filter((one) => chosen.has(one));
  }

  private pass(chosen: readonly Waiting[]): void {
    if (chosen.length === 0) return;
    const { transformer } = this;
    const { rt } = transformer;
    const pieces = chosen.map(({ piece }) => piece);
    try {
      rt.scope(() => {
        const ends = [...pieces.keys()].filter((i) => pieces[i]!.next && pieces[i]!.count === pieces[i]!.sequence.pending);
        const { hidden, last } = Sequence.advance(transformer, pieces);
        if (ends.length === 0) return;
        const rows = ends.map((i) => last[i]!);
        const logits = transformer.logits(take(hidden, rows));
        const logprobs = logSoftmax(logits);
        for (const [row, i] of ends.entries()) {
          const [own, ownLogprobs] = [slice(logits, row, row + 1), slice(logprobs, row, row + 1)];
          attempt(chosen[i]!, ({ piece, resolve }) => resolve(rt.scope(() => piece.next!(own, ownLogprobs))));
        }
      });
      // Settles those without a result; the others are settled already.
      for (const { resolve } of chosen) resolve(undefined);
    } catch (error) {
      for (const { reject } of chosen) reject(error);
    }
  }
}

/** Whether a piece can still be taken in; if not, it fails here, alone. */
function isWanted(waiting: Waiting): boolean {
  return attempt(waiting, ({ piece: { signal, sequence } }) => {
    signal?.throwIfAborted();
    sequence.cache.check();
  });
}

/** Makes room for a piece's state; where there is none, it fails here, alone. */
function hasRoom(waiting: Waiting): boolean {
  return attempt(waiting, ({ piece: { sequence, count } }) => sequence.cache.reserve(count));
}

function attempt(waiting: Waiting, body: (waiting: Waiting) => void): boolean {
  try {
    body(waiting);
    return true;
  } catch (error) {
    waiting.reject(error);
    return false;
  }
}
