import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

type Sums = { readonly row_sums: readonly number[]; readonly col_sums: readonly number[] };

/** Whether the ones, as bits in reading order, have the sums of the puzzle. */
function fits(ones: number, { row_sums, col_sums }: Sums): boolean {
  const width = col_sums.length;
  const rows = row_sums.map(() => 0);
  const columns = col_sums.map(() => 0);
  for (let cell = 0; cell < row_sums.length * width; cell++) {
    if (((ones >> cell) & 1) === 0) continue;
    rows[Math.floor(cell / width)]! += (cell % width) + 1;
    columns[cell % width]! += Math.floor(cell / width) + 1;
  }
  return String(rows) === String(row_sums) && String(columns) === String(col_sums);
}

function write(ones: number, { row_sums, col_sums }: Sums): string {
  return JSON.stringify(row_sums.map((_, i) => col_sums.map((_, j) => ((ones >> (i * col_sums.length + j)) & 1 ? "1" : "X"))));
}

const solutions = (sums: Sums) =>
  Array.from({ length: 1 << (sums.row_sums.length * sums.col_sums.length) }, (_, ones) => ones).filter((ones) => fits(ones, sums));

export const oracle: Oracle = {
  unique: false,
  candidate(row, random: Random) {
    const sums = row.metadata as unknown as Sums;
    const cells = sums.row_sums.length * sums.col_sums.length;
    const all = solutions(sums);
    let ones = all[Math.floor(random.next() * all.length)]!;
    if (random.next() < 0.7) ones ^= 1 << Math.floor(random.next() * cells);
    return { text: write(ones, sums), right: fits(ones, sums) };
  },
  solutions: (row) => solutions(row.metadata as unknown as Sums).length,
};
