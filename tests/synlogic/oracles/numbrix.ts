import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

type Given = readonly (readonly (number | string)[])[];

/** Walks from the cell of 1 to the neighbour with the next number for as long as there is one. */
function holds(given: Given, grid: readonly (readonly number[])[]): boolean {
  const n = given.length;
  const cells = grid.flat();
  if (given.flat().some((value, k) => value !== "X" && value !== cells[k])) return false;
  let at = cells.indexOf(1);
  let length = at < 0 ? 0 : 1;
  for (;;) {
    const around = [at - n, at + n, at % n > 0 ? at - 1 : -1, at % n < n - 1 ? at + 1 : -1];
    const next = around.find((cell) => cells[cell] === length + 1);
    if (length === 0 || next === undefined) return length === n * n;
    at = next;
    length++;
  }
}

/** Counts the fillings of the blanks by brute force over all orders of the missing numbers. */
function solutions(given: Given): number {
  const n = given.length;
  const cells = given.flat();
  const missing = Array.from({ length: n * n }, (_, k) => k + 1).filter((number) => !cells.includes(number));
  const fill = (at: number, left: readonly number[]): number => {
    if (at === cells.length)
      return holds(
        given,
        given.map((_, i) => cells.slice(i * n, i * n + n) as number[]),
      )
        ? 1
        : 0;
    if (cells[at] !== "X") return fill(at + 1, left);
    let count = 0;
    for (const number of left) {
      cells[at] = number;
      count += fill(
        at + 1,
        left.filter((other) => other !== number),
      );
    }
    cells[at] = "X";
    return count;
  };
  return fill(0, missing);
}

export const oracle: Oracle = {
  unique: false,
  candidate(row, random: Random) {
    const { grid: given, solution } = row.metadata as unknown as { grid: Given; solution: number[][] };
    const n = given.length;
    const cells = solution.flat();
    const draw = () => Math.floor(random.next() * n * n);
    const kind = random.next();
    const [a, b] = [draw(), draw()];
    if (kind < 0.5) [cells[a], cells[b]] = [cells[b]!, cells[a]!];
    else if (kind < 0.6) cells[a] = cells[b]!;
    else if (kind < 0.7) cells.reverse();
    else if (kind < 0.8) {
      const blanks = cells.flatMap((_, k) => (given.flat()[k] === "X" ? [k] : []));
      const numbers = blanks.map((k) => cells[k]!).sort(() => random.next() - 0.5);
      for (const [k, blank] of blanks.entries()) cells[blank] = numbers[k]!;
    }
    const grid = solution.map((_, i) => cells.slice(i * n, i * n + n));
    return { text: JSON.stringify(grid), right: holds(given, grid) };
  },
  solutions: (row) => solutions((row.metadata as unknown as { grid: Given }).grid),
};
