import type { Random } from "../../../src/base/random.js";
import type { Row } from "../../../src/synlogic/index.js";
import type { Oracle } from "../oracle.js";

const pick = <Item>(random: Random, items: readonly Item[]) => items[Math.floor(random.next() * items.length)]!;

/** The board as it stands in the question, as one string for each row. */
const boardOf = (row: Row) => row.question.split("\n").filter((line) => /^(?:[1-4X]{4}|[1-9X]{9})$/.test(line));

/** Every line and box, as a list of cells. */
function units(size: number): [number, number][][] {
  const side = Math.sqrt(size);
  const all = Array.from({ length: size }, (_, i) => i);
  return all.flatMap((a): [number, number][][] => [
    all.map((b) => [a, b]),
    all.map((b) => [b, a]),
    all.map((b) => [side * Math.floor(a / side) + Math.floor(b / side), side * (a % side) + (b % side)]),
  ]);
}

function right(grid: readonly (readonly number[])[], board: readonly string[]): boolean {
  const size = board.length;
  const numbers = Array.from({ length: size }, (_, i) => i + 1);
  const complete = units(size).every((unit) => numbers.every((number) => unit.some(([i, j]) => grid[i]![j] === number)));
  return complete && board.every((line, i) => [...line].every((char, j) => char === "X" || Number(char) === grid[i]![j]));
}

/** All ways to fill a board, from the first X on. */
function solve(board: readonly string[]): string[][] {
  const i = board.findIndex((line) => line.includes("X"));
  if (i < 0) return [[...board]];
  const j = board[i]!.indexOf("X");
  const near = units(board.length).filter((unit) => unit.some(([a, b]) => a === i && b === j));
  const taken = new Set(near.flat().map(([a, b]) => board[a]![b]!));
  return Array.from({ length: board.length }, (_, k) => String(k + 1))
    .filter((digit) => !taken.has(digit))
    .flatMap((digit) => solve(board.map((line, a) => (a === i ? line.replace("X", digit) : line))));
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const board = boardOf(row);
    const grid = solve(board)[0]!.map((line) => [...line].map(Number));
    const [a, b] = [pick(random, grid), pick(random, grid)];
    const j = Math.floor(random.next() * grid.length);
    const change = random.next();
    if (change < 0.2) a[j] = Math.floor(random.next() * (grid.length + 2));
    else if (change < 0.4) [a[j], b[j]] = [b[j]!, a[j]!];
    else if (change < 0.5) for (let k = 0; k < grid.length; k++) [a[k], b[k]] = [b[k]!, a[k]!];
    else if (change < 0.55) grid.pop();
    const tuple = `(${grid.map((line) => `(${line.join(",")})`).join(",")})`;
    return { text: `\`\`\`python\n${tuple}\n\`\`\``, right: grid.length === board.length && right(grid, board) };
  },
  solutions: (row) => solve(boardOf(row)).length,
};
