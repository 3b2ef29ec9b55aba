import type { Random } from "../../base/random.js";
import { drawUntil, shuffle } from "../../base/random-draws.js";
import { formatCells, type Grid, guessGrid, parseGrid, rowsAndColumns } from "./fill-lines.js";
import { countOpen, drawLatinSquare, subsquares } from "./latin-square.js";
import { levelSettings, type Task } from "./task.js";

/** A 4 × 4 grid in row-major order (blanks are A, B, … in this order), and the signs between neighbouring cells. */
export interface Futoshiki {
  readonly cells: readonly string[];
  /** Pairs of cells. The first one is smaller. */
  readonly signs: readonly (readonly [smaller: number, larger: number])[];
}

type Sign = Futoshiki["signs"][number];

const SIZE = 4;
const DIGITS = "1234";
const LETTERS = "ABCDE";
const lines = rowsAndColumns(SIZE, SIZE);
const neighbours = lines.flatMap((line) => line.slice(1).map((cell, index) => [line[index]!, cell] as const));

/**
 * Number of blanks and of signs. `needed` is the minimum number of steps that need a sign, and `open` that of the blanks that rows and
 * columns alone leave open.
 */
const levels = [
  { blanks: 4, signs: 2, needed: 1, open: 4 },
  { blanks: 5, signs: 3, needed: 1, open: 4 },
  { blanks: 5, signs: 4, needed: 2, open: 0 },
];
type Level = (typeof levels)[number];

const gridOf = ({ cells }: Futoshiki): Grid => ({ cells, width: SIZE, alphabet: DIGITS });
const isDigit = (symbol: string) => DIGITS.includes(symbol);

/** The digits of the row and of the column of a blank. */
const digitsAround = (cells: readonly string[], blank: number) =>
  lines.filter((line) => line.includes(blank)).map((line) => line.map((cell) => cells[cell]!).filter(isDigit));

/** Whether a digit obeys a sign. A blank on the other side must have a digit left. */
function obeys(cells: readonly string[], digit: string, cell: number, [smaller, larger]: Sign): boolean {
  const other = cells[cell === smaller ? larger : smaller]!;
  if (cell === smaller) return digit < (isDigit(other) ? other : "4");
  return digit > (isDigit(other) ? other : "1");
}

interface Step {
  readonly text: string;
  readonly cells: readonly string[];
  /** Whether row and column alone leave several digits. */
  readonly needsSign: boolean;
}

/** Fills the blanks in order, as long as row, column and signs leave one digit. */
function fillSteps({ cells, signs }: Futoshiki): Step[] {
  const blank = cells.findIndex((symbol) => !isDigit(symbol));
  if (blank < 0) return [];
  const around = digitsAround(cells, blank);
  const own = signs.filter((sign) => sign.includes(blank));
  const free = [...DIGITS].filter((digit) => !around.flat().includes(digit));
  const fits = free.filter((digit) => own.every((sign) => obeys(cells, digit, blank, sign)));
  if (fits.length !== 1) return [];
  const [row, column] = around.map((digits) => digits.join(" ") || "none");
  const comparisons = own.map(([smaller, larger]) => `${cells[smaller]} < ${cells[larger]}`).join(" , ");
  const text = `${cells[blank]} : row ${row} column ${column} signs ${comparisons || "none"} so ${fits[0]}`;
  const filled = cells.with(blank, fits[0]!);
  return [{ text, cells: filled, needsSign: free.length > 1 }, ...fillSteps({ cells: filled, signs })];
}

/**
 * Groups of cells whose first one needs a sign: a cell, and the later cells of its row and its column that hold the same other digit. If
 * all three are blank, row and column leave both digits to the first one.
 */
function corners(solution: readonly string[]): number[][] {
  const holds = (digit: string, line: number) => lines[line]!.find((cell) => solution[cell] === digit)!;
  return solution.flatMap((own, cell) =>
    [...DIGITS]
      .filter((digit) => digit !== own)
      .map((digit) => [cell, holds(digit, Math.floor(cell / SIZE)), holds(digit, SIZE + (cell % SIZE))])
      .filter(([first, right, below]) => right! > first! && below! > first!),
  );
}

/** Takes digits and then signs out of a solved grid, as long as the steps still find each blank. */
function drawPuzzle(random: Random, { blanks, signs, open }: Level): Futoshiki {
  const solution = drawLatinSquare(random, DIGITS);
  const all = neighbours.map(([a, b]): Sign => (solution[a]! < solution[b]! ? [a, b] : [b, a]));
  const withBlanks = (blank: readonly number[]) => {
    const inOrder = blank.toSorted((a, b) => a - b);
    return solution.map((digit, cell) => LETTERS[inOrder.indexOf(cell)] ?? digit);
  };
  let blank: readonly number[] = [];
  const groups = [open > 0 ? subsquares(solution, SIZE) : corners(solution), [...solution.keys()].map((cell) => [cell])];
  for (const group of groups.flatMap((some) => shuffle(random, some))) {
    const more = [...new Set([...blank, ...group])];
    if (more.length > blanks) continue;
    if (fillSteps({ cells: withBlanks(more), signs: all }).length === more.length) blank = more;
  }
  const cells = withBlanks(blank);
  let shown = shuffle(
    random,
    all.filter((sign) => sign.some((cell) => blank.includes(cell))),
  );
  for (const sign of shown) {
    if (shown.length === signs) break;
    const fewer = shown.filter((other) => other !== sign);
    if (fillSteps({ cells, signs: fewer }).length === blanks) shown = fewer;
  }
  return { cells, signs: shown };
}

/**
 * Fill a 4 × 4 Latin square so that signs between neighbouring cells hold (SynLogic's `futoshiki`; all signs are written as "smaller <
 * larger"). The blanks can be filled in reading order: row, column and signs always leave exactly one digit, so the solution is unique.
 */
export const futoshiki: Task<Futoshiki> = {
  name: "futoshiki",
  levels: levels.length,

  generate(random, level) {
    const settings = levelSettings(this.name, levels, level);
    return drawUntil(
      () => drawPuzzle(random, settings),
      (drawn) => {
        const steps = fillSteps(drawn);
        return (
          steps.length === settings.blanks &&
          drawn.signs.length === settings.signs &&
          steps.filter(({ needsSign }) => needsSign).length >= settings.needed &&
          countOpen(drawn.cells, DIGITS) >= settings.open
        );
      },
    );
  },

  question({ cells, signs }) {
    const comparisons = signs.map(([smaller, larger]) => `${cells[smaller]} < ${cells[larger]}`);
    return `Fill the futoshiki with 1 2 3 4 , ${comparisons.join(" , ")} :\n${formatCells(cells, SIZE)}`;
  },

  solve(instance) {
    const steps = fillSteps(instance);
    const texts = steps.map(({ text }, index) => (index === 0 ? text : `${formatCells(steps[index - 1]!.cells, SIZE)}\n${text}`));
    return { thinking: texts.join("\n"), answer: formatCells(steps.at(-1)?.cells ?? instance.cells, SIZE) };
  },

  verify(instance, answer) {
    const filled = parseGrid(gridOf(instance), answer);
    if (!filled) return false;
    return (
      lines.every((line) => new Set(line.map((cell) => filled[cell])).size === SIZE) &&
      instance.signs.every(([smaller, larger]) => filled[smaller]! < filled[larger]!)
    );
  },

  guess: (instance, random) => guessGrid(gridOf(instance), random),
};
