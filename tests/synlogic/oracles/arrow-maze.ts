import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

const DIRECTION: Record<string, readonly [number, number]> = {
  "↑": [-1, 0],
  "↗": [-1, 1],
  "→": [0, 1],
  "↘": [1, 1],
  "↓": [1, 0],
  "↙": [1, -1],
  "←": [0, -1],
  "↖": [-1, -1],
};
const ALL = Object.keys(DIRECTION);

/** Follows each arrow back to where its run begins, and counts the arrows of each number. */
function holds(grid: readonly (readonly string[])[]): boolean {
  const left = grid.map((row) => row.map((cell) => (/[0-9]/.test(cell) ? Number(cell) : 0)));
  for (const [i, row] of grid.entries()) {
    for (const [j, cell] of row.entries()) {
      const step = DIRECTION[cell];
      if (!step) continue;
      let [a, b] = [i, j];
      while (grid[a]?.[b] === cell) [a, b] = [a - step[0], b - step[1]];
      if (/[0-9]/.test(grid[a]?.[b] ?? "")) left[a]![b]!--;
    }
  }
  return left.flat().every((count) => count === 0);
}

/** All fillings of the blanks, by brute force. */
function fillings(maze: readonly (readonly string[])[]): string[][][] {
  const blanks = maze.flatMap((row, i) => row.flatMap((cell, j) => (cell === "X" ? [[i, j] as const] : [])));
  return Array.from({ length: 8 ** blanks.length }, (_, code) => {
    const grid = maze.map((row) => [...row]);
    for (const [k, [i, j]] of blanks.entries()) grid[i]![j] = ALL[Math.floor(code / 8 ** k) % 8]!;
    return grid;
  }).filter(holds);
}

export const oracle: Oracle = {
  unique: false,
  candidate(row, random: Random) {
    const { maze, solution } = row.metadata as { maze: string[][]; solution: string[][] };
    const draw = (n: number) => Math.floor(random.next() * n);
    const grid = solution.map((cells) => [...cells]);
    const kind = random.next();
    let given = true;
    if (kind < 0.7) {
      for (const [i, cells] of maze.entries())
        for (const [j, cell] of cells.entries()) if (cell === "X" && random.next() < 0.5) grid[i]![j] = ALL[draw(8)]!;
    } else if (kind < 0.8) {
      const [i, j] = [draw(grid.length), draw(grid[0]!.length)];
      const before = grid[i]![j];
      grid[i]![j] = [...ALL, "1", "2", "X"][draw(11)]!;
      given = maze[i]![j] === "X" ? ALL.includes(grid[i]![j]!) : before === grid[i]![j];
    }
    const text = `The grid:\n\`\`\`python\n${JSON.stringify(grid)}\n\`\`\``;
    return { text, right: given && !grid.flat().includes("X") && holds(grid) };
  },
  solutions: (row) => fillings((row.metadata as { maze: string[][] }).maze).length,
};
