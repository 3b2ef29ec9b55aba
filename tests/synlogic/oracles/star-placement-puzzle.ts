import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

type Star = readonly [row: number, column: number];
type Puzzle = { readonly n: number; readonly region_grid: readonly (readonly string[])[] };

const pick = <Item>(random: Random, items: readonly Item[]) => items[Math.floor(random.next() * items.length)]!;

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}

/** One star for each row and column, of which no two are within one step in both directions, all in different regions. */
function solutions({ n, region_grid }: Puzzle): Star[][] {
  return permutations(Array.from({ length: n }, (_, i) => i + 1))
    .map((columns) => columns.map((column, i): Star => [i + 1, column]))
    .filter((stars) => fits(stars, region_grid));
}

function fits(stars: readonly Star[], regions: Puzzle["region_grid"]): boolean {
  const n = regions.length;
  if (stars.length !== n || stars.some(([i, j]) => i < 1 || j < 1 || i > n || j > n)) return false;
  const different = (nameOf: (star: Star) => string | number) => new Set(stars.map(nameOf)).size === n;
  const apart = stars.every(([i, j], a) => stars.every(([k, l], b) => a === b || (i - k) ** 2 + (j - l) ** 2 > 2));
  return apart && different(([i]) => i) && different(([, j]) => j) && different(([i, j]) => regions[i - 1]![j - 1]!);
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const puzzle = row.metadata as unknown as Puzzle;
    const stars = solutions(puzzle)[0]!.map(([i, j]): [number, number] => [i, j]);
    const letters = stars.map(([i, j]) => puzzle.region_grid[i - 1]![j - 1]!);
    const change = random.next();
    const [a, b] = [pick(random, [...stars.keys()]), pick(random, [...stars.keys()])];
    if (change < 0.3) stars[a]![change < 0.15 ? 0 : 1] += random.next() < 0.5 ? 1 : -1;
    else if (change < 0.4) [letters[a], letters[b]] = [letters[b]!, letters[a]!];
    else if (change < 0.5) [stars[a], stars[b]] = [stars[b]!, stars[a]!];
    else if (change < 0.55) stars[a] = stars[b]!;
    else if (change < 0.6) for (const star of stars) star.reverse();
    const matches = stars.every(([i, j], k) => puzzle.region_grid[i - 1]?.[j - 1] === letters[k]);
    const entries = letters.map((letter, k) => `'${letter}': [(${stars[k]!.join(", ")})]`);
    return { text: `\`\`\`python\n{${entries.join(", ")}}\n\`\`\``, right: matches && fits(stars, puzzle.region_grid) };
  },
  solutions: (row) => solutions(row.metadata as unknown as Puzzle).length,
};
