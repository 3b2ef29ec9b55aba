import type { Transformer } from "../model/transformer.js";
import { take } from "../ops/route.js";
import { logSoftmax } from "../ops/softmax.js";
import { pause } from "../runtime/pause.js";
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
const CROWD = 128;

/**
 * The passes of one model, which all its generations share: whatever waits when a pass begins goes along. A sequence therefore
 * joins and leaves the running batch at any pass, and one whose tokens nobody asks for is left out.
 *
 * A row's numbers do not depend on the rows beside it, so nobody notices the others but by the time a pass takes.
 */
export class Batch {
  private static readonly all = new WeakMap<Transformer, Batch>();
  private waiting: Waiting[] = [];
  private scheduled = false;

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
    await pause();
    this.scheduled = false;
    this.waiting = this.waiting.filter(isWanted);
    this.pass(this.choose().filter(hasRoom));
    if (this.waiting.length > 0) void this.schedule();
  }

  /** All single tokens, and of prompts what has waited longest, up to the smallest chunk among them, and beside single tokens up to `CROWD`. The rest waits on. */
  private choose(): Waiting[] {
    let room = this.waiting.some(({ piece }) => piece.count === 1) ? CROWD : Number.POSITIVE_INFINITY;
    let tokens = 0;
    const left: Waiting[] = [];
    const chosen = this.waiting.filter((one) => {
      const { count, chunk } = one.piece;
      if (count === 1) return true;
      const fits = tokens === 0 || tokens + count <= Math.min(room, chunk);
      if (fits) [tokens, room] = [tokens + count, Math.min(room, chunk)];
      else left.push(one);
      return fits;
    });
    this.waiting = left;
    return chosen;
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
