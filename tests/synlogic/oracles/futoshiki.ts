import type { Random } from "../../../src/base/random.js";
import type { Row } from "../../../src/synlogic/index.js";
import type { Oracle } from "../oracle.js";
import { type Grid, isLatin, latinSquares } from "./latin-squares.js";

const pick = <Item>(random: Random, items: readonly Item[]) => items[Math.floor(random.next() * items.length)]!;

/** Reads everything from the question: lines such as `X 2 X`, and lines such as `(1,2) < (1,3)`. */
function parse(question: string) {
  const given = [...question.matchAll(/^(?:[X\d] )+[X\d]$/gm)].map(([line]) => line.split(" "));
  const signs = [...question.matchAll(/^\((\d),(\d)\) ([<>]) \((\d),(\d)\)$/gm)].map(([, a, b, sign, c, d]) => {
    const cells = [
      [Number(a), Number(b)],
      [Number(c), Number(d)],
    ];
    return sign === "<" ? cells : cells.reverse();
  });
  const at = (grid: Grid, [i, j]: readonly number[]) => grid[i! - 1]![j! - 1]!;
  const right = (grid: Grid) =>
    isLatin(grid) &&
    given.every((line, i) => line.every((entry, j) => entry === "X" || entry === String(grid[i]![j]))) &&
    signs.every(([small, large]) => at(grid, small!) < at(grid, large!));
  return { size: given.length, right };
}

const solutions = (row: Row) => {
  const { size, right } = parse(row.question);
  return latinSquares(size).filter(right);
};

export const oracle: Oracle = {
  unique: false,
  candidate(row, random) {
    const { size, right } = parse(row.question);
    const all = latinSquares(size);
    const grid = pick(random, random.next() < 0.3 ? all : all.filter(right)).map((line) => [...line]);
    const change = random.next();
    const [a, b] = [pick(random, grid), pick(random, grid)];
    if (change < 0.2) a[Math.floor(random.next() * size)] = 1 + Math.floor(random.next() * (size + 1));
    else if (change < 0.4) for (let j = 0; j < size; j++) [a[j], b[j]] = [b[j]!, a[j]!];
    return { text: `[[${grid.map((line) => line.join(" ")).join(",")}]]`, right: right(grid) };
  },
  solutions: (row) => solutions(row).length,
};
