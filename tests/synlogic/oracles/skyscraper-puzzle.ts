import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";
import { type Grid, isLatin, latinSquares } from "./latin-squares.js";

type Clues = { readonly [side in "top" | "bottom" | "left" | "right"]: readonly number[] };

const pick = <Item>(random: Random, items: readonly Item[]) => items[Math.floor(random.next() * items.length)]!;

/** A building is visible if no other one before it is at least as high. */
const seen = (line: readonly number[]) => line.filter((height, i) => line.slice(0, i).every((before) => before < height)).length;

function right(grid: Grid, { top, bottom, left, right }: Clues): boolean {
  const column = (j: number) => grid.map((row) => row[j]!);
  return (
    isLatin(grid) &&
    grid.every((row, i) => seen(row) === left[i] && seen(row.toReversed()) === right[i]) &&
    grid.every((_, j) => seen(column(j)) === top[j] && seen(column(j).reverse()) === bottom[j])
  );
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const clues = row.metadata as unknown as Clues;
    const all = latinSquares(clues.top.length);
    const solution = all.find((grid) => right(grid, clues))!;
    const grid = (random.next() < 0.3 ? pick(random, all) : solution).map((line) => [...line]);
    const change = random.next();
    const [a, b] = [pick(random, grid), pick(random, grid)];
    const j = Math.floor(random.next() * grid.length);
    if (change < 0.2) [a[j], b[j]] = [b[j]!, a[j]!];
    else if (change < 0.3) a[j] = Math.floor(random.next() * (grid.length + 2));
    else if (change < 0.4) grid.reverse();
    else if (change < 0.45) for (const line of grid) line.reverse();
    return { text: `\`\`\`python\n${JSON.stringify(grid)}\n\`\`\``, right: right(grid, clues) };
  },
  solutions(row) {
    const clues = row.metadata as unknown as Clues;
    return latinSquares(clues.top.length).filter((grid) => right(grid, clues)).length;
  },
};
