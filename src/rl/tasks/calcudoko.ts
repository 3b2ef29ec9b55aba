import type { Random } from "../../base/random.js";
import { drawUntil, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import { fillByLines, formatCells, type Grid, guessGrid, parseGrid, rowsAndColumns } from "./fill-lines.js";
import { countOpen, drawLatinSquare } from "./latin-square.js";
import { levelSettings, type Task } from "./task.js";

/** A 4 × 4 grid in row-major order, and its cages in the order of their letters. A cell is a digit or the letter of its cage. */
export interface Calcudoko {
  readonly cells: readonly string[];
  readonly cages: readonly { readonly target: number; readonly operator: string }[];
}

type Cage = Calcudoko["cages"][number];

const SIZE = 4;
const DIGITS = "1234";
const LETTERS = "ABCD";
/** Maximum number of attempts to find the next cages of a puzzle. If all of them fail, another square is drawn. */
const MAX_ATTEMPTS = 30;
const lines = rowsAndColumns(SIZE, SIZE);

/**
 * Per level: the number of cages, the maximum number of their cells, and their operators. `open` is the minimum number of cells that cannot
 * be determined from rows and columns alone. `steps` is the maximum number of cages that the solution reads.
 */
const levels = [
  { cages: 3, largest: 3, operators: "+-", open: 4, steps: 4 },
  { cages: 4, largest: 3, operators: "+-*", open: 4, steps: 5 },
  { cages: 4, largest: 3, operators: "+-*/", open: 7, steps: 5 },
];
type Level = (typeof levels)[number];

/**
 * Computes the value of a cage. Differences and quotients take two numbers, the larger one first. Returns undefined if there is no value.
 */
function cageValue(operator: string, contents: readonly string[]): number | undefined {
  const numbers = contents.map(Number).sort((a, b) => b - a);
  if (operator === "+") return numbers.reduce((sum, number) => sum + number);
  if (operator === "*") return numbers.reduce((product, number) => product * number);
  const [large, small] = numbers as [number, number];
  if (numbers.length !== 2) return undefined;
  if (operator === "-") return large - small;
  return large % small === 0 ? large / small : undefined;
}

const gridOf = ({ cells }: Calcudoko): Grid => ({ cells, width: SIZE, alphabet: DIGITS });
const isDigit = (symbol: string) => DIGITS.includes(symbol);
const cellsOfCage = (cells: readonly string[], letter: string) => [...cells.keys()].filter((cell) => cells[cell] === letter);

/** For each cell, the other cells of its row and of its column. */
const crossing = Array.from({ length: SIZE * SIZE }, (_, cell) =>
  lines.filter((line) => line.includes(cell)).flatMap((line) => line.filter((other) => other !== cell)),
);
const areNeighbours = (a: number, b: number) =>
  lines.some((line) => line.includes(a) && line.includes(b) && Math.abs(line.indexOf(a) - line.indexOf(b)) === 1);

/** Returns the digit of a cell. For a blank, returns the digits that its row and column leave possible. */
function digitsLeft(cells: readonly string[], cell: number): readonly string[] {
  if (isDigit(cells[cell]!)) return [cells[cell]!];
  return [...DIGITS].filter((digit) => crossing[cell]!.every((other) => cells[other] !== digit));
}

/** Returns all contents of a cage that are possible with the known digits. No digit is repeated within a row or column. */
function contentsOf(cells: readonly string[], members: readonly number[]): string[][] {
  return members.reduce<string[][]>(
    (starts, cell) =>
      starts.flatMap((start) => {
        const seen = start.filter((_, other) => crossing[cell]!.includes(members[other]!));
        return digitsLeft(cells, cell)
          .filter((digit) => !seen.includes(digit))
          .map((digit) => [...start, digit]);
      }),
    [[]],
  );
}

/** Returns the possible contents of a cage that have its target. */
const contentsWithTarget = (cells: readonly string[], members: readonly number[], { target, operator }: Cage) =>
  contentsOf(cells, members).filter((contents) => cageValue(operator, contents) === target);

function fill(instance: Calcudoko) {
  const cageLines = instance.cages.map((cage, index) => {
    const members = cellsOfCage(instance.cells, LETTERS[index]!);
    return {
      cells: members,
      options: (cells: readonly string[]) => contentsWithTarget(cells, members, cage),
      format: (_: string, cells: readonly string[]) => {
        const left = members.map((cell) => digitsLeft(cells, cell).join(" ")).join(" , ");
        return `${LETTERS[index]} ${cage.target} ${cage.operator} : ${left}`;
      },
    };
  });
  return fillByLines(gridOf(instance), cageLines);
}

/** Draws up to `size` neighbouring cells that are not in a cage yet. */
function drawCage(random: Random, cells: readonly string[], size: number): readonly number[] {
  const free = [...cells.keys()].filter((cell) => isDigit(cells[cell]!));
  const members: number[] = [];
  let around = free;
  while (members.length < size && around.length > 0) {
    members.push(randomChoice(random, around));
    around = free.filter((cell) => !members.includes(cell) && members.some((member) => areNeighbours(member, cell)));
  }
  return members.sort((a, b) => a - b);
}

/**
 * Removes cages from a solved grid, one after the other. Each cage is determined by its target and the digits that are still known, so the
 * cages can be filled in the reverse order.
 */
function drawPuzzle(random: Random, { cages, largest, operators }: Level): Calcudoko {
  const solution = drawLatinSquare(random, DIGITS);
  let cells = solution;
  const drawn: { readonly members: readonly number[]; readonly cage: Cage }[] = [];
  for (let attempt = 0; attempt < MAX_ATTEMPTS && drawn.length < cages; attempt++) {
    const members = drawCage(random, cells, randomInteger(random, 2, largest));
    if (members.length === 1) continue;
    const digits = members.map((cell) => solution[cell]!);
    const operator = shuffle(random, operators).find((candidate) => cageValue(candidate, digits) !== undefined)!;
    const cage = { target: cageValue(operator, digits)!, operator };
    const fewer = cells.map((digit, cell) => (members.includes(cell) ? "_" : digit));
    if (contentsWithTarget(fewer, members, cage).length > 1) continue;
    cells = fewer;
    drawn.push({ members, cage });
  }
  drawn.sort((a, b) => a.members[0]! - b.members[0]!);
  return {
    cells: solution.map((digit, cell) => LETTERS[drawn.findIndex(({ members }) => members.includes(cell))] ?? digit),
    cages: drawn.map(({ cage }) => cage),
  };
}

/**
 * Fill a 4 × 4 Latin square whose cages have given sums, differences, products or ratios (SynLogic's `calcudoko`). Some digits are given.
 * The steps read the cages in turn and fill the cells that the target and the known digits determine, so the solution is unique.
 */
export const calcudoko: Task<Calcudoko> = {
  name: "calcudoko",
  levels: levels.length,

  generate(random, level) {
    const settings = levelSettings(this.name, levels, level);
    return drawUntil(
      () => drawPuzzle(random, settings),
      (drawn) =>
        drawn.cages.length === settings.cages && countOpen(drawn.cells, DIGITS) >= settings.open && fill(drawn).steps <= settings.steps,
    );
  },

  question({ cells, cages }) {
    const targets = cages.map(({ target, operator }, index) => `${LETTERS[index]} ${target} ${operator}`);
    return `Fill the calcudoko with 1 2 3 4 , ${targets.join(" , ")} :\n${formatCells(cells, SIZE)}`;
  },

  solve(instance) {
    const { thinking, answer } = fill(instance);
    return { thinking, answer };
  },

  /** Accepts every Latin square with the given digits and the values of the cages. */
  verify(instance, answer) {
    const filled = parseGrid(gridOf(instance), answer);
    if (!filled) return false;
    const { cells, cages } = instance;
    const contents = (members: readonly number[]) => members.map((cell) => filled[cell]!);
    return (
      lines.every((line) => new Set(contents(line)).size === SIZE) &&
      cages.every(({ target, operator }, index) => cageValue(operator, contents(cellsOfCage(cells, LETTERS[index]!))) === target)
    );
  },

  guess: (instance, random) => guessGrid(gridOf(instance), random),
};
