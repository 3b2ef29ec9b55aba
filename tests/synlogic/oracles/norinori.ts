import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

type Domino = readonly (readonly number[])[];

/** Paints the dominoes on an empty grid and looks at the painted cells only. */
function holds(regions: readonly (readonly string[])[], dominoes: readonly Domino[]): boolean {
  const n = regions.length;
  const painted = Array.from({ length: n * n }, () => -1);
  for (const [k, domino] of dominoes.entries()) {
    for (const [row, column] of domino) {
      if (row! < 1 || column! < 1 || row! > n || column! > n) return false;
      const cell = (row! - 1) * n + column! - 1;
      if (painted[cell] !== -1) return false;
      painted[cell] = k;
    }
  }
  const covered: Record<string, number> = {};
  for (let cell = 0; cell < n * n; cell++) {
    const region = regions[Math.floor(cell / n)]![cell % n]!;
    const own = painted[cell]!;
    if (region !== "X") covered[region] = (covered[region] ?? 0) + (own >= 0 ? 1 : 0);
    else if (own < 0) return false;
    if (own < 0) continue;
    const around = [
      cell >= n ? cell - n : -1,
      cell < n * n - n ? cell + n : -1,
      cell % n > 0 ? cell - 1 : -1,
      cell % n < n - 1 ? cell + 1 : -1,
    ];
    const painters = around.filter((next) => next >= 0 && painted[next]! >= 0).map((next) => painted[next]);
    // The other half of the domino, and nothing else.
    if (painters.length !== 1 || painters[0] !== own) return false;
  }
  return Object.values(covered).every((count) => count === 2);
}

/** Counts the solutions by brute force over the sets of dominoes that do not overlap. */
function solutions(regions: readonly (readonly string[])[]): number {
  const n = regions.length;
  const all: Domino[] = [];
  for (let i = 1; i <= n; i++) {
    for (let j = 1; j <= n; j++) {
      if (j < n)
        all.push([
          [i, j],
          [i, j + 1],
        ]);
      if (i < n)
        all.push([
          [i, j],
          [i + 1, j],
        ]);
    }
  }
  const most = (new Set(regions.flat()).size * 2 + regions.flat().filter((region) => region === "X").length) / 2;
  let count = 0;
  const choose = (from: number, chosen: readonly Domino[]) => {
    if (holds(regions, chosen)) count++;
    if (chosen.length < most) for (let k = from; k < all.length && count < 2; k++) choose(k + 1, [...chosen, all[k]!]);
  };
  choose(0, []);
  return count;
}

export const oracle: Oracle = {
  unique: false,
  candidate(row, random: Random) {
    const { region_grid: regions, solution } = row.metadata as unknown as { region_grid: string[][]; solution: Domino[] };
    const draw = (count: number) => Math.floor(random.next() * count);
    let dominoes = [...solution];
    const kind = random.next();
    const at = draw(dominoes.length);
    const start = [1 + draw(regions.length), 1 + draw(regions.length)] as const;
    const moved: Domino = [start, random.next() < 0.5 ? [start[0] + 1, start[1]] : [start[0], start[1] + 1]];
    if (kind < 0.4) dominoes[at] = moved;
    else if (kind < 0.5) dominoes = dominoes.filter((_, k) => k !== at);
    else if (kind < 0.6) dominoes.push(moved);
    else if (kind < 0.7) dominoes[at] = [dominoes[at]![0]!, dominoes[draw(dominoes.length)]![1]!];
    else dominoes.reverse();
    const text = `[${dominoes.map((domino) => `[${domino.map((cell) => `(${cell.join(", ")})`).join(", ")}]`).join(", ")}]`;
    return { text, right: holds(regions, dominoes) };
  },
  solutions: (row) => solutions((row.metadata as unknown as { region_grid: string[][] }).region_grid),
};
