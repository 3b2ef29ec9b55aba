// Fills cells with numbers so that no group of cells repeats a number, as in Latin squares, sudoku and similar puzzles.

import type { Random } from "../../base/random.js";
import { shuffle } from "../../base/random-draws.js";

/** A group of cells that must hold different numbers. */
export interface Group {
  readonly cells: readonly number[];
  /**
   * An additional rule of the group. It takes the numbers of the cells, with 0 for a free cell, and returns the numbers that free cells may
   * take, as a bit mask. It returns 0 if the numbers break the rule.
   */
  readonly allowed?: (numbers: readonly number[]) => number;
}

/** A puzzle whose cells take the numbers 1 to `size`. */
export interface NumberCells {
  /** The largest number, at most 30, because sets of numbers are bit masks. */
  readonly size: number;
  /** The groups. Every cell belongs to at least one group. */
  readonly groups: readonly Group[];
  /** The given number of each cell, with 0 for a free cell. By default all cells are free. */
  readonly given?: readonly number[];
}

/** The result of a search. */
export interface Search {
  readonly found: readonly (readonly number[])[];
  /** True if there are no other solutions. False if the search stopped at its limit of solutions or steps, so that there may be others. */
  readonly complete: boolean;
}

/** Maximum number of attempts to place a number. It ends the search within seconds for any puzzle. */
const MAX_STEPS = 3_000_000;

/**
 * Finds up to `limit` ways to fill the cells. The search always continues with the free cell that has the fewest candidates.
 *
 * @param random draws the order in which candidates are tried. By default they are tried in ascending order
 */
export function fillCells({ size, groups, given }: NumberCells, limit: number, random?: Random, maxSteps = MAX_STEPS): Search {
  const groupsOf: number[][] = [];
  for (const [g, { cells }] of groups.entries()) {
    for (const cell of cells) {
      groupsOf[cell] ??= [];
      groupsOf[cell].push(g);
    }
  }
  const all = numbersUpTo(size);
  const numbers = groupsOf.map(() => 0);
  /** For each group, two bit masks: `allowed` holds the numbers that its rule allows, and `used` those that its cells hold. */
  const allowed = groups.map(({ cells, allowed }) => allowed?.(cells.map(() => 0)) ?? all);
  const used = groups.map(() => 0);
  const found: number[][] = [];
  let steps = 0;

  function candidates(cell: number): number {
    let left = all;
    for (const g of groupsOf[cell]!) left &= allowed[g]! & ~used[g]!;
    return left;
  }
  /** Sets a cell. Returns false if a rule is broken. */
  function set(cell: number, number: number): boolean {
    numbers[cell] = number;
    let fits = true;
    for (const g of groupsOf[cell]!) {
      used[g]! |= 1 << number;
      const { cells, allowed: rule } = groups[g]!;
      if (!rule) continue;
      allowed[g] = rule(cells.map((other) => numbers[other]!));
      fits &&= allowed[g] !== 0;
    }
    return fits;
  }
  /** Fills the remaining cells. Returns false if the search has to stop. */
  function continueSearch(): boolean {
    let next = -1;
    let nextCandidates = 0;
    let fewest = size + 1;
    for (let cell = 0; cell < numbers.length && fewest > 1; cell++) {
      if (numbers[cell] !== 0) continue;
      const left = candidates(cell);
      const count = bitCount(left);
      if (count >= fewest) continue;
      next = cell;
      nextCandidates = left;
      fewest = count;
    }
    if (next < 0) {
      found.push([...numbers]);
      return found.length < limit;
    }
    const before = groupsOf[next]!.map((g) => allowed[g]!);
    const order = membersOf(nextCandidates);
    for (const number of random ? shuffle(random, order) : order) {
      if (++steps > maxSteps) return false;
      const goOn = !set(next, number) || continueSearch();
      for (const [i, g] of groupsOf[next]!.entries()) {
        used[g]! &= ~(1 << number);
        allowed[g] = before[i]!;
      }
      numbers[next] = 0;
      if (!goOn) return false;
    }
    return true;
  }

  for (const [cell, number] of (given ?? []).entries()) {
    if (number === 0) continue;
    const fits = number <= size && (candidates(cell) >> number) & 1 && set(cell, number);
    if (!fits) return { found, complete: true };
  }
  const complete = continueSearch();
  return { found, complete };
}

/** The bit mask of the numbers 1 to `size`. */
export const numbersUpTo = (size: number) => (2 << size) - 2;

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function membersOf(mask: number): number[] {
  const members: number[] = [];
  for (let number = 1; mask >> number !== 0; number++) if ((mask >> number) & 1) members.push(number);
  return members;
}
