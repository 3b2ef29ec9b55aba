import { formatBytes, MemoryError } from "../base/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";
import type { PendingRead, PendingReads } from "./pending-reads.js";
import { matrixShape } from "./stored-rows.js";
import { packMatrix, rowBytes, type StreamedMatrix, sizesOf } from "./streamed-matrix.js";

/** A streamed matrix and its state in memory: absent, being read, or packed into panels. */
export interface CachedMatrix extends StreamedMatrix {
  /** Size in bytes, as stored and as a packed tensor. */
  readonly storedBytes: number;
  readonly heldBytes: number;
  /** The read in progress. Undefined at all other times. */
  pendingRead: PendingRead | undefined;
  /** The packed matrix. Undefined if it is not in memory. */
  tensor: Tensor | undefined;
  /** Number of scopes that currently use the matrix. */
  pins: number;
  /** Time of the last use, as the number of uses of all matrices until then. */
  lastUse: number;
}

export function cachedMatrix(matrix: StreamedMatrix): CachedMatrix {
  return { ...matrix, ...sizesOf(matrix), pendingRead: undefined, tensor: undefined, pins: 0, lastUse: 0 };
}

/**
 * Holds streamed matrices in memory, within a budget.
 *
 * Matrices are evicted in this order:
 *
 * 1. Experts, the least recently used one first.
 *
 * 2. Matrices that every forward pass needs, the most recently used one first. The next pass uses them in the same order, so evicting the
 * least recently used one would always evict the one that is needed next.
 *
 * 3. Matrices that were read ahead, the last one first. They are evicted only to make room for a matrix that is needed at once.
 */
export class MatrixCache {
  /** The matrices that take memory, in the order in which their reads began. */
  private readonly present = new Set<CachedMatrix>();
  /** Matrices that were read ahead and not used yet. */
  private readonly readAhead = new Set<CachedMatrix>();
  private usedBytes = 0;

  constructor(
    private readonly rt: Runtime,
    private readonly pendingReads: PendingReads,
    readonly budgetBytes: number,
    private readonly checkNaN: boolean,
  ) {}

  /** Number of matrices that were read ahead and not used yet. */
  get readAheadCount(): number {
    return this.readAhead.size;
  }

  /** Whether a matrix can be used without waiting. */
  isHere({ tensor, pendingRead }: CachedMatrix): boolean {
    return tensor !== undefined || (pendingRead !== undefined && this.pendingReads.isComplete(pendingRead));
  }

  /** Starts to read a matrix that is needed at once. @throws {MemoryError} the budget is too small */
  read(matrix: CachedMatrix): void {
    this.makeRoom(matrix.spec.name, matrix.storedBytes + matrix.heldBytes);
    this.begin(matrix);
  }

  /**
   * Starts to read a matrix ahead of time, unless this would evict another matrix that was read ahead. @returns whether the read started
   */
  tryReadAhead(matrix: CachedMatrix): boolean {
    if (!this.evictFor(matrix.storedBytes + matrix.heldBytes, false)) return false;
    this.begin(matrix);
    this.readAhead.add(matrix);
    return true;
  }

  /** Removes the protection from eviction that a matrix has because it was read ahead. */
  unprotect(matrix: CachedMatrix): void {
    this.readAhead.delete(matrix);
  }

  /** Removes the protection of all experts that were read ahead. */
  unprotectExperts(): void {
    for (const matrix of this.readAhead) if (matrix.expert) this.readAhead.delete(matrix);
  }

  /**
   * Waits for a matrix that is being read, and packs it.
   *
   * @param retry whether to read again after an error, because a read that began early may have failed long ago
   */
  finish(matrix: CachedMatrix, pendingRead: PendingRead, retry: boolean): void {
    matrix.pendingRead = undefined;
    try {
      matrix.tensor = this.pendingReads.take(pendingRead, (raw) => packMatrix(matrix, raw, this.checkNaN));
    } catch (error) {
      this.present.delete(matrix);
      this.usedBytes -= matrix.heldBytes;
      if (!retry) throw error;
    } finally {
      this.usedBytes -= matrix.storedBytes;
    }
    if (matrix.tensor) return;
    this.read(matrix);
    this.finish(matrix, matrix.pendingRead!, false);
  }

  /** Reserves a part of the budget, and evicts unused matrices to make room. @throws {MemoryError} the budget is too small */
  reserve(name: string, bytes: number): void {
    this.makeRoom(name, bytes);
    this.usedBytes += bytes;
  }

  /** Returns a part of the budget that `reserve` took. */
  free(bytes: number): void {
    this.usedBytes -= bytes;
  }

  private begin(matrix: CachedMatrix): void {
    const { file, begin, storedBytes, heldBytes, spec } = matrix;
    const [rows] = matrixShape(spec.shape);
    matrix.pendingRead = this.pendingReads.begin(file, [[begin, begin + rows * rowBytes(spec)]]);
    this.usedBytes += storedBytes + heldBytes;
    this.present.add(matrix);
  }

  private makeRoom(name: string, bytes: number): void {
    if (this.evictFor(bytes, true)) return;
    const [needed, used, budget] = [bytes, this.usedBytes, this.budgetBytes].map(formatBytes);
    throw new MemoryError(`${name}: needs ${needed} while ${used} are in use, and the budget is ${budget}. Set a larger budgetBytes.`);
  }

  /**
   * Evicts matrices until `bytes` fit. @param evictReadAhead whether matrices that were read ahead may be evicted @returns whether `bytes`
   * fit
   */
  private evictFor(bytes: number, evictReadAhead: boolean): boolean {
    while (this.usedBytes + bytes > this.budgetBytes) if (!this.evictOne(evictReadAhead)) return false;
    return true;
  }

  /** Evicts one matrix that no scope uses. @returns whether there was one */
  private evictOne(evictReadAhead: boolean): boolean {
    let chosen: CachedMatrix | undefined;
    for (const matrix of this.present) {
      if (matrix.pins > 0 || (this.readAhead.has(matrix) && !evictReadAhead)) continue;
      if (!chosen || this.isEvictedBefore(matrix, chosen)) chosen = matrix;
    }
    if (!chosen) return false;
    const { tensor, pendingRead, storedBytes, heldBytes } = chosen;
    if (tensor) this.rt.release(tensor);
    if (pendingRead) this.pendingReads.discard(pendingRead);
    this.usedBytes -= heldBytes + (pendingRead ? storedBytes : 0);
    chosen.tensor = undefined;
    chosen.pendingRead = undefined;
    this.present.delete(chosen);
    this.readAhead.delete(chosen);
    return true;
  }

  /** Whether `one` is evicted before `other`, whose read began earlier. */
  private isEvictedBefore(one: CachedMatrix, other: CachedMatrix): boolean {
    const [ahead, otherAhead] = [this.readAhead.has(one), this.readAhead.has(other)];
    if (ahead || otherAhead) return otherAhead;
    if (one.expert !== other.expert) return one.expert;
    return one.expert ? one.lastUse < other.lastUse : one.lastUse > other.lastUse;
  }
}
