// Finds the hidden cells that must be mines, given the number of mines in some sets of cells.

/** A set of cells and the number of mines in it. */
export interface MineCount {
  readonly mines: number;
  readonly cells: readonly number[];
}

/**
 * Searches for an arrangement of mines that fulfils all counts, under the cells that are already decided.
 *
 * The search starts from a guess. While a count is wrong, it changes one of the undecided cells of that count. If the guess is mostly
 * right, only cells near the decided ones change.
 */
class Repair {
  private readonly countsOf = new Map<number, number[]>();
  private readonly values: boolean[];
  private readonly decided: boolean[];
  private readonly sums: number[];
  private readonly wrong = new Set<number>();

  constructor(
    private readonly counts: readonly MineCount[],
    guess: readonly boolean[],
  ) {
    this.values = [...guess];
    this.decided = guess.map(() => false);
    this.sums = counts.map(({ cells }) => cells.filter((cell) => guess[cell]).length);
    for (const [k, { cells }] of counts.entries()) {
      for (const cell of cells) this.countsOf.set(cell, [...(this.countsOf.get(cell) ?? []), k]);
      this.note(k);
    }
  }

  /** Decides a cell and repairs all counts. Returns the arrangement, or undefined if there is none. */
  with(cell: number, mine: boolean): readonly boolean[] | undefined {
    const before = this.values[cell]!;
    this.set(cell, mine);
    this.decided[cell] = true;
    const found = this.repair();
    this.decided[cell] = false;
    if (!found) this.set(cell, before);
    return found ? this.values : undefined;
  }

  /** Changes undecided cells until all counts are right. If that is impossible, restores the arrangement and returns false. */
  repair(): boolean {
    // Chooses the wrong count with the fewest cells that may change.
    let best: readonly number[] | undefined;
    for (const k of this.wrong) {
      const missing = this.counts[k]!.mines - this.sums[k]!;
      const changeable = this.counts[k]!.cells.filter((cell) => !this.decided[cell] && this.values[cell] === missing < 0);
      if (changeable.length < Math.abs(missing)) return false;
      if (!best || changeable.length < best.length) best = changeable;
    }
    if (!best) return true;
    // Tries each cell as the first one to change. The cells before it then keep their values.
    let done = false;
    let tried = 0;
    for (const cell of best) {
      tried++;
      this.decided[cell] = true;
      this.set(cell, !this.values[cell]);
      done = this.repair();
      if (done) break;
      this.set(cell, !this.values[cell]);
    }
    for (const cell of best.slice(0, tried)) this.decided[cell] = false;
    return done;
  }

  private set(cell: number, mine: boolean): void {
    if (this.values[cell] === mine) return;
    this.values[cell] = mine;
    for (const k of this.countsOf.get(cell) ?? []) {
      this.sums[k]! += mine ? 1 : -1;
      this.note(k);
    }
  }

  private note(k: number): void {
    if (this.sums[k] === this.counts[k]!.mines) this.wrong.delete(k);
    else this.wrong.add(k);
  }

  get arrangement(): boolean[] {
    return [...this.values];
  }
}

/**
 * Returns an arrangement of mines that fulfils all counts. Returns undefined if there is none.
 *
 * @param size number of cells
 * @param guess whether each cell is probably a mine. A good guess makes the search short
 */
export function arrangement(counts: readonly MineCount[], size: number, guess: readonly boolean[]): readonly boolean[] | undefined {
  const repair = new Repair(
    counts,
    Array.from({ length: size }, (_, cell) => guess[cell] ?? false),
  );
  return repair.repair() ? repair.arrangement : undefined;
}

/**
 * Returns the cells that are mines in every arrangement that fulfils all counts, in ascending order.
 *
 * @param known one arrangement that fulfils all counts
 */
export function minesThatMustBe(counts: readonly MineCount[], known: readonly boolean[]): number[] {
  const counted = new Set(counts.flatMap(({ cells }) => cells));
  const possible = new Set([...counted].filter((cell) => known[cell]));
  const must: number[] = [];
  for (const cell of [...possible].sort((a, b) => a - b)) {
    if (!possible.has(cell)) continue;
    const other = arrangementWithout(cell, counts, known);
    if (!other) must.push(cell);
    // Cells that the other arrangement leaves free of mines are not certain either.
    else for (const one of possible) if (!other[one]) possible.delete(one);
  }
  return must;
}

/**
 * Returns an arrangement that has no mine in `cell`. Returns undefined if every arrangement has a mine there.
 *
 * The search uses only the counts near the cell first, because they usually decide. A search over all counts could try all repairs of one
 * area before it finds that another area cannot be repaired.
 */
function arrangementWithout(cell: number, counts: readonly MineCount[], known: readonly boolean[]): readonly boolean[] | undefined {
  const cells = new Set([cell]);
  let near: readonly MineCount[] = [];
  for (;;) {
    const wider = counts.filter((count) => count.cells.some((one) => cells.has(one)));
    const other = new Repair(wider, known).with(cell, false);
    if (!other) return undefined;
    const right = ({ mines, cells }: MineCount) => cells.filter((one) => other[one]).length === mines;
    if (wider.length === near.length || counts.every(right)) return other;
    near = wider;
    for (const count of near) for (const one of count.cells) cells.add(one);
  }
}
