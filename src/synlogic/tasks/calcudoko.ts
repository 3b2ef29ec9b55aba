import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataInteger, metadataValue } from "../metadata.js";
import { bracketedText, firstDoubleBrackets, lastBracketedNumbers } from "../reading/double-brackets.js";
import { lastCodeBlock } from "../reading/final-text.js";
import { asciiDigits } from "../reading/python-integer.js";
import { accept, type Json, type Language, type Row, reject, undecided } from "../row.js";
import { fillCells, type Group, numbersUpTo } from "../search/all-different.js";
import { hasOneSolution, latinSquareFault, randomLatinSquare, rowsAndColumns, squareOf } from "../search/latin-square.js";

type Calcudoko = {
  /** Number of rows and of columns. */
  readonly grid_size: number;
};

/** A cage. Cells are numbered from 0 in reading order. */
interface Cage {
  readonly cells: readonly number[];
  readonly target: number;
  readonly operator: string;
}

/**
 * Computes the result of a cage's operation. Differences and quotients take two numbers, the larger one first. Returns undefined for other
 * numbers of operands and for inexact quotients.
 */
function resultOf(numbers: readonly number[], operator: string): number | undefined {
  if (operator === "+") return numbers.reduce((sum, number) => sum + number, 0);
  if (operator === "*") return numbers.reduce((product, number) => product * number, 1);
  if (numbers.length !== 2) return undefined;
  const [small, large] = [Math.min(...numbers), Math.max(...numbers)];
  if (operator === "-") return large - small;
  return operator === "÷" && large % small === 0 ? large / small : undefined;
}

/**
 * Returns the rule of a cage for the search. The rule depends only on the set of numbers in the cage, so the result for each set is
 * computed once.
 */
function cageRule({ cells, target, operator }: Cage, size: number): Group["allowed"] {
  const known = new Map<number, number>();
  function candidates(held: readonly number[]): number {
    if (held.length === cells.length) return resultOf(held, operator) === target ? numbersUpTo(size) : 0;
    if ((operator === "+" || operator === "*") && resultOf(held, operator)! > target) return 0;
    const key = held.reduce((mask, number) => mask | (1 << number), 0);
    let mask = known.get(key);
    if (mask === undefined) {
      mask = 0;
      for (let number = 1; number <= size; number++) {
        if (!held.includes(number) && candidates([...held, number]) !== 0) mask |= 1 << number;
      }
      known.set(key, mask);
    }
    return mask;
  }
  return (numbers) => candidates(numbers.filter((number) => number !== 0));
}

function groupsOf(size: number, cages: readonly Cage[]): Group[] {
  return [...rowsAndColumns(size), ...cages.map((cage) => ({ cells: cage.cells, allowed: cageRule(cage, size) }))];
}

/** Fill a Latin square, so that the operation of each cage gives its target. */
export const calcudoko: SynlogicTask<Calcudoko> = {
  name: "calcudoko",
  summary: "Fill a Latin square so that the operation of each cage gives its target.",
  languages: ["en", "zh"],
  parameters: { grid_size: { kind: "integer", least: 3, most: 7, meaning: "rows and columns" } },
  levels: { tiny: { grid_size: 3 }, easy: { grid_size: 4 }, medium: { grid_size: 5 }, hard: { grid_size: 6 } },
  attributes: ["grid_size"],
  generate(random, { grid_size }, language) {
    for (;;) {
      const grid = randomLatinSquare(random, grid_size);
      const cages = drawCages(random, grid);
      if (!cages || !hasOneSolution(grid_size, groupsOf(grid_size, cages))) continue;
      const regions = cages.map(({ cells, target, operator }) => ({
        cells: cells.map((cell) => `(${Math.floor(cell / grid_size) + 1},${(cell % grid_size) + 1})`),
        target,
        operator,
      }));
      return { question: question(grid_size, regions, language), answer: bracketedText(grid), metadata: { grid_size, regions } };
    }
  },
  solve(row) {
    const { size, cages } = puzzleOf(row);
    const solution = fillCells({ size, groups: groupsOf(size, cages) }, 1).found[0];
    if (!solution)
      throw new InputError("calcudoko: solve: expected a puzzle with a solution, found none (its cages contradict each other)");
    return bracketedText(squareOf(solution));
  },
  verify(row, text) {
    const { size, cages } = puzzleOf(row);
    const answer = lastBracketedNumbers(text);
    if (!answer) return reject("there are no numbers in double square brackets after the reasoning");
    const { rows, exact, found } = answer;
    if (rows.length !== size || rows.some((numbers) => numbers.length !== size)) {
      return reject(`expected ${size} rows of ${size} numbers`, found);
    }
    const fault = latinSquareFault(rows) ?? cageFault(rows.flat(), cages, size);
    if (fault) return reject(fault, found);
    return exact ? accept(found) : undecided("the numbers are right, but not in the notation that the question asks for", found);
  },
  guess(row, random) {
    return bracketedText(randomLatinSquare(random, metadataInteger(row, "grid_size")));
  },
  published(row, response) {
    const { size, cages } = puzzleOf(row);
    const numbers = publishedReading(response, size);
    return numbers !== undefined && latinSquareFault(squareOf(numbers)) === undefined && cageFault(numbers, cages, size) === undefined;
  },
};

function cageFault(numbers: readonly number[], cages: readonly Cage[], size: number): string | undefined {
  for (const { cells, target, operator } of cages) {
    const place = `the cage at row ${Math.floor(cells[0]! / size) + 1}, column ${(cells[0]! % size) + 1}`;
    const inCage = cells.map((cell) => numbers[cell]!);
    const repeated = inCage.find((number, i) => inCage.indexOf(number) < i);
    if (repeated !== undefined) return `${place} repeats ${repeated}`;
    const result = resultOf(inCage, operator);
    if (result !== target) return `${place} gives ${result ?? "no whole number"}, not ${target}${operator}`;
  }
  return undefined;
}

/** Cuts the grid into connected cages of two to four different numbers. Returns undefined if cells are left over. */
function drawCages(random: Random, grid: readonly (readonly number[])[]): Cage[] | undefined {
  const size = grid.length;
  const numbers = grid.flat();
  const free = new Set(numbers.keys());
  const cages: number[][] = [];
  const neighbours = (cell: number) =>
    [cell - size, cell + size, ...(cell % size > 0 ? [cell - 1] : []), ...(cell % size < size - 1 ? [cell + 1] : [])].filter(
      (other) => other >= 0 && other < size * size,
    );
  const joins = (cage: readonly number[], cell: number) =>
    cage.some((other) => neighbours(cell).includes(other)) && cage.every((other) => numbers[other] !== numbers[cell]);
  for (const start of shuffle(random, numbers.keys())) {
    if (!free.delete(start)) continue;
    const cage = [start];
    const length = randomInteger(random, 2, Math.min(4, size));
    while (cage.length < length) {
      const next = [...free].filter((cell) => joins(cage, cell));
      if (next.length === 0) break;
      const cell = randomChoice(random, next);
      free.delete(cell);
      cage.push(cell);
    }
    if (cage.length > 1) cages.push(cage);
    else {
      const hosts = cages.filter((other) => other.length < 4 && joins(other, start));
      const [host] = shuffle(random, hosts);
      if (!host) return undefined;
      host.push(start);
    }
  }
  return cages.map((cells) => {
    const inCage = cells.map((cell) => numbers[cell]!);
    const operators = cells.length > 2 ? ["+", "*"] : resultOf(inCage, "÷") === undefined ? ["-"] : ["-", "÷"];
    const operator = operators.length === 2 && randomBoolean(random) ? operators[1]! : operators[0]!;
    return { cells, operator, target: resultOf(inCage, operator)! };
  });
}

function puzzleOf(row: Row): { readonly size: number; readonly cages: readonly Cage[] } {
  const size = metadataInteger(row, "grid_size");
  if (size < 1 || size > 30) throw metadataError(row, "grid_size", "an integer within [1, 30]");
  const expected = 'a list of { cells: ["(row,column)", …], target, operator }';
  const regions = metadataValue(row, "regions", expected, (x): x is readonly Json[] => Array.isArray(x));
  const cages = regions.map((region) => {
    const cage = isObject(region) ? region : {};
    const cells = Array.isArray(cage.cells) ? cage.cells.map((cell) => cellNumber(cell, size)) : [];
    const { target, operator } = cage;
    if (
      cells.length === 0 ||
      cells.includes(undefined) ||
      !Number.isSafeInteger(target) ||
      !["+", "-", "*", "÷"].includes(String(operator))
    ) {
      throw metadataError(row, "regions", expected);
    }
    return { cells: cells as number[], target: target as number, operator: operator as string };
  });
  return { size, cages };
}

/** Parses `(row,column)`, counted from 1. Returns the number of the cell in reading order, or undefined for any other value. */
function cellNumber(cell: unknown, size: number): number | undefined {
  const match = /^\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)$/.exec(String(cell));
  const [i, j] = [Number(match?.[1]) - 1, Number(match?.[2]) - 1];
  return i >= 0 && i < size && j >= 0 && j < size ? i * size + j : undefined;
}

/**
 * Emulates how the published verifier reads an answer. It takes the first text in double brackets on one line, else the last Python block,
 * else the whole message. It drops everything except digits and blanks, fills up short rows with ones, and cuts off long rows.
 */
function publishedReading(response: string, size: number): number[] | undefined {
  const text = firstDoubleBrackets(response) ?? lastCodeBlock(response, ["python"]) ?? (response.includes("[[") ? undefined : response);
  const rows = text?.split(",").slice(0, size).map(publishedNumbers);
  return rows?.length === size ? rows.flatMap((numbers) => Array.from({ length: size }, (_, j) => numbers[j] ?? 1)) : undefined;
}

function publishedNumbers(row: string): number[] {
  const digits = asciiDigits(row).replace(/[^0-9\s]/g, "");
  return digits.split(/\s+/).filter(Boolean).map(Number);
}

function question(size: number, regions: readonly { cells: string[]; target: number; operator: string }[], language: Language): string {
  const cages = regions.map(({ cells, target, operator }) => `(${cells.join(",")}):${target}${operator}`).join("\n");
  if (language === "zh") {
    return `这是一个 ${size}×${size} 的计算数独（Calcudoku）。请在每个格子中填入 1 到 ${size} 的一个整数，使得：
1. 每一行、每一列中，1 到 ${size} 各出现一次。
2. 每个区域内的数字互不相同。
3. 每个区域内的数字经过所给运算得到目标数。“+”是所有数字之和，“*”是所有数字之积；“-”和“÷”用于两个格子，分别是大数减小数、大数除以小数（必须整除）。

各区域如下。(1,2) 表示第 1 行第 2 列的格子；((1,1),(1,2)):3+ 表示这两个格子的数字之和为 3。
${cages}

请按从上到下、从左到右的顺序给出所有数字：同一行的数字之间用空格分隔，行与行之间用逗号分隔，整个答案放在双方括号中。例如 3×3 的答案写作 [[1 2 3,2 3 1,3 1 2]]。`;
  }
  return `This is a ${size}×${size} Calcudoku puzzle. Put one whole number from 1 to ${size} into each cell so that:
1. Every row and every column holds each number from 1 to ${size} once.
2. No number occurs twice in the same region.
3. The numbers of each region give its target with its operation. + adds all numbers and * multiplies all numbers. - and ÷ belong to two cells: the larger number minus the smaller one, and the larger number divided by the smaller one without a remainder.

The regions are listed below. (1,2) is the cell in row 1 and column 2; ((1,1),(1,2)):3+ says that the numbers of these two cells add up to 3.
${cages}

Give the numbers row by row from top to bottom, each row from left to right: a space between the numbers of a row, a comma between rows, and double square brackets around everything. An answer of size 3×3, for example, is written as [[1 2 3,2 3 1,3 1 2]].`;
}
