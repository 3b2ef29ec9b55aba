import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

/** All cells that are mines in each of the arrangements of the hidden cells, by brute force over all of them. */
function forced(grid: readonly (readonly string[])[]): string[] {
  const n = grid.length;
  const hidden: number[] = [];
  for (let cell = 0; cell < n * n; cell++) if (grid[Math.floor(cell / n)]![cell % n] === "X") hidden.push(cell);
  const masks: (readonly [number, number])[] = [];
  for (let cell = 0; cell < n * n; cell++) {
    const value = grid[Math.floor(cell / n)]![cell % n]!;
    if (value === "X") continue;
    let mask = 0;
    for (const [k, other] of hidden.entries()) {
      const far = Math.max(Math.abs(Math.floor(cell / n) - Math.floor(other / n)), Math.abs((cell % n) - (other % n)));
      if (far === 1) mask |= 1 << k;
    }
    masks.push([mask, Number(value)]);
  }
  const ones = (bits: number) => {
    let count = 0;
    for (let rest = bits; rest > 0; rest &= rest - 1) count++;
    return count;
  };
  let always = (1 << hidden.length) - 1;
  for (let mines = 0; mines < 1 << hidden.length; mines++) {
    if (masks.every(([mask, count]) => ones(mines & mask) === count)) always &= mines;
  }
  return hidden.filter((_, k) => (always >> k) & 1).map((cell) => `(${Math.floor(cell / n)}, ${cell % n})`);
}

const cache = new Map<string, string[]>();

export const oracle: Oracle = {
  unique: false,
  candidate(row, random: Random) {
    const grid = (row.metadata as unknown as { revealed_grid: string[][] }).revealed_grid;
    const truth = cache.get(String(grid)) ?? forced(grid);
    cache.set(String(grid), truth);
    const draw = (count: number) => Math.floor(random.next() * count);
    const cell = `(${draw(grid.length)}, ${draw(grid.length)})`;
    const kind = random.next();
    let list = [...truth].sort(() => random.next() - 0.5);
    if (kind < 0.3) list = list.filter((one) => one !== cell);
    else if (kind < 0.6 && !list.includes(cell)) list.push(cell);
    else if (kind < 0.7) list = list.slice(1);
    return { text: `So these are mines: [${list.join(", ")}]`, right: String([...list].sort()) === String([...truth].sort()) };
  },
};
