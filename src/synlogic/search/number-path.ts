// Paths of consecutive numbers through the cells of a grid.

import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice } from "../../base/random-draws.js";
import { type Cell, neighbours } from "./cells.js";

/** A grid with some known numbers. 0 is an empty cell. */
export type PartialPath = readonly (readonly number[])[];

/** Number of backbite moves per cell. It is more than enough to remove every trace of the initial snake. */
const MOVES_PER_CELL = 30;

/**
 * Draws a path through all cells of a square. The path starts as a snake and is changed by many backbite moves. A backbite move joins an
 * end of the path to a neighbouring cell and removes the edge that closes the cycle.
 */
export function drawPath(random: Random, n: number): number[][] {
  const grid = Array.from({ length: n }, () => Array.from({ length: n }, () => 0));
  const path: Cell[] = grid.flatMap((row, i) => row.map((_, j): Cell => [i, i % 2 === 0 ? j : n - 1 - j]));
  const renumber = (from: number, to: number) => {
    for (let k = from; k < to; k++) grid[path[k]![0]]![path[k]![1]] = k + 1;
  };
  renumber(0, path.length);
  for (let move = 0; move < MOVES_PER_CELL * path.length; move++) {
    const atBegin = randomBoolean(random);
    const [i, j] = randomChoice(random, neighbours(grid, atBegin ? path[0]! : path.at(-1)!));
    const other = grid[i]![j]! - 1;
    // The part of the path between the end and the new neighbour is reversed.
    const [from, to] = atBegin ? [0, other] : [other + 1, path.length];
    for (let a = from, b = to - 1; a < b; a++, b--) [path[a], path[b]] = [path[b]!, path[a]!];
    renumber(from, to);
  }
  return grid;
}

/** A gap between two known numbers, whose numbers in between are missing. */
interface Gap {
  readonly from: Cell;
  readonly to: Cell;
  /** The known number before the gap. */
  readonly first: number;
  /** Number of missing numbers. */
  readonly missing: number;
}

/** Maximum number of ways through a gap that are listed. The search continues with the gap that has the fewest. */
const MOST_WAYS = 40;
/** Maximum number of search steps for the ways through one gap. Beyond it, the gap counts as having too many ways. */
const MOST_GAP_STEPS = 4000;
/** Maximum number of steps of the whole search (about one second). */
const MOST_STEPS = 2_000_000;

/**
 * Completes a path from 1 to the number of cells. Both of these numbers must be known.
 *
 * The search always continues with the gap that has the fewest ways through it. It backtracks if an empty cell lies on no way. It calls
 * `found` with each solution until the callback returns true.
 *
 * @returns true if the callback ended the search. False if there are no further solutions, or if the search took too many steps
 */
export function completePath(known: PartialPath, found: (grid: readonly (readonly number[])[]) => boolean): boolean {
  const grid = known.map((row) => [...row]);
  const set = ([i, j]: Cell, value: number) => {
    grid[i]![j] = value;
  };
  const isEmpty = ([i, j]: Cell) => grid[i]![j] === 0;
  let steps = 0;

  /** Returns the ways through a gap, each as a list of cells. Returns undefined if there are too many. */
  function ways({ from, to, missing }: Gap): Cell[][] | undefined {
    const all: Cell[][] = [];
    const end = Math.min(steps + MOST_GAP_STEPS, MOST_STEPS);
    const walk = (cell: Cell, way: Cell[]): boolean => {
      if (++steps > end || all.length > MOST_WAYS) return false;
      const left = missing - way.length;
      if (Math.abs(cell[0] - to[0]) + Math.abs(cell[1] - to[1]) > left + 1) return true;
      if (left === 0) {
        all.push([...way]);
        return true;
      }
      return neighbours(grid, cell)
        .filter((next) => isEmpty(next))
        .every((next) => {
          set(next, -1);
          way.push(next);
          const complete = walk(next, way);
          way.pop();
          set(next, 0);
          return complete;
        });
    };
    return walk(from, []) ? all : undefined;
  }

  function search(gaps: readonly Gap[]): boolean {
    if (gaps.length === 0) return !grid.flat().includes(0) && found(grid);
    const open = gaps.map((gap) => ({ gap, through: ways(gap) }));
    const best = open.reduce((a, b) =>
      (b.through?.length ?? Number.POSITIVE_INFINITY) < (a.through?.length ?? Number.POSITIVE_INFINITY) ? b : a,
    );
    if (open.every(({ through }) => through)) {
      const reached = new Set(open.flatMap(({ through }) => through!.flat()).map(String));
      if (grid.some((row, i) => row.some((value, j) => value === 0 && !reached.has(String([i, j]))))) return false;
    }
    const rest = gaps.filter((gap) => gap !== best.gap);
    for (const way of best.through ?? longWays(best.gap)) {
      if (steps > MOST_STEPS) return false;
      for (const [k, cell] of way.entries()) set(cell, best.gap.first + 1 + k);
      if (search(rest)) return true;
      for (const cell of way) set(cell, 0);
    }
    return false;
  }

  /** Yields the ways through a gap one by one, for gaps with too many ways to list. */
  function* longWays({ from, to, missing }: Gap, way: readonly Cell[] = []): Generator<readonly Cell[]> {
    const cell = way.at(-1) ?? from;
    const left = missing - way.length;
    if (++steps > MOST_STEPS || Math.abs(cell[0] - to[0]) + Math.abs(cell[1] - to[1]) > left + 1) return;
    if (left === 0) yield way;
    else {
      for (const next of neighbours(grid, cell)) {
        if (isEmpty(next) && !way.some(([i, j]) => i === next[0] && j === next[1]))
          yield* longWays({ from, to, missing, first: 0 }, [...way, next]);
      }
    }
  }

  return search(gapsOf(known));
}

/** Returns the gaps between the known numbers. */
function gapsOf(known: PartialPath): Gap[] {
  const cellOf = new Map<number, Cell>();
  for (const [i, row] of known.entries()) for (const [j, value] of row.entries()) if (value > 0) cellOf.set(value, [i, j]);
  const numbers = [...cellOf.keys()].sort((a, b) => a - b);
  return numbers.slice(1).flatMap((number, k) => {
    const first = numbers[k]!;
    return number > first + 1 ? [{ from: cellOf.get(first)!, to: cellOf.get(number)!, first, missing: number - first - 1 }] : [];
  });
}
