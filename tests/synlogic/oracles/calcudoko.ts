import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";
import { type Grid, isLatin, latinSquares } from "./latin-squares.js";

type Region = { readonly cells: readonly string[]; readonly target: number; readonly operator: string };
type Puzzle = { readonly grid_size: number; readonly regions: readonly Region[] };

const pick = <Item>(random: Random, items: readonly Item[]) => items[Math.floor(random.next() * items.length)]!;

function holds(grid: Grid, { cells, target, operator }: Region): boolean {
  const numbers = cells.map((cell) => {
    const [i, j] = cell.slice(1, -1).split(",").map(Number);
    return grid[i! - 1]![j! - 1]!;
  });
  if (new Set(numbers).size < numbers.length) return false;
  const [a, b] = numbers;
  switch (operator) {
    case "+":
      return numbers.reduce((x, y) => x + y) === target;
    case "*":
      return numbers.reduce((x, y) => x * y) === target;
    case "-":
      return numbers.length === 2 && (a! - b! === target || b! - a! === target);
    default:
      return numbers.length === 2 && (a! * target === b || b! * target === a);
  }
}

const right = (grid: Grid, { regions }: Puzzle) => isLatin(grid) && regions.every((region) => holds(grid, region));

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const puzzle = row.metadata as unknown as Puzzle;
    const squares = latinSquares(puzzle.grid_size);
    const solution = squares.find((square) => right(square, puzzle))!;
    const grid = (random.next() < 0.2 ? pick(random, squares) : solution).map((line) => [...line]);
    const change = random.next();
    const [a, b] = [pick(random, grid), pick(random, grid)];
    const j = Math.floor(random.next() * puzzle.grid_size);
    if (change < 0.2) [a[j], b[j]] = [b[j]!, a[j]!];
    else if (change < 0.4) a[j] = 1 + Math.floor(random.next() * puzzle.grid_size);
    else if (change < 0.5) grid.reverse();
    return { text: `[[${grid.map((line) => line.join(" ")).join(",")}]]`, right: right(grid, puzzle) };
  },
  solutions(row) {
    const puzzle = row.metadata as unknown as Puzzle;
    return latinSquares(puzzle.grid_size).filter((square) => right(square, puzzle)).length;
  },
};
