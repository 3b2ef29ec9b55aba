import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataGrid } from "../metadata.js";
import { lastListOf } from "../reading/answers.js";
import { integerOf, itemsOf, type Literal } from "../reading/literal.js";
import { asciiDigits } from "../reading/python-integer.js";
import { accept, type Json, type PublishedVerdict, type Row, reject, undecided, type Verdict } from "../row.js";
import { ALL_STEPS, type Cell, cellsOf, neighbours } from "../search/cells.js";
import { arrangement, type MineCount, minesThatMustBe } from "../search/mines.js";
import { question } from "./minesweeper-text.js";

type Minesweeper = {
  readonly n: number;
  readonly mine_den: number;
  readonly reveal_frac: number;
};

type Grid = readonly (readonly string[])[];

const MINE = "M";
const HIDDEN = "X";

const around = (grid: Grid, cell: Cell, fits: (value: string) => boolean) =>
  neighbours(grid, cell, ALL_STEPS).filter(([i, j]) => fits(grid[i]![j]!));

/** Returns each shown number with the hidden cells around it. Cells are numbered in reading order. */
function mineCounts(grid: Grid): MineCount[] {
  return cellsOf(grid, (value) => value !== HIDDEN).map((cell) => ({
    mines: Number(grid[cell[0]]![cell[1]]),
    cells: around(grid, cell, (value) => value === HIDDEN).map(([i, j]) => i * grid[0]!.length + j),
  }));
}

const toCell = (grid: Grid, number: number): Cell => [Math.floor(number / grid[0]!.length), number % grid[0]!.length];

/** Returns the mines that follow from a single number: the number equals the number of hidden cells around it. */
function minesOfSingleNumbers(grid: Grid): number[] {
  const full = mineCounts(grid).filter(({ mines, cells }) => mines === cells.length);
  return [...new Set(full.flatMap(({ cells }) => cells))].sort((a, b) => a - b);
}

/**
 * Whether the question asks only for mines that can be inferred in one step. Half of the published questions do; the questions of this
 * generator do not.
 */
const isOneStep = (row: Row) => /\b(?:one|single|1)[- ](?:\w{1,20}[- ]){0,2}step\b|单步|(?<![进每下]|一步)一步(?!一步)/i.test(row.question);

/** Returns the mines that the question asks for, and all cells that must be mines. The two differ only for questions about one step. */
function wanted(row: Row): { readonly mines: readonly number[]; readonly all: readonly number[] } {
  const grid = revealedGrid(row);
  const counts = mineCounts(grid);
  const known = arrangement(counts, grid.flat().length, hiddenMines(row));
  if (!known) throw metadataError(row, "revealed_grid", "numbers that agree with an arrangement of mines");
  const all = minesThatMustBe(counts, known);
  return { mines: isOneStep(row) ? minesOfSingleNumbers(grid) : all, all };
}

const revealedGrid = (row: Row) =>
  metadataGrid(row, "revealed_grid", "numbers from 0 to 8 and X", (x): x is string => typeof x === "string" && /^[0-8X]$/.test(x));

/** Returns the mines of the full grid, as a first guess at an arrangement. */
function hiddenMines(row: Row): boolean[] {
  const full = row.metadata?.full_grid;
  const values: readonly Json[] = Array.isArray(full) ? full.flat() : [];
  return values.map((value) => value === MINE);
}

const sameNumbers = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((number) => b.includes(number));

const write = (grid: Grid, mines: readonly number[]) => `[${mines.map((mine) => `(${toCell(grid, mine).join(", ")})`).join(", ")}]`;

/** Draws a grid with mines and the numbers of neighbouring mines. */
function drawGrid(random: Random, n: number, mines: number): string[][] {
  const grid = Array.from({ length: n }, () => Array.from({ length: n }, () => ""));
  for (const [i, j] of shuffle(random, cellsOf(grid)).slice(0, mines)) grid[i]![j] = MINE;
  return grid.map((values, i) =>
    values.map((value, j) => (value === MINE ? MINE : String(around(grid, [i, j], (other) => other === MINE).length))),
  );
}

/** Maximum number of draws. If none gives a puzzle, the parameters are rejected. */
const MOST_DRAWS = 1000;

/** Find all hidden cells that must be mines. */
export const minesweeper: SynlogicTask<Minesweeper> = {
  name: "minesweeper",
  summary: "Find all hidden cells of a grid that must be mines.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 2, most: 16, meaning: "rows and columns" },
    mine_den: { kind: "number", least: 0.1, most: 0.5, meaning: "share of mines" },
    reveal_frac: { kind: "number", least: 0.1, most: 0.8, meaning: "share of the other cells that are shown" },
  },
  levels: {
    tiny: { n: 3, mine_den: 0.3, reveal_frac: 0.6 },
    easy: { n: 4, mine_den: 0.3, reveal_frac: 0.4 },
    medium: { n: 8, mine_den: 0.3, reveal_frac: 0.4 },
    hard: { n: 16, mine_den: 0.4, reveal_frac: 0.3 },
  },
  attributes: ["n", "mine_den", "reveal_frac"],
  generate(random, { n, mine_den, reveal_frac }, language) {
    const count = Math.max(1, Math.floor(n * n * mine_den + 1e-9));
    for (let draw = 0; draw < MOST_DRAWS; draw++) {
      const full = drawGrid(random, n, count);
      const safe = shuffle(
        random,
        cellsOf(full, (value) => value !== MINE),
      );
      const shown = new Set(safe.slice(0, Math.max(1, Math.floor(safe.length * reveal_frac + 1e-9))).map(String));
      const grid = full.map((values, i) => values.map((value, j) => (shown.has(String([i, j])) ? value : HIDDEN)));
      const counts = mineCounts(grid);
      const mines = minesThatMustBe(
        counts,
        full.flat().map((value) => value === MINE),
      );
      if (mines.length === 0) continue;
      return {
        question: question(grid, language),
        answer: "",
        metadata: {
          full_grid: full,
          revealed_grid: grid,
          current_mines: mines.map((mine) => [...toCell(grid, mine)]),
          reasoning_steps: reasoningSteps(grid, mines),
          n,
          mine_den,
          reveal_frac,
        },
      };
    }
    throw new InputError(
      `minesweeper: reveal_frac: expected enough numbers in ${n} x ${n} cells to find a mine, got ${reveal_frac} (try a larger one)`,
    );
  },
  solve(row) {
    return write(revealedGrid(row), wanted(row).mines);
  },
  verify(row, text) {
    const grid = revealedGrid(row);
    const answer = lastListOf(text, (item) => itemsOf(item, "list or tuple") !== undefined);
    if (!answer) return reject("there is no list of cells after the reasoning");
    const { found } = answer;
    if (answer.alternative) return reject("two lists are offered as alternatives", found);
    const cells = answer.items.map(cellOf);
    const outside = cells.findIndex((cell) => grid[cell?.[0] ?? -1]?.[cell?.[1] ?? -1] === undefined);
    if (outside >= 0) return reject(`entry ${outside + 1} is not a cell (row, column) of the grid, counted from 0`, found);
    const mines = new Set((cells as Cell[]).map(([i, j]) => i * grid[0]!.length + j));
    const verdict = judge(row, [...mines], found);
    return verdict.right && mines.size < cells.length ? undecided("the list names a cell twice", found) : verdict;
  },
  guess(row, random) {
    const grid = revealedGrid(row);
    const near = [...new Set(mineCounts(grid).flatMap(({ cells }) => cells))];
    return write(grid, shuffle(random, near).slice(0, Math.max(1, Math.round(0.4 * near.length))));
  },
  published,
};

function judge(row: Row, answer: readonly number[], found: string): Verdict {
  const { mines, all } = wanted(row);
  const grid = revealedGrid(row);
  const name = (mine: number) => `(${toCell(grid, mine).join(", ")})`;
  if (sameNumbers(answer, mines)) return accept(found, "these are the cells that must be mines");
  if (sameNumbers(answer, all)) return undecided("these cells must be mines, but not all of them follow in one step", found);
  const missing = mines.find((mine) => !answer.includes(mine));
  if (missing !== undefined) return reject(`${name(missing)} must be a mine and is not listed`, found);
  return reject(`${name(answer.find((mine) => !mines.includes(mine))!)} does not have to be a mine`, found);
}

/** Reads a cell from a pair of row and column. */
function cellOf(literal: Literal): Cell | undefined {
  const numbers = itemsOf(literal, "list or tuple")?.map(integerOf);
  return numbers?.length === 2 && !numbers.includes(undefined) ? (numbers as unknown as Cell) : undefined;
}

/**
 * Describes the steps of a solution: first the numbers that determine mines by themselves, then the mines that follow from several numbers
 * together.
 */
function reasoningSteps(grid: Grid, mines: readonly number[]): Json[] {
  const pair = (mine: number) => [...toCell(grid, mine)];
  const steps: Json[] = [];
  const explained = new Set<number>();
  for (const cell of cellsOf(grid, (value) => value !== HIDDEN && value !== "0")) {
    const cells = around(grid, cell, (value) => value === HIDDEN).map(([i, j]) => i * grid[0]!.length + j);
    const value = grid[cell[0]]![cell[1]]!;
    if (cells.length !== Number(value) || cells.every((one) => explained.has(one))) continue;
    for (const one of cells) explained.add(one);
    const logic = "as many hidden cells as the number says";
    steps.push({ iteration: 1, source_cell: [...cell], source_value: value, found_mines: cells.map(pair), logic });
  }
  const rest = mines.filter((mine) => !explained.has(mine));
  if (rest.length > 0) {
    steps.push({ iteration: 2, source_cell: null, source_value: null, found_mines: rest.map(pair), logic: "several numbers together" });
  }
  return steps;
}

/**
 * Emulates the published verifier. It joins all lists of pairs in the whole message. Without such a list it takes single pairs, and without
 * pairs any two numbers.
 */
function published(row: Row, response: string): PublishedVerdict | undefined {
  const stored = row.metadata?.current_mines;
  if (!Array.isArray(stored)) return undefined;
  const message = asciiDigits(response);
  const number = String.raw`\s{0,99}([0-9]{1,15})\s{0,99}`;
  const pair = String.raw`[([]${number},${number}[)\]]`;
  const lists = [
    ...message.matchAll(new RegExp(String.raw`\[\s{0,99}${pair}(?:\s{0,99},\s{0,99}${pair}){0,999}\s{0,99},?\s{0,99}\]`, "g")),
  ];
  const texts = lists.length > 0 ? lists.map(([text]) => text) : [message];
  const pairs = texts.flatMap((text) => [...text.matchAll(new RegExp(pair, "g"))]);
  const loose = /(?<![0-9])([0-9]{1,15})(?![0-9])[^0-9]{1,99}([0-9]{1,15})(?![0-9])/g;
  const matches = pairs.length > 0 ? pairs : [...message.matchAll(loose)];
  const named = new Set(matches.map((match) => `${Number(match[1])},${Number(match[2])}`));
  return named.size === stored.length && stored.every((cell) => named.has(String(cell)));
}
