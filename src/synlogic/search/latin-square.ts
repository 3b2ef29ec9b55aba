// Latin squares: n rows and n columns, each of which holds the numbers 1 to n once.

import type { Random } from "../../base/random.js";
import { fillCells, type Group } from "./all-different.js";

/** Returns the rows and then the columns of a square as groups. Cells are numbered in reading order. */
export function rowsAndColumns(size: number): Group[] {
  const counting = Array.from({ length: size }, (_, i) => i);
  const rows = counting.map((i) => ({ cells: counting.map((j) => i * size + j) }));
  const columns = counting.map((j) => ({ cells: counting.map((i) => i * size + j) }));
  return [...rows, ...columns];
}

/** Draws a Latin square. Every square can be drawn, but not all with the same probability. */
export function randomLatinSquare(random: Random, size: number): number[][] {
  return squareOf(fillCells({ size, groups: rowsAndColumns(size) }, 1, random).found[0]!);
}

/**
 * Maximum number of search steps for one test of uniqueness. Beyond it, another puzzle is drawn instead of searching this one to the end.
 */
const MAX_UNIQUENESS_STEPS = 200_000;

/** Whether the groups have exactly one solution, as far as a limited search can tell. */
export function hasOneSolution(size: number, groups: readonly Group[]): boolean {
  const { found, complete } = fillCells({ size, groups }, 2, undefined, MAX_UNIQUENESS_STEPS);
  return complete && found.length === 1;
}

/** Splits cells in reading order into the rows of a square. */
export function squareOf<Cell>(cells: readonly Cell[]): Cell[][] {
  const size = Math.sqrt(cells.length);
  return Array.from({ length: size }, (_, i) => cells.slice(i * size, (i + 1) * size));
}

/** Describes the first fault of a square of numbers. Returns undefined if it is a Latin square. */
export function latinSquareFault(grid: readonly (readonly number[])[]): string | undefined {
  const size = grid.length;
  for (const [i, row] of grid.entries()) {
    const outside = row.findIndex((number) => number < 1 || number > size);
    if (outside >= 0) return `row ${i + 1} holds ${row[outside]}, which is not from 1 to ${size}`;
  }
  const columns = grid.map((_, j) => grid.map((row) => row[j]!));
  for (const [name, lines] of [["row", grid] as const, ["column", columns] as const]) {
    for (const [i, line] of lines.entries()) {
      const repeated = line.find((number, j) => line.indexOf(number) < j);
      if (repeated !== undefined) return `${name} ${i + 1} repeats ${repeated}`;
    }
  }
  return undefined;
}
