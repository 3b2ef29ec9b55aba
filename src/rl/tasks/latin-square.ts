import type { Random } from "../../base/random.js";
import { randomChoice } from "../../base/random-draws.js";

/** All orders of some symbols. */
export function permutations(symbols: readonly string[]): string[][] {
  if (symbols.length === 0) return [[]];
  return symbols.flatMap((symbol, index) => permutations(symbols.toSpliced(index, 1)).map((rest) => [symbol, ...rest]));
}

/** All squares without a repeated symbol in a row or column, as cells in row-major order: 12 of three symbols, 576 of four. */
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

/** All Latin squares of some symbols, made once. */
function allSquares(symbols: string): readonly (readonly string[])[] {
  let squares = squaresOf.get(symbols);
  if (!squares) {
    squares = latinSquares(symbols);
    squaresOf.set(symbols, squares);
  }
  return squares;
}

/** Draws one of all Latin squares of some symbols, each with the same probability. */
export const drawLatinSquare = (random: Random, symbols: string) => randomChoice(random, allSquares(symbols));

/** Counts the cells that rows and columns alone leave open: those on which the completions of a partly filled Latin square differ. */
export function countOpen(cells: readonly string[], symbols: string): number {
  const known = [...cells.keys()].filter((cell) => symbols.includes(cells[cell]!));
  const completions = allSquares(symbols).filter((square) => known.every((cell) => square[cell] === cells[cell]));
  return cells.filter((_, cell) => completions.some((square) => square[cell] !== completions[0]![cell])).length;
}

/** The cells of two rows and two columns that hold two symbols only. If they are blank, rows and columns alone leave them open. */
export function subsquares(cells: readonly string[], size: number): number[][] {
  const pairs = Array.from({ length: size }, (_, first) =>
    Array.from({ length: size - first - 1 }, (_, index) => [first, first + 1 + index] as const),
  ).flat();
  const corners = pairs.flatMap(([top, bottom]) =>
    pairs.map(([left, right]) => [top * size + left, top * size + right, bottom * size + left, bottom * size + right]),
  );
  return corners.filter((corner) => new Set(corner.map((cell) => cells[cell])).size === 2);
}
