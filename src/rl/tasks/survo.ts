import { drawUntil, randomInteger, shuffle } from "../../base/random-draws.js";
import { formatCells, lineName, rowsAndColumns } from "./fill-lines.js";
import { levelSettings, type Task } from "./task.js";

/** A square of numbers in row-major order (0 is a blank), the sums of its rows and columns, and the numbers to place in the blanks. */
export interface Survo {
  readonly cells: readonly number[];
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly numbers: readonly number[];
}

/** Per level: the size of the square and the number of blanks. */
const levels = [
  { size: 2, blanks: 3 },
  { size: 3, blanks: 4 },
  { size: 3, blanks: 5 },
];

const MAX_NUMBER = 9;

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
const formatGrid = (cells: readonly number[], size: number) =>
  formatCells(
    cells.map((number) => String(number || "_")),
    size,
  );

/** Returns the lines of a puzzle with their sums, rows first. */
function sumsOf({ rows, columns }: Survo) {
  const sums = [...rows, ...columns];
  return rowsAndColumns(rows.length, columns.length).map((cells, index) => ({ cells, sum: sums[index]! }));
}

/** Writes the subtraction of numbers from a sum, one at a time: `12 - 4 - 3 = 8 - 3 = 5`. */
function subtractions(total: number, numbers: readonly number[]): string {
  if (numbers.length === 0) return String(total);
  return `${[total, ...numbers].join(" - ")} = ${subtractions(total - numbers[0]!, numbers.slice(1))}`;
}

interface Step {
  readonly text: string;
  readonly cells: readonly number[];
  readonly left: readonly number[];
}

/** Fills the blank of the first line that has a single blank, and repeats this as long as there is such a line. */
function fillSteps(instance: Survo, left = instance.numbers): Step[] {
  const { cells, rows } = instance;
  const isSingle = (line: readonly number[]) => line.filter((cell) => cells[cell] === 0).length === 1;
  const lines = sumsOf(instance);
  const index = lines.findIndex((line) => isSingle(line.cells));
  if (index < 0) return [];
  const line = lines[index]!;
  const known = line.cells.map((cell) => cells[cell]!).filter((number) => number !== 0);
  const missing = line.sum - sum(known);
  const text = `${lineName(index, rows.length)} : ${subtractions(line.sum, known)}`;
  const blank = line.cells.find((cell) => cells[cell] === 0)!;
  const filled = cells.with(blank, missing);
  const rest = left.toSpliced(left.indexOf(missing), 1);
  return [{ text, cells: filled, left: rest }, ...fillSteps({ ...instance, cells: filled }, rest)];
}

/**
 * Place the given numbers so that the sums of rows and columns hold (SynLogic's `survo`, without the total sum). In every instance there is
 * always a line with a single blank, until the square is full. Each step fills this blank with the difference to the line's sum.
 */
export const survo: Task<Survo> = {
  name: "survo",
  levels: levels.length,

  generate(random, level) {
    const { size, blanks } = levelSettings(this.name, levels, level);
    const draw = (): Survo => {
      const solution = Array.from({ length: size * size }, () => randomInteger(random, 1, MAX_NUMBER));
      const sums = rowsAndColumns(size, size).map((cells) => sum(cells.map((cell) => solution[cell]!)));
      const blank = shuffle(random, solution.keys()).slice(0, blanks);
      const cells = solution.map((number, cell) => (blank.includes(cell) ? 0 : number));
      return { cells, rows: sums.slice(0, size), columns: sums.slice(size), numbers: blank.map((cell) => solution[cell]!) };
    };
    return drawUntil(draw, (drawn) => new Set(drawn.numbers).size > 2 && fillSteps(drawn).length === blanks);
  },

  question({ cells, rows, columns, numbers }) {
    const lines = formatGrid(cells, rows.length).split("\n");
    const picture = [...lines.map((line, row) => `${line} ${rows[row]}`), columns.join(" ")];
    return `Fill the survo with ${numbers.join(" ")} :\n${picture.join("\n")}`;
  },

  solve(instance) {
    const size = instance.rows.length;
    const steps = fillSteps(instance);
    const texts = steps.map(({ text, cells, left }, index) =>
      index === steps.length - 1 ? text : `${text} left ${left.join(" ")}\n${formatGrid(cells, size)}`,
    );
    return { thinking: texts.join("\n"), answer: formatGrid(steps.at(-1)?.cells ?? instance.cells, size) };
  },

  /** Accepts every placement of the numbers with the right sums. */
  verify(instance, answer) {
    const { cells, numbers } = instance;
    const given = answer.trim().split(/\s+/, cells.length + 1);
    if (given.length !== cells.length || !given.every((word) => /^[1-9]$/.test(word))) return false;
    const filled = given.map(Number);
    const inOrder = (list: readonly number[]) => list.toSorted((a, b) => a - b).join(" ");
    return (
      cells.every((number, cell) => [0, filled[cell]].includes(number)) &&
      inOrder(filled.filter((_, cell) => cells[cell] === 0)) === inOrder(numbers) &&
      sumsOf(instance).every((line) => sum(line.cells.map((cell) => filled[cell]!)) === line.sum)
    );
  },

  guess({ cells, rows, numbers }, random) {
    const rest = shuffle(random, numbers);
    return formatGrid(
      cells.map((number) => number || rest.pop()!),
      rows.length,
    );
  },
};
