import { InputError } from "../../base/errors.js";
import { shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataInteger, metadataValue } from "../metadata.js";
import { allDoubleBrackets, bracketedText, lastBracketedNumbers } from "../reading/double-brackets.js";
import { asciiDigits } from "../reading/python-integer.js";
import { accept, type Json, type Language, type Row, reject, undecided } from "../row.js";
import { fillCells, type Group, numbersUpTo } from "../search/all-different.js";
import { latinSquareFault, randomLatinSquare, rowsAndColumns, squareOf } from "../search/latin-square.js";

type Futoshiki = {
  /** Number of rows and of columns. */
  readonly grid_size: number;
  readonly num_inequality_signs: number;
  readonly num_prefilled_coords: number;
};

type Sign = "<" | ">";
/** A cell as row and column, counted from 0. */
type Place = readonly [number, number];
type Constraint = readonly [Place, Place, Sign];

interface FutoshikiPuzzle {
  readonly size: number;
  readonly constraints: readonly Constraint[];
  /** The given number of each cell, with 0 for a free cell. */
  readonly given: readonly (readonly number[])[];
}

const written = ([i, j]: Place) => `(${i + 1},${j + 1})`;

/** Fill a Latin square so that all signs between neighbouring cells hold. */
export const futoshiki: SynlogicTask<Futoshiki> = {
  name: "futoshiki",
  summary: "Complete a Latin square with given numbers so that all inequality signs hold.",
  languages: ["en", "zh"],
  parameters: {
    grid_size: { kind: "integer", least: 2, most: 9, meaning: "rows and columns" },
    num_inequality_signs: { kind: "integer", least: 0, most: 144, meaning: "signs between neighbors, at most 2·n·(n − 1)" },
    num_prefilled_coords: { kind: "integer", least: 0, most: 81, meaning: "given numbers, at most n²" },
  },
  levels: {
    tiny: { grid_size: 3, num_inequality_signs: 2, num_prefilled_coords: 2 },
    easy: { grid_size: 4, num_inequality_signs: 2, num_prefilled_coords: 2 },
    medium: { grid_size: 5, num_inequality_signs: 7, num_prefilled_coords: 4 },
    hard: { grid_size: 5, num_inequality_signs: 10, num_prefilled_coords: 5 },
  },
  attributes: ["grid_size", "num_inequality_signs", "num_prefilled_coords"],
  generate(random, { grid_size, num_inequality_signs, num_prefilled_coords }, language) {
    const places = Array.from({ length: grid_size ** 2 }, (_, cell): Place => [Math.floor(cell / grid_size), cell % grid_size]);
    const neighbours = places.flatMap(([i, j]): (readonly [Place, Place])[] => [
      ...(j + 1 < grid_size
        ? [
            [
              [i, j],
              [i, j + 1],
            ] as const,
          ]
        : []),
      ...(i + 1 < grid_size
        ? [
            [
              [i, j],
              [i + 1, j],
            ] as const,
          ]
        : []),
    ]);
    expectAtMost("num_inequality_signs", num_inequality_signs, neighbours.length, grid_size);
    expectAtMost("num_prefilled_coords", num_prefilled_coords, places.length, grid_size);
    const grid = randomLatinSquare(random, grid_size);
    const constraints = shuffle(random, neighbours)
      .slice(0, num_inequality_signs)
      .map(([a, b]): Constraint => [a, b, grid[a[0]]![a[1]]! < grid[b[0]]![b[1]]! ? "<" : ">"]);
    const prefilled_coords = shuffle(random, places).slice(0, num_prefilled_coords);
    const given = givenNumbers(grid, prefilled_coords);
    return {
      question: question({ size: grid_size, constraints, given }, language),
      answer: grid,
      metadata: { grid_size, num_inequality_signs, num_prefilled_coords, prefilled_coords, constraints },
    };
  },
  solve(row) {
    const { size, constraints, given } = puzzleOf(row);
    const groups = [...rowsAndColumns(size), ...constraints.map((constraint) => signRule(constraint, size))];
    const solution = fillCells({ size, groups, given: given.flat() }, 1).found[0];
    if (!solution)
      throw new InputError("futoshiki: solve: expected a puzzle with a solution, found none (its signs contradict each other)");
    return bracketedText(squareOf(solution));
  },
  verify(row, text) {
    const puzzle = puzzleOf(row);
    const answer = lastBracketedNumbers(text);
    if (!answer) return reject("there are no numbers in double square brackets after the reasoning");
    const { rows, exact, found } = answer;
    if (rows.length !== puzzle.size || rows.some((numbers) => numbers.length !== puzzle.size)) {
      return reject(`expected ${puzzle.size} rows of ${puzzle.size} numbers`, found);
    }
    const fault = latinSquareFault(rows) ?? givenFault(rows, puzzle) ?? signFault(rows, puzzle);
    if (fault) return reject(fault, found);
    return exact ? accept(found) : undecided("the numbers are right, but not in the notation that the question asks for", found);
  },
  guess(row, random) {
    return bracketedText(randomLatinSquare(random, metadataInteger(row, "grid_size")));
  },
  // The published verifier accepts digits of any script, separated by anything except digits and commas. It looks for given numbers in
  // English questions only.
  published(row, response) {
    const puzzle = puzzleOf(row);
    const last = allDoubleBrackets(response).at(-1);
    const rows = asciiDigits(last ?? "")
      .split(",")
      .map((numbers) => (numbers.match(/[0-9]+/g) ?? []).map(Number));
    if (rows.length !== puzzle.size || rows.some((numbers) => numbers.length !== puzzle.size)) return false;
    const english = row.question.includes("Current puzzle:");
    return !latinSquareFault(rows) && !signFault(rows, puzzle) && !(english && givenFault(rows, puzzle));
  },
};

function expectAtMost(name: string, value: number, most: number, size: number): void {
  if (value > most) {
    throw new InputError(`futoshiki: ${name}: expected at most ${most} for ${size} rows and columns, got ${value} (or raise grid_size)`);
  }
}

/** Keeps the numbers of a grid at the given places, and sets all other cells to 0. */
function givenNumbers(grid: readonly (readonly number[])[], places: readonly Place[]): number[][] {
  return grid.map((row, i) => row.map((number, j) => (places.some((place) => place[0] === i && place[1] === j) ? number : 0)));
}

/**
 * Converts a sign to a group for the search. The group has two cells, the smaller number first, and a rule for the numbers that the sign
 * allows.
 */
function signRule([a, b, sign]: Constraint, size: number): Group {
  const cells = [a, b].map(([i, j]) => i * size + j);
  if (sign === ">") cells.reverse();
  const all = numbersUpTo(size);
  const allowed = ([small, large]: readonly number[]) => {
    if (small !== 0 && large !== 0) return small! < large! ? all : 0;
    if (small !== 0) return all & ~numbersUpTo(small!);
    return large === 0 ? all : numbersUpTo(large! - 1);
  };
  return { cells, allowed };
}

function givenFault(rows: readonly (readonly number[])[], { given }: FutoshikiPuzzle): string | undefined {
  for (const [i, numbers] of given.entries()) {
    const j = numbers.findIndex((number, column) => number !== 0 && number !== rows[i]![column]);
    if (j >= 0) return `${rows[i]![j]} at ${written([i, j])}, where ${numbers[j]} is given`;
  }
  return undefined;
}

function signFault(rows: readonly (readonly number[])[], { constraints }: FutoshikiPuzzle): string | undefined {
  for (const [a, b, sign] of constraints) {
    const [x, y] = [rows[a[0]]![a[1]]!, rows[b[0]]![b[1]]!];
    if (sign === "<" ? x >= y : x <= y) return `${written(a)} ${sign} ${written(b)} does not hold for ${x} and ${y}`;
  }
  return undefined;
}

function puzzleOf(row: Row): FutoshikiPuzzle {
  const size = metadataInteger(row, "grid_size");
  if (size < 1 || size > 30) throw metadataError(row, "grid_size", "an integer within [1, 30]");
  const isPlace = (x: Json | undefined): x is Place =>
    Array.isArray(x) && x.length === 2 && x.every((i) => Number.isSafeInteger(i) && i >= 0 && i < size);
  const isConstraint = (x: Json): x is Constraint =>
    Array.isArray(x) && isPlace(x[0]) && isPlace(x[1]) && (x[2] === "<" || x[2] === ">") && x.length === 3;
  const constraints = metadataValue(row, "constraints", 'a list of [[row, column], [row, column], "<" or ">"]', (x): x is Constraint[] => {
    return Array.isArray(x) && x.every(isConstraint);
  });
  const places = metadataValue(
    row,
    "prefilled_coords",
    "a list of [row, column]",
    (x): x is Place[] => Array.isArray(x) && x.every(isPlace),
  );
  return { size, constraints, given: givenInQuestion(row.question, size, places) ?? givenInAnswer(row, size, places) };
}

/**
 * Reads the given numbers from the question, because the published metadata contains only their places. The question shows the grid as n
 * consecutive lines of n entries, in which `X` is a free cell. Returns undefined if there is no such grid.
 */
function givenInQuestion(question: string, size: number, places: readonly Place[]): number[][] | undefined {
  const lines = question.split("\n").map((line) => line.trim().split(/\s+/));
  const isLine = (entries: readonly string[]) => entries.length === size && entries.every((entry) => /^(?:X|[1-9][0-9]?)$/.test(entry));
  for (let from = 0; from + size <= lines.length; from++) {
    const grid = lines.slice(from, from + size);
    if (!grid.every(isLine)) continue;
    const given = grid.map((entries) => entries.map((entry) => (entry === "X" ? 0 : Number(entry))));
    if (String(given.map((row) => row.map(Boolean))) === String(givenNumbers(given, places).map((row) => row.map(Boolean)))) return given;
  }
  return undefined;
}

/** Reads the given numbers from the stored answer. They are right even if the answer breaks signs. */
function givenInAnswer(row: Row, size: number, places: readonly Place[]): number[][] {
  const grid = row.answer;
  const isRow = (x: Json): x is number[] => Array.isArray(x) && x.length === size && x.every(Number.isSafeInteger);
  if (places.length === 0) return Array.from({ length: size }, () => new Array<number>(size).fill(0));
  if (!Array.isArray(grid) || grid.length !== size || !grid.every(isRow)) {
    throw new InputError(`futoshiki: row: expected ${size} lines of ${size} given numbers or X in the question, found none`);
  }
  return givenNumbers(grid, places);
}

function question({ size, constraints, given }: FutoshikiPuzzle, language: Language): string {
  const picture = given.map((row) => row.map((number) => number || "X").join(" ")).join("\n");
  const signs = constraints.map(([a, b, sign]) => `${written(a)} ${sign} ${written(b)}`).join("\n");
  if (language === "zh") {
    return `这是一个 ${size}×${size} 的不等式数独（Futoshiki）。请在每个 X 处填入 1 到 ${size} 的一个整数，使得：
1. 每一行、每一列中，1 到 ${size} 各出现一次。
2. 已给出的数字保持不变。
3. 所有不等式都成立。(1,2) 表示第 1 行第 2 列的数字。

当前题目：
${picture}

不等式约束：
${signs || "无"}

请按从上到下、从左到右的顺序给出所有数字：同一行的数字之间用空格分隔，行与行之间用逗号分隔，整个答案放在双方括号中。例如 3×3 的答案写作 [[1 2 3,2 3 1,3 1 2]]。`;
  }
  return `This is a ${size}×${size} Futoshiki puzzle. Put one whole number from 1 to ${size} in place of each X so that:
1. Every row and every column holds each number from 1 to ${size} once.
2. The given numbers do not change.
3. All inequalities hold. (1,2) is the number in row 1 and column 2.

Current puzzle:
${picture}

Inequalities:
${signs || "none"}

Give the numbers row by row from top to bottom, each row from left to right: a space between the numbers of a row, a comma between rows, and double square brackets around everything. An answer of size 3×3, for example, is written as [[1 2 3,2 3 1,3 1 2]].`;
}
