import type { Random } from "../../base/random.js";
import { drawUntil, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import { levelSettings, type Task } from "./task.js";

/** Sixteen cells in row-major order, with 0 for a blank. */
export interface Sudoku {
  readonly cells: readonly number[];
}

/** Number of blanks on each level. */
const levels = [
  { fewest: 3, most: 3 },
  { fewest: 4, most: 4 },
  { fewest: 5, most: 6 },
];

const digits = [1, 2, 3, 4];
const allCells = Array.from({ length: 16 }, (_, cell) => cell);
const rowOf = (cell: number) => cell >> 2;
const columnOf = (cell: number) => cell & 3;
const boxOf = (cell: number) => 2 * (rowOf(cell) >> 1) + (columnOf(cell) >> 1);

/** Returns the digits in the other cells of the same row, column or box. */
function digitsInUnit(cells: readonly number[], cell: number, unitOf: (cell: number) => number): number[] {
  return allCells.filter((other) => other !== cell && unitOf(other) === unitOf(cell) && cells[other] !== 0).map((other) => cells[other]!);
}

/** Returns the digits that fit into a cell. */
function candidates(cells: readonly number[], cell: number): number[] {
  const taken = [rowOf, columnOf, boxOf].flatMap((unitOf) => digitsInUnit(cells, cell, unitOf));
  return digits.filter((digit) => !taken.includes(digit));
}

/**
 * Returns the sequence of grids that starts with the clues. Each further grid fills the first blank of the one before. The sequence ends
 * when more than one digit, or none, fits into that blank.
 */
function fillSteps(cells: readonly number[]): (readonly number[])[] {
  const blank = cells.indexOf(0);
  const fits = blank < 0 ? [] : candidates(cells, blank);
  return fits.length === 1 ? [cells, ...fillSteps(cells.with(blank, fits[0]!))] : [cells];
}

/** Returns all ways to complete a grid. */
function completions(cells: readonly number[]): (readonly number[])[] {
  const blank = cells.indexOf(0);
  return blank < 0 ? [cells] : candidates(cells, blank).flatMap((digit) => completions(cells.with(blank, digit)));
}

/** Draws one of the 288 full grids uniformly. Every first row has the same number of completions, twelve. */
function drawFullGrid(random: Random): readonly number[] {
  return randomChoice(random, completions([...shuffle(random, digits), ...Array<number>(12).fill(0)]));
}

const formatGrid = (cells: readonly number[]) =>
  [0, 4, 8, 12]
    .map((row) =>
      cells
        .slice(row, row + 4)
        .map((digit) => digit || "_")
        .join(" "),
    )
    .join("\n");

/**
 * Fill a 4 × 4 sudoku (SynLogic's `sudoku` has only 9 × 9). In every instance, the blanks can be filled in reading order, because row,
 * column and box always leave exactly one digit. Each step lists the digits of row, column and box, fills the blank, and writes out the
 * grid.
 */
export const sudoku: Task<Sudoku> = {
  name: "sudoku",
  levels: levels.length,

  generate(random, level) {
    const { fewest, most } = levelSettings(this.name, levels, level);
    const grid = drawFullGrid(random);
    const blanked = () => {
      const blanks = shuffle(random, allCells).slice(0, randomInteger(random, fewest, most));
      return grid.map((digit, cell) => (blanks.includes(cell) ? 0 : digit));
    };
    return { cells: drawUntil(blanked, (cells) => !fillSteps(cells).at(-1)!.includes(0)) };
  },

  question: ({ cells }) => `Fill the sudoku with 1 2 3 4 :\n${formatGrid(cells)}`,

  solve({ cells }) {
    const grids = fillSteps(cells);
    const lines = grids.slice(0, -1).map((grid, index) => {
      const blank = grid.indexOf(0);
      const [row, column, box] = [rowOf, columnOf, boxOf].map((unitOf) => digitsInUnit(grid, blank, unitOf).join(" ") || "none");
      const reason = `row ${row} column ${column} box ${box} so ${grids[index + 1]![blank]}`;
      return index === 0 ? reason : `${formatGrid(grid)}\n${reason}`;
    });
    return { thinking: lines.join("\n"), answer: formatGrid(grids.at(-1)!) };
  },

  /** Accepts every valid completion of the clues. */
  verify({ cells }, answer) {
    const given = answer.replace(/\s/g, "");
    if (!/^[1-4]{16}$/.test(given)) return false;
    const filled = [...given].map(Number);
    return allCells.every(
      (cell) => [0, filled[cell]].includes(cells[cell]!) && candidates(filled.with(cell, 0), cell).includes(filled[cell]!),
    );
  },

  guess: ({ cells }, random) => formatGrid(cells.map((digit) => digit || randomChoice(random, digits))),
};
