import type { Random } from "../../base/random.js";
import { choice, integer, shuffle, until } from "./draw.js";
import { atLevel, type Task } from "./task.js";

/** Sixteen cells, row after row; 0 is a blank. */
export interface Sudoku {
  readonly cells: readonly number[];
}

/** How many cells are blank. */
const levels = [
  { fewest: 3, most: 3 },
  { fewest: 4, most: 4 },
  { fewest: 5, most: 6 },
];

const digits = [1, 2, 3, 4];
const all = Array.from({ length: 16 }, (_, cell) => cell);
const rowOf = (cell: number) => cell >> 2;
const columnOf = (cell: number) => cell & 3;
const boxOf = (cell: number) => 2 * (rowOf(cell) >> 1) + (columnOf(cell) >> 1);

/** What the other cells of the same row, column or box hold. */
function seen(cells: readonly number[], cell: number, unitOf: (cell: number) => number): number[] {
  return all.filter((other) => other !== cell && unitOf(other) === unitOf(cell) && cells[other] !== 0).map((other) => cells[other]!);
}

function candidates(cells: readonly number[], cell: number): number[] {
  const taken = [rowOf, columnOf, boxOf].flatMap((unitOf) => seen(cells, cell, unitOf));
  return digits.filter((digit) => !taken.includes(digit));
}

/** The grids from the clues on, the first blank filled each time, for as long as only one digit fits there. */
function fill(cells: readonly number[]): (readonly number[])[] {
  const blank = cells.indexOf(0);
  const fits = blank < 0 ? [] : candidates(cells, blank);
  return fits.length === 1 ? [cells, ...fill(cells.with(blank, fits[0]!))] : [cells];
}

function completions(cells: readonly number[]): (readonly number[])[] {
  const blank = cells.indexOf(0);
  return blank < 0 ? [cells] : candidates(cells, blank).flatMap((digit) => completions(cells.with(blank, digit)));
}

/** Any of the 288 full grids: each first row has twelve. */
function fullGrid(random: Random): readonly number[] {
  return choice(random, completions([...shuffle(random, digits), ...Array<number>(12).fill(0)]));
}

const text = (cells: readonly number[]) =>
  [0, 4, 8, 12]
    .map((row) =>
      cells
        .slice(row, row + 4)
        .map((digit) => digit || "_")
        .join(" "),
    )
    .join("\n");

/**
 * Fill a sudoku of 4 × 4 (SynLogic's `sudoku` has 9 × 9 only). Instances are those where, blank after blank in reading order,
 * the row, the column and the box leave one digit: a step lists these, fills the blank, and writes the grid out again.
 */
export const sudoku: Task<Sudoku> = {
  name: "sudoku",
  levels: levels.length,

  generate(random, level) {
    const { fewest, most } = atLevel(this.name, levels, level);
    const grid = fullGrid(random);
    const blanked = () => {
      const blanks = shuffle(random, all).slice(0, integer(random, fewest, most));
      return grid.map((digit, cell) => (blanks.includes(cell) ? 0 : digit));
    };
    return { cells: until(blanked, (cells) => !fill(cells).at(-1)!.includes(0)) };
  },

  question: ({ cells }) => `Fill the sudoku with 1 2 3 4 :\n${text(cells)}`,

  solve({ cells }) {
    const grids = fill(cells);
    const lines = grids.slice(0, -1).map((grid, index) => {
      const blank = grid.indexOf(0);
      const [row, column, box] = [rowOf, columnOf, boxOf].map((unitOf) => seen(grid, blank, unitOf).join(" ") || "none");
      const reason = `row ${row} column ${column} box ${box} so ${grids[index + 1]![blank]}`;
      return index === 0 ? reason : `${text(grid)}\n${reason}`;
    });
    return { thinking: lines.join("\n"), answer: text(grids.at(-1)!) };
  },

  /** Any completion of the clues counts. */
  verify({ cells }, answer) {
    const given = answer.replace(/\s/g, "");
    if (!/^[1-4]{16}$/.test(given)) return false;
    const filled = [...given].map(Number);
    return all.every((cell) => [0, filled[cell]].includes(cells[cell]!) && candidates(filled.with(cell, 0), cell).includes(filled[cell]!));
  },

  guess: ({ cells }, random) => text(cells.map((digit) => digit || choice(random, digits))),
};
