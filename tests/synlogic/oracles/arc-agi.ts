import type { Oracle } from "../oracle.js";

type Grid = number[][];
interface Pair {
  readonly input: Grid;
  readonly output: Grid;
}

/** Builds a grid cell by cell. */
const build = (height: number, width: number, cell: (i: number, j: number) => number): Grid =>
  Array.from({ length: height }, (_, i) => Array.from({ length: width }, (_, j) => cell(i, j)));

/** Each rule as a formula for the output cell in row i, column j of an input g with h rows and w columns. */
const RULES: ((g: Grid, h: number, w: number) => Grid)[] = [
  (g, h, w) => build(h, w, (i, j) => g[i]![w - 1 - j]!),
  (g, h, w) => build(h, w, (i, j) => g[h - 1 - i]![j]!),
  (g, h, w) => build(w, h, (i, j) => g[j]![i]!),
  (g, h, w) => build(w, h, (i, j) => g[h - 1 - j]![i]!),
  (g, h, w) =>
    build(h, w, (i, j) => {
      const colors = g.map((row) => row[j]!).filter((color) => color > 0);
      return colors[i - (h - colors.length)] ?? 0;
    }),
  (g, h, w) => build(h, w, (i, j) => [0, 2, 1][g[i]![j]!] ?? g[i]![j]!),
  (g, h, w) => build(2 * h, 2 * w, (i, j) => g[i >> 1]![j >> 1]!),
  (g, h, w) => build(h >> 1, w, (i, j) => g[i]![j]!),
  (g, h, w) => build(h + 2, w + 2, (i, j) => g[i - 1]?.[j - 1] ?? 1),
  (g, h, w) => build(h, w, (i, j) => g[i]![(j + w - 1) % w]!),
];

/** The outputs of all rules that explain the examples. */
function outputs({ train, test }: { readonly train: readonly Pair[]; readonly test: readonly Pair[] }): string[] {
  const apply = (rule: (typeof RULES)[0], g: Grid) => JSON.stringify(rule(g, g.length, g[0]!.length));
  const fitting = RULES.filter((rule) => train.every(({ input, output }) => apply(rule, input) === JSON.stringify(output)));
  return [...new Set(fitting.map((rule) => apply(rule, test[0]!.input)))];
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const puzzle = row.metadata as unknown as { train: Pair[]; test: Pair[] };
    const [truth] = outputs(puzzle);
    const grid = structuredClone(puzzle.test[0]!.output);
    const kind = random.next();
    const i = Math.floor(random.next() * grid.length);
    if (kind < 0.3) grid[i]![Math.floor(random.next() * grid[i]!.length)] = Math.floor(random.next() * 4);
    else if (kind < 0.5) [grid[0], grid[i]] = [grid[i]!, grid[0]!];
    else if (kind < 0.6) grid.pop();
    else if (kind < 0.7) grid[i]!.pop();
    return { text: `\`\`\`json\n${JSON.stringify(grid)}\n\`\`\``, right: JSON.stringify(grid) === truth };
  },
  solutions: (row) => outputs(row.metadata as unknown as { train: Pair[]; test: Pair[] }).length,
};
