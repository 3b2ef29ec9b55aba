import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataGrid } from "../metadata.js";
import { lastBlockLiteral } from "../reading/answers.js";
import { lastCodeBlock } from "../reading/final-text.js";
import { findLiterals, gridOf, integerOf, type Literal, parseLiteral } from "../reading/literal.js";
import { accept, type Json, type Language, type Row, reject } from "../row.js";
import { fillCells, type Group } from "../search/all-different.js";
import { latinSquareFault, rowsAndColumns, squareOf } from "../search/latin-square.js";

type Sudoku = {
  readonly difficulty: number;
  readonly unique_solution: boolean;
  /** Number of rows and of columns of a box: 3 for the usual board, 2 for a board of 4 rows and columns. */
  readonly box: number;
};

type Grid = readonly (readonly number[])[];

/** Minimum and maximum number of given cells on a board of 81 cells, for each difficulty. */
const GIVEN_CELLS = { 1: [70, 80], 2: [55, 70], 3: [40, 55], 4: [25, 40] } as const;

/** Returns the top left cell of the box that contains a cell. */
const boxOf = (i: number, j: number, box: number) => [i - (i % box), j - (j % box)] as const;

function groupsOf(size: number): Group[] {
  const box = Math.sqrt(size);
  const boxes = new Map<string, number[]>();
  for (let cell = 0; cell < size * size; cell++) {
    const key = String(boxOf(Math.floor(cell / size), cell % size, box));
    boxes.set(key, [...(boxes.get(key) ?? []), cell]);
  }
  return [...rowsAndColumns(size), ...[...boxes.values()].map((cells) => ({ cells }))];
}

/** Fill a board so that rows, columns and boxes hold every number once. */
export const sudoku: SynlogicTask<Sudoku> = {
  name: "sudoku",
  summary: "Fill a board so that each row, column and box holds every number once.",
  languages: ["en", "zh"],
  parameters: {
    difficulty: { kind: "integer", least: 1, most: 4, meaning: "1 leaves 1 to 11 of 81 cells free, 4 leaves 41 to 56 free" },
    unique_solution: { kind: "flag", meaning: "whether there is only one solution" },
    box: { kind: "integer", least: 2, most: 3, meaning: "rows and columns of a box; 2 gives a board of 4 rows and columns" },
  },
  levels: {
    tiny: { difficulty: 2, unique_solution: true, box: 2 },
    easy: { difficulty: 1, unique_solution: true, box: 3 },
    medium: { difficulty: 2, unique_solution: true, box: 3 },
    hard: { difficulty: 3, unique_solution: true, box: 3 },
  },
  attributes: ["difficulty", "box"],
  generate(random, { difficulty, unique_solution, box }, language) {
    const size = box ** 2;
    const [least, most] = GIVEN_CELLS[difficulty as keyof typeof GIVEN_CELLS].map((cells) => (cells * size ** 2) / 81);
    for (;;) {
      const complete = fillCells({ size, groups: groupsOf(size) }, 1, random).found[0]!;
      const given = blank(random, complete, size, randomInteger(random, Math.ceil(least!), Math.floor(most!)), unique_solution);
      if (given.filter(Boolean).length > most!) continue;
      const original_sudoku = squareOf(given.map((number) => number || "X"));
      const complete_sudoku = squareOf(complete);
      return {
        question: question(original_sudoku, language),
        answer: tupleText(complete_sudoku),
        metadata: { original_sudoku, complete_sudoku, difficulty, unique_solution },
      };
    }
  },
  solve(row) {
    const given = givenNumbers(row);
    const size = given.length;
    const solution = fillCells({ size, groups: groupsOf(size), given: given.flat() }, 1).found[0];
    if (!solution)
      throw new InputError("sudoku: solve: expected a board with a solution, found none (its given numbers contradict each other)");
    return write(squareOf(solution));
  },
  verify(row, text) {
    const given = givenNumbers(row);
    const answer = lastBlockLiteral(text);
    if (!answer) return reject("there is no code block after the reasoning that holds only a tuple of tuples");
    const grid = gridOf(answer.literal, integerOf, "list or tuple");
    if (grid?.length !== given.length || grid[0]!.length !== given.length) {
      return reject(`expected ${given.length} rows of ${given.length} integers`, answer.found);
    }
    const fault = sudokuFault(grid, given);
    return fault ? reject(fault, answer.found) : accept(answer.found);
  },
  guess(row, random) {
    const given = givenNumbers(row);
    return write(given.map((numbers) => numbers.map((number) => number || randomInteger(random, 1, given.length))));
  },
  // The published verifier reads the last Python block of the whole message, else the last nested tuple, and takes True as 1.
  published(row, response) {
    const given = givenNumbers(row);
    const block = lastCodeBlock(response, ["python"]);
    const literal = block === undefined ? lastNestedTuple(response) : parseLiteral(block);
    const cell = (one: Literal) => (one.kind === "boolean" ? Number(one.value) : integerOf(one));
    const grid = gridOf(literal, cell, "list or tuple");
    return grid?.length === given.length && grid[0]!.length === given.length && !sudokuFault(grid, given);
  },
};

/** Frees cells in random order until only `target` given cells are left, or until no further cell can be freed. Free cells are 0. */
function blank(random: Random, complete: readonly number[], size: number, target: number, unique: boolean): number[] {
  const given = [...complete];
  let left = given.length;
  for (const cell of shuffle(random, given.keys())) {
    if (left === target) break;
    given[cell] = 0;
    const solutions = unique ? fillCells({ size, groups: groupsOf(size), given }, 2) : undefined;
    if (solutions && (!solutions.complete || solutions.found.length > 1)) given[cell] = complete[cell]!;
    else left--;
  }
  return given;
}

function sudokuFault(grid: Grid, given: Grid): string | undefined {
  for (const [i, numbers] of given.entries()) {
    const j = numbers.findIndex((number, column) => number !== 0 && number !== grid[i]![column]);
    if (j >= 0) return `row ${i + 1}, column ${j + 1} holds ${grid[i]![j]}, where ${numbers[j]} is given`;
  }
  const fault = latinSquareFault(grid);
  if (fault) return fault;
  const box = Math.sqrt(grid.length);
  const seen = new Set<string>();
  for (const [i, numbers] of grid.entries()) {
    for (const [j, number] of numbers.entries()) {
      const [top, left] = boxOf(i, j, box);
      const key = String([top, left, number]);
      if (seen.has(key)) return `the box at row ${top + 1}, column ${left + 1} repeats ${number}`;
      seen.add(key);
    }
  }
  return undefined;
}

/** Returns the given numbers, with 0 for a free cell. */
function givenNumbers(row: Row): number[][] {
  const expected = 'integers within the size of the board, or "X"';
  const isCell = (x: Json): x is number | "X" => x === "X" || (Number.isSafeInteger(x) && (x as number) >= 1);
  const grid = metadataGrid(row, "original_sudoku", expected, isCell);
  const size = grid.length;
  if (size !== grid[0]!.length || ![4, 9, 16, 25].includes(size) || grid.flat().some((cell) => cell !== "X" && cell > size)) {
    throw metadataError(row, "original_sudoku", `a square board of 4, 9, 16 or 25 rows of ${expected}`);
  }
  return grid.map((cells) => cells.map((cell) => (cell === "X" ? 0 : cell)));
}

function lastNestedTuple(text: string): Literal | undefined {
  return findLiterals(text, "(")
    .map(({ literal }) => literal)
    .filter((literal) => literal.kind === "tuple" && literal.items[0]?.kind === "tuple")
    .at(-1);
}

const tupleText = (grid: Grid) => `(${grid.map((row) => `(${row.join(", ")})`).join(", ")})`;

const write = (grid: Grid) => `\`\`\`python\n${tupleText(grid)}\n\`\`\``;

function question(board: readonly (readonly (number | string)[])[], language: Language): string {
  const size = board.length;
  const box = Math.sqrt(size);
  const picture = board.map((row) => row.join("")).join("\n");
  const first = Array.from({ length: size }, (_, i) => i + 1).join(",");
  const second = Array.from({ length: size }, (_, i) => ((i + box) % size) + 1).join(",");
  const example = `\`\`\`python\n((${first}),(${second}),...)\n\`\`\``;
  if (language === "zh") {
    return `这是一个 ${size}×${size} 的数独，X 表示空格：
${picture}

请把每个 X 换成 1 到 ${size} 的一个数字，使每一行、每一列和每个 ${box}×${box} 的宫中，1 到 ${size} 各出现一次。已给出的数字保持不变。

请在最后用 Python 代码块给出整个棋盘，写成元组的元组，每一行一个元组，形如：
${example}`;
  }
  return `This is a ${size}×${size} sudoku. X marks the free cells:
${picture}

Replace each X with a number from 1 to ${size}, so that each row, each column and each ${box}×${box} box holds every number from 1 to ${size} once. The given numbers do not change.

End your answer with a Python code block that holds the whole board as a tuple of tuples, a tuple for each row, like this:
${example}`;
}
