import type { Random } from "../../base/random.js";
import { randomChoice } from "../../base/random-draws.js";

/** Returns all orders of some symbols. */
export function permutations(symbols: readonly string[]): string[][] {
  if (symbols.length === 0) return [[]];
  return symbols.flatMap((symbol, index) => permutations(symbols.toSpliced(index, 1)).map((rest) => [symbol, ...rest]));
}

/** Returns all Latin squares of some symbols, as cells in row-major order. There are 12 for three symbols, and 576 for four. */
function latinSquares(symbols: string): string[][] {
  const orders = permutations([...symbols]);
  const extend = (rows: readonly (readonly string[])[]): string[][] => {
    if (rows.length === symbols.length) return [rows.flat()];
    const next = orders.filter((order) => rows.every((row) => row.every((symbol, column) => symbol !== order[column])));
    return next.flatMap((order) => extend([...rows, order]));
  };
  return extend([]);
}

const squaresOf = new Map<string, readonly (readonly string[])[]>();

/** Returns all Latin squares of some symbols. They are computed once. */
function allSquares(symbols: string): readonly (readonly string[])[] {
  let squares = squaresOf.get(symbols);
  if (!squares) {
    squares = latinSquares(symbols);
    squaresOf.set(symbols, squares);
  }
  return squares;
}

/** Draws a Latin square of some symbols. All squares have the same probability. */
export const drawLatinSquare = (random: Random, symbols: string) => randomChoice(random, allSquares(symbols));

/**
 * Counts the cells that rows and columns alone do not determine. These are the cells on which the completions of a partly filled Latin
 * square differ.
 */
export function countOpen(cells: readonly string[], symbols: string): number {
  const known = [...cells.keys()].filter((cell) => symbols.includes(cells[cell]!));
  const completions = allSquares(symbols).filter((square) => known.every((cell) => square[cell] === cells[cell]));
  return cells.filter((_, cell) => completions.some((square) => square[cell] !== completions[0]![cell])).length;
}

/**
 * Returns the groups of four cells, in two rows and two columns, that hold only two symbols. If such a group is blank, rows and columns
 * alone do not determine it.
 */
export function subsquares(cells: readonly string[], size: number): number[][] {
  const pairs = Array.from({ length: size }, (_, first) =>
    Array.from({ length: size - first - 1 }, (_, index) => [first, first + 1 + index] as const),
  ).flat();
  const corners = pairs.flatMap(([top, bottom]) =>
    pairs.map(([left, right]) => [top * size + left, top * size + right, bottom * size + left, bottom * size + right]),
  );
  return corners.filter((corner) => new Set(corner.map((cell) => cells[cell])).size === 2);
}
