import type { Random } from "../../base/random.js";
import { randomChoice } from "../../base/random-draws.js";

type Options = readonly (readonly string[])[];

/** A row, a column or another group of cells of a grid. */
export interface Line {
  /** Indices of the cells of the line, in row-major order of the grid. */
  readonly cells: readonly number[];
  /** All contents of the line that its clue allows. A function may take the other cells of the grid into account. */
  readonly options: Options | ((cells: readonly string[]) => Options);
  /** Formats the line with its clue for a step of the solution. */
  readonly format: (contents: string, cells: readonly string[]) => string;
}

/** A grid of symbols. Every symbol outside `alphabet` is a blank. */
export interface Grid {
  readonly cells: readonly string[];
  readonly width: number;
  readonly alphabet: string;
}

/** The reading of a line, with the contents of the line before and after it. */
interface Reading {
  readonly text: string;
  /** The cells of the grid after the reading. Undefined if the line fills no blank. */
  readonly filled: readonly string[] | undefined;
}

export const formatCells = (cells: readonly string[], width: number) =>
  Array.from({ length: cells.length / width }, (_, row) => cells.slice(row * width, (row + 1) * width).join(" ")).join("\n");

/** Returns the cells of each row, then those of each column. */
export function rowsAndColumns(height: number, width: number): number[][] {
  const count = (length: number) => Array.from({ length }, (_, index) => index);
  return [
    ...count(height).map((row) => count(width).map((column) => row * width + column)),
    ...count(width).map((column) => count(height).map((row) => row * width + column)),
  ];
}

/** Names the lines of {@link rowsAndColumns}: `row 1`, …, `column 1`, …. */
export const lineName = (index: number, height: number) => (index < height ? `row ${index + 1}` : `column ${index - height + 1}`);

/** Returns all sequences of symbols with a given length. */
export function sequences(alphabet: string, length: number): string[][] {
  if (length === 0) return [[]];
  return sequences(alphabet, length - 1).flatMap((start) => [...alphabet].map((symbol) => [...start, symbol]));
}

/** Reads a line. Fills each blank for which all remaining options of the line have the same symbol. */
function readLine({ alphabet }: Grid, cells: readonly string[], line: Line): Reading {
  const before = line.cells.map((cell) => cells[cell]!);
  const options = typeof line.options === "function" ? line.options(cells) : line.options;
  const fitting = options.filter((option) =>
    option.every((symbol, index) => before[index] === symbol || !alphabet.includes(before[index]!)),
  );
  const after = before.map((symbol, index) => {
    const agreed = fitting[0]?.[index];
    return agreed !== undefined && fitting.every((option) => option[index] === agreed) ? agreed : symbol;
  });
  const progress = after.some((symbol, index) => symbol !== before[index]);
  const text = `${line.format(before.join(" "), cells)} so ${progress ? after.join(" ") : "none"}`;
  if (!progress) return { text, filled: undefined };
  const filled = [...cells];
  for (const [index, cell] of line.cells.entries()) filled[cell] = after[index]!;
  return { text, filled };
}

/** The result of filling a grid line by line. */
export interface Filling {
  /** The text of the steps. A step that fills blanks is followed by the new grid, except after the last step. */
  readonly thinking: string;
  /** The final grid. */
  readonly answer: string;
  /** Whether the grid has no more blanks. */
  readonly complete: boolean;
  /** Number of lines that were read. */
  readonly steps: number;
}

/**
 * Fills a grid by reading its lines in order, repeatedly, until the grid is complete or no line fills a blank. Lines without blanks are
 * skipped.
 */
export function fillByLines(grid: Grid, lines: readonly Line[]): Filling {
  let { cells } = grid;
  const isBlank = (cell: number) => !grid.alphabet.includes(cells[cell]!);
  const texts: string[] = [];
  let steps = 0;
  let complete = false;
  for (let next = 0, idle = 0; !complete && idle < lines.length; next = (next + 1) % lines.length) {
    const line = lines[next]!;
    idle++;
    if (!line.cells.some(isBlank)) continue;
    const { text, filled } = readLine(grid, cells, line);
    texts.push(text);
    steps++;
    if (!filled) continue;
    idle = 0;
    cells = filled;
    complete = !cells.some((_, cell) => isBlank(cell));
    if (!complete) texts.push(formatCells(cells, grid.width));
  }
  return { thinking: texts.join("\n"), answer: formatCells(cells, grid.width), complete, steps };
}

/** Reads an answer as a complete grid that keeps the given cells. Returns undefined for any other text. */
export function parseGrid({ cells, alphabet }: Grid, answer: string): string[] | undefined {
  const given = answer.replace(/\s/g, "");
  if (given.length !== cells.length) return undefined;
  const kept = cells.every((symbol, cell) => (alphabet.includes(symbol) ? given[cell] === symbol : alphabet.includes(given[cell]!)));
  return kept ? [...given] : undefined;
}

/** Fills the blanks of a grid with random symbols. */
export const guessGrid = ({ cells, width, alphabet }: Grid, random: Random) =>
  formatCells(
    cells.map((symbol) => (alphabet.includes(symbol) ? symbol : randomChoice(random, alphabet))),
    width,
  );
