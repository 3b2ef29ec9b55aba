import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

type Grid = readonly (readonly (number | string)[])[];

/** Floods from each number, then demands that no open cell is left over and no block of walls. */
function holds(given: Grid, grid: Grid): boolean {
  const n = grid.length;
  const reached = new Map<number, number>();
  for (let start = 0; start < n * n; start++) {
    const number = given[Math.floor(start / n)]![start % n]!;
    const value = grid[Math.floor(start / n)]![start % n]!;
    if (typeof number === "number" ? value !== number : value !== "A" && value !== "X") return false;
    if (typeof number !== "number") continue;
    const stack = [start];
    let size = 0;
    while (stack.length > 0) {
      const cell = stack.pop()!;
      const owner = reached.get(cell);
      if (owner === start) continue;
      if (owner !== undefined) return false;
      reached.set(cell, start);
      size++;
      const [i, j] = [Math.floor(cell / n), cell % n];
      if (i > 0 && grid[i - 1]![j] !== "A") stack.push(cell - n);
      if (i < n - 1 && grid[i + 1]![j] !== "A") stack.push(cell + n);
      if (j > 0 && grid[i]![j - 1] !== "A") stack.push(cell - 1);
      if (j < n - 1 && grid[i]![j + 1] !== "A") stack.push(cell + 1);
    }
    if (size !== number) return false;
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (grid[i]![j] !== "A" && !reached.has(i * n + j)) return false;
      if (i > 0 && j > 0 && `${grid[i]![j]}${grid[i - 1]![j]}${grid[i]![j - 1]}${grid[i - 1]![j - 1]}` === "AAAA") return false;
    }
  }
  return true;
}

function solutions(given: Grid): Grid[] {
  const blanks = given.flat().filter((cell) => cell === "X").length;
  return Array.from({ length: 1 << blanks }, (_, bits) => {
    let k = 0;
    return given.map((row) => row.map((cell) => (cell === "X" ? ((bits >> k++) & 1 ? "A" : "X") : cell)));
  }).filter((grid) => holds(given, grid));
}

export const oracle: Oracle = {
  unique: false,
  candidate(row, random: Random) {
    const { grid: given, solution } = row.metadata as unknown as { grid: Grid; solution: Grid };
    const draw = (n: number) => Math.floor(random.next() * n);
    const all = solutions(given);
    const grid = (random.next() < 0.5 ? solution : all[draw(all.length)]!).map((cells) => [...cells]);
    const kind = random.next();
    const [i, j] = [draw(grid.length), draw(grid.length)];
    if (kind < 0.4) grid[i]![j] = grid[i]![j] === "A" ? "X" : "A";
    else if (kind < 0.5) grid[i]![j] = 1 + draw(3);
    else if (kind < 0.7)
      for (const cells of grid) for (const [k, cell] of cells.entries()) if (typeof cell === "string") cells[k] = "AX"[draw(2)]!;
    return { text: `\`\`\`python\n${JSON.stringify(grid)}\n\`\`\``, right: holds(given, grid) };
  },
  solutions: (row) => solutions((row.metadata as unknown as { grid: Grid }).grid).length,
};
