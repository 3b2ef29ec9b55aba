import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

interface Campsite {
  readonly grid: readonly (readonly string[])[];
  readonly row_constraints: readonly number[];
  readonly col_constraints: readonly number[];
}

/** Whether the tents, given as cell numbers in reading order, can be dealt out to the trees. Tries all orders of the tents. */
function dealt(tents: readonly number[], trees: readonly number[], width: number): boolean {
  if (trees.length === 0) return tents.length === 0;
  return tents.some((tent, k) => {
    const [down, right] = [
      Math.abs(Math.floor(tent / width) - Math.floor(trees[0]! / width)),
      Math.abs((tent % width) - (trees[0]! % width)),
    ];
    return (
      down + right === 1 &&
      dealt(
        tents.filter((_, other) => other !== k),
        trees.slice(1),
        width,
      )
    );
  });
}

function holds(cells: readonly string[], puzzle: Campsite): boolean {
  const width = puzzle.grid[0]!.length;
  const given = puzzle.grid.flat();
  if (cells.some((cell, k) => (cell === "T") !== (given[k] === "T"))) return false;
  const tents = cells.flatMap((cell, k) => (cell === "C" ? [k] : []));
  const rows = puzzle.row_constraints.map((_, i) => tents.filter((tent) => Math.floor(tent / width) === i).length);
  const columns = puzzle.col_constraints.map((_, j) => tents.filter((tent) => tent % width === j).length);
  if (String([rows, columns]) !== String([puzzle.row_constraints, puzzle.col_constraints])) return false;
  for (const a of tents) {
    for (const b of tents) {
      const far = Math.max(Math.abs(Math.floor(a / width) - Math.floor(b / width)), Math.abs((a % width) - (b % width)));
      if (far === 1) return false;
    }
  }
  const trees = given.flatMap((cell, k) => (cell === "T" ? [k] : []));
  return tents.length === trees.length && dealt(tents, trees, width);
}

function solutions(puzzle: Campsite): string[][] {
  const given = puzzle.grid.flat();
  const blanks = given.flatMap((cell, k) => (cell === "X" ? [k] : []));
  return Array.from({ length: 1 << blanks.length }, (_, bits) =>
    given.map((cell, k) => (cell === "X" && (bits >> blanks.indexOf(k)) & 1 ? "C" : cell)),
  ).filter((cells) => holds(cells, puzzle));
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random: Random) {
    const puzzle = row.metadata as unknown as Campsite & { readonly solution: readonly (readonly string[])[] };
    const width = puzzle.grid[0]!.length;
    const cells = puzzle.solution.flat();
    const draw = () => Math.floor(random.next() * cells.length);
    const kind = random.next();
    if (kind < 0.3) {
      const [a, b] = [draw(), draw()];
      [cells[a], cells[b]] = [cells[b]!, cells[a]!];
    } else if (kind < 0.5) cells[draw()] = "XCT"[Math.floor(random.next() * 3)]!;
    else if (kind < 0.7) for (const [k, cell] of cells.entries()) if (cell !== "T") cells[k] = random.next() < 0.25 ? "C" : "X";
    const grid = puzzle.grid.map((_, i) => cells.slice(i * width, (i + 1) * width));
    return { text: JSON.stringify(grid), right: holds(cells, puzzle) };
  },
  solutions: (row) => solutions(row.metadata as unknown as Campsite).length,
};
