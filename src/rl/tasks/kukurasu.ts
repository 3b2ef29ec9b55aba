import { drawUntil, randomBoolean, randomInteger, shuffle } from "../../base/random-draws.js";
import { fillByLines, formatCells, type Grid, guessGrid, lineName, parseGrid, rowsAndColumns, sequences } from "./fill-lines.js";
import { levelSettings, type Task } from "./task.js";

/** Cells in row-major order (X, . or _ for a blank), and the sums. Null is a hidden sum. */
export interface Kukurasu {
  readonly cells: readonly string[];
  /** For each row, the sum of the column numbers of its marks. */
  readonly rows: readonly (number | null)[];
  /** For each column, the sum of the row numbers of its marks. */
  readonly columns: readonly (number | null)[];
}

const MARK = "X";
const ALPHABET = `${MARK}.`;
const ROWS = 3;

/** Per level: the number of columns, of given cells and of hidden sums, and the range of the number of lines that the solution reads. */
const levels = [
  { width: 3, given: 2, hidden: 0, fewest: 3, most: 6 },
  { width: 3, given: 2, hidden: 2, fewest: 4, most: 7 },
  { width: 4, given: 1, hidden: 1, fewest: 5, most: 7 },
];

/** Returns the sum of the positions of the marks in a line, counted from 1. */
const sumOfMarks = (line: readonly string[]) => line.reduce((sum, symbol, index) => sum + (symbol === MARK ? index + 1 : 0), 0);

const gridOf = ({ cells, columns }: Kukurasu): Grid => ({ cells, width: columns.length, alphabet: ALPHABET });
const formatSum = (sum: number | null) => String(sum ?? "_");

/** Returns the lines of a puzzle with their sums, rows first. */
const sumsOf = ({ rows, columns }: Kukurasu) => {
  const sums = [...rows, ...columns];
  return rowsAndColumns(rows.length, columns.length).map((cells, index) => ({ cells, sum: sums[index]! }));
};

function fill(instance: Kukurasu) {
  const lines = sumsOf(instance).map(({ cells, sum }, index) => ({
    cells,
    options: sequences(ALPHABET, cells.length).filter((option) => sum === null || sumOfMarks(option) === sum),
    format: (contents: string) => `${lineName(index, instance.rows.length)} : ${contents} ${formatSum(sum)}`,
  }));
  return fillByLines(gridOf(instance), lines);
}

/**
 * Mark cells so that the positions of the marks in each row and column add up to the given sum (SynLogic's `kukurasu`). Some cells are
 * given and some sums are hidden. The steps read rows and columns in turn and fill the cells that a sum and the known cells determine.
 */
export const kukurasu: Task<Kukurasu> = {
  name: "kukurasu",
  levels: levels.length,

  generate(random, level) {
    const { width, given, hidden, fewest, most } = levelSettings(this.name, levels, level);
    const draw = (): Kukurasu => {
      const solution = Array.from({ length: ROWS * width }, () => (randomBoolean(random) ? MARK : "."));
      const shown = shuffle(random, solution.keys()).slice(0, given);
      const sums: (number | null)[] = rowsAndColumns(ROWS, width).map((cells) => sumOfMarks(cells.map((cell) => solution[cell]!)));
      for (const line of shuffle(random, sums.keys()).slice(0, randomInteger(random, 0, hidden))) sums[line] = null;
      const cells = solution.map((symbol, cell) => (shown.includes(cell) ? symbol : "_"));
      return { cells, rows: sums.slice(0, ROWS), columns: sums.slice(ROWS) };
    };
    return drawUntil(draw, (drawn) => {
      const { complete, steps } = fill(drawn);
      return complete && steps >= fewest && steps <= most;
    });
  },

  question({ cells, rows, columns }) {
    const lines = formatCells(cells, columns.length).split("\n");
    const picture = [...lines.map((line, row) => `${line} ${formatSum(rows[row]!)}`), columns.map(formatSum).join(" ")];
    return `Fill the kukurasu with X and . :\n${picture.join("\n")}`;
  },

  solve(instance) {
    const { thinking, answer } = fill(instance);
    return { thinking, answer };
  },

  /** Accepts every grid with the given cells and the shown sums. */
  verify(instance, answer) {
    const filled = parseGrid(gridOf(instance), answer);
    return (
      filled !== undefined &&
      sumsOf(instance).every(({ cells, sum }) => sum === null || sumOfMarks(cells.map((cell) => filled[cell]!)) === sum)
    );
  },

  guess: (instance, random) => guessGrid(gridOf(instance), random),
};
