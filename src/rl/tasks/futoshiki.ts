import type { Random } from "../../base/random.js";
import { drawUntil, shuffle } from "../../base/random-draws.js";
import { formatCells, type Grid, guessGrid, parseGrid, rowsAndColumns } from "./fill-lines.js";
import { countOpen, drawLatinSquare, subsquares } from "./latin-square.js";
import { levelSettings, type Task } from "./task.js";

/** A 4 × 4 grid in row-major order, and the signs between neighbouring cells. Blanks are A, B, … in this order. */
export interface Futoshiki {
  readonly cells: readonly string[];
  /** Pairs of cells. The first cell of a pair has the smaller digit. */
  readonly signs: readonly (readonly [smaller: number, larger: number])[];
}

type Sign = Futoshiki["signs"][number];

const SIZE = 4;
const DIGITS = "1234";
const LETTERS = "ABCDE";
const lines = rowsAndColumns(SIZE, SIZE);
const neighbours = lines.flatMap((line) => line.slice(1).map((cell, index) => [line[index]!, cell] as const));

/**
 * Per level: the number of blanks and of signs. `needed` is the minimum number of steps that need a sign. `open` is the minimum number of
 * blanks that cannot be determined from rows and columns alone.
 */
const levels = [
  { blanks: 4, signs: 2, needed: 1, open: 4 },
  { blanks: 5, signs: 3, needed: 1, open: 4 },
  { blanks: 5, signs: 4, needed: 2, open: 0 },
];
type Level = (typeof levels)[number];

const gridOf = ({ cells }: Futoshiki): Grid => ({ cells, width: SIZE, alphabet: DIGITS });
const isDigit = (symbol: string) => DIGITS.includes(symbol);

/** Returns the digits in the row and in the column of a blank. */
const digitsAround = (cells: readonly string[], blank: number) =>
  lines.filter((line) => line.includes(blank)).map((line) => line.map((cell) => cells[cell]!).filter(isDigit));

/** Returns whether a digit obeys a sign. If the other side is a blank, at least one digit must remain possible there. */
function obeys(cells: readonly string[], digit: string, cell: number, [smaller, larger]: Sign): boolean {
  const other = cells[cell === smaller ? larger : smaller]!;
  if (cell === smaller) return digit < (isDigit(other) ? other : "4");
  return digit > (isDigit(other) ? other : "1");
}

interface Step {
  readonly text: string;
  readonly cells: readonly string[];
  /** Whether row and column alone leave several digits possible. */
  readonly needsSign: boolean;
}

/** Fills the blanks in order, as long as row, column and signs leave exactly one digit possible. */
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
 * Returns groups of three cells of which the first needs a sign. The group of a cell contains one later cell of its row and one of its
 * column, which hold the same digit. If all three are blank, row and column leave at least two digits possible for the first.
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

/** Removes digits and then signs from a solved grid, as long as the steps still determine each blank. */
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
 * Fill a 4 × 4 Latin square so that the signs between neighbouring cells hold (SynLogic's `futoshiki`). All signs are written as "smaller <
 * larger". The blanks can be filled in reading order, because row, column and signs always leave exactly one digit possible. The solution
 * is therefore unique.
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
