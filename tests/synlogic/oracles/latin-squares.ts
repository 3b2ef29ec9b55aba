/** A square of numbers. */
export type Grid = readonly (readonly number[])[];

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}

const known = new Map<number, readonly Grid[]>();

/** All Latin squares, row by row from permutations. There are 12 of size 3 and 576 of size 4. */
export function latinSquares(size: number): readonly Grid[] {
  const squares = known.get(size);
  if (squares) return squares;
  const rows = permutations(Array.from({ length: size }, (_, i) => i + 1));
  const extend = (grid: Grid): Grid[] =>
    grid.length === size
      ? [grid]
      : rows.filter((row) => grid.every((other) => other.every((number, j) => number !== row[j]))).flatMap((row) => extend([...grid, row]));
  const found = extend([]);
  known.set(size, found);
  return found;
}

/** Whether every row and every column holds every number. */
export function isLatin(grid: Grid): boolean {
  const numbers = grid.map((_, i) => i + 1);
  const lines = [...grid, ...numbers.map((j) => grid.map((row) => row[j - 1]!))];
  return lines.every((line) => numbers.every((number) => line.includes(number)));
}
