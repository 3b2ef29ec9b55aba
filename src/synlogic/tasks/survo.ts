import { InputError } from "../../base/errors.js";
import { randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataGrid, metadataIntegers } from "../metadata.js";
import { lastBlockLiteral, lastNestedList } from "../reading/answers.js";
import { codeBlocks, lastCodeBlock } from "../reading/final-text.js";
import { gridOf, type Literal, parseLiteral } from "../reading/literal.js";
import { accept, type Json, type Language, type Row, reject, undecided } from "../row.js";

type Survo = {
  /** Number of rows and of columns, including the sums. */
  readonly n: number;
  /** Number of free cells. */
  readonly x: number;
  readonly min_num: number;
  readonly max_num: number;
};

type Grid = readonly (readonly number[])[];

/** A matrix with 0 in its free cells, and the numbers to place there. */
interface SurvoPuzzle {
  readonly matrix: Grid;
  readonly candidates: readonly number[];
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

/** Maximum number of attempts to place a number. It ends the search within seconds for any puzzle. */
const MAX_STEPS = 3_000_000;
/** Maximum number of draws of a matrix, until one has a single solution. */
const MAX_DRAWS = 200;

/** Fill the free cells of a matrix so that the last entry of each row and column is the sum of the others. */
export const survo: SynlogicTask<Survo> = {
  name: "survo",
  summary: "Place given numbers in a matrix so that the last entry of each row and column is the sum of the others.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 3, most: 8, meaning: "rows and columns, the sums included" },
    x: { kind: "integer", least: 1, most: 14, meaning: "free cells, at most 2·(n − 1)" },
    min_num: { kind: "integer", least: 1, most: 99, meaning: "smallest number, at most max_num" },
    max_num: { kind: "integer", least: 1, most: 99, meaning: "largest number" },
  },
  levels: {
    tiny: { n: 3, x: 2, min_num: 1, max_num: 9 },
    easy: { n: 4, x: 4, min_num: 1, max_num: 9 },
    medium: { n: 5, x: 6, min_num: 1, max_num: 9 },
    hard: { n: 8, x: 14, min_num: 1, max_num: 9 },
  },
  attributes: ["x", "n", "max_num"],
  generate(random, parameters, language) {
    const { n, x, min_num, max_num } = parameters;
    if (x > 2 * (n - 1)) throw new InputError(`survo: x: expected at most ${2 * (n - 1)} free cells for n = ${n}, got ${x} (or raise n)`);
    if (min_num > max_num) throw new InputError(`survo: min_num: expected at most max_num, ${max_num}, got ${min_num}`);
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      const inner = Array.from({ length: n - 1 }, () => Array.from({ length: n - 1 }, () => randomInteger(random, min_num, max_num)));
      const rows = inner.map((row) => [...row, sumOf(row)]);
      const filled_matrix = [...rows, rows[0]!.map((_, j) => sumOf(rows.map((row) => row[j]!)))];
      const cells = Array.from({ length: (n - 1) ** 2 }, (_, cell) => [Math.floor(cell / (n - 1)), cell % (n - 1)] as const);
      const free = shuffle(random, cells).slice(0, x);
      const original_matrix = filled_matrix.map((row) => [...row]);
      for (const [i, j] of free) original_matrix[i]![j] = 0;
      const candidate_numbers = free.map(([i, j]) => filled_matrix[i]![j]!);
      const puzzle = { matrix: original_matrix, candidates: candidate_numbers };
      const solutions = search(puzzle, 2);
      if (!solutions.complete || solutions.found.length !== 1) continue;
      return {
        question: question(puzzle, language),
        answer: listText(filled_matrix),
        metadata: { original_matrix, filled_matrix, candidate_numbers, n, x, min_num, max_num },
      };
    }
    throw new InputError(
      `survo: generate: expected parameters that give a single solution, got none in ${MAX_DRAWS} draws (lower x, or choose a wider range of numbers)`,
    );
  },
  solve(row) {
    const solution = search(puzzleOf(row), 1).found[0];
    if (!solution) throw new InputError("survo: solve: expected a matrix with a solution, found none (its numbers do not give its sums)");
    return write(solution);
  },
  verify(row, text) {
    const puzzle = puzzleOf(row);
    // The question asks for a block that contains only the matrix.
    const answer = lastBlockLiteral(text, { dialect: "python without comments" });
    if (!answer) return reject("there is no code block after the reasoning that holds only a list of lists");
    const grid = gridOf(answer.literal, wholeNumber);
    const size = puzzle.matrix.length;
    if (grid?.length !== size || grid[0]!.length !== size) return reject(`expected ${size} rows of ${size} integers`, answer.found);
    const fault = survoFault(grid, puzzle);
    if (fault) return reject(fault, answer.found);
    if (gridOf(answer.literal, (cell) => (cell.kind === "integer" ? cell.value : undefined))) return accept(answer.found);
    return undecided("the numbers are right, but written as decimals", answer.found);
  },
  guess(row, random) {
    const { matrix, candidates } = puzzleOf(row);
    const numbers = shuffle(random, candidates);
    return write(matrix.map((cells) => cells.map((cell) => cell || numbers.pop() || 0)));
  },
  // The published verifier reads the last Python block, else the last block, else the last list of lists, as JSON. It takes True as 1.
  published(row, response) {
    const puzzle = puzzleOf(row);
    const content = lastCodeBlock(response, ["python"]) ?? codeBlocks(response).at(-1)?.content ?? lastNestedList(response)?.found;
    const literal = parseLiteral((content ?? "").replaceAll("'", '"'), "json");
    const grid = gridOf(literal, (cell) => (cell.kind === "boolean" ? Number(cell.value) : wholeNumber(cell)));
    const size = puzzle.matrix.length;
    return grid?.length === size && grid[0]!.length === size && !survoFault(grid, puzzle);
  },
};

/** Reads an integer, which may be written as a decimal such as 3.0. */
function wholeNumber(cell: Literal): number | undefined {
  if (cell.kind === "integer") return cell.value;
  return cell.kind === "decimal" && /^-?[0-9]{1,15}\.0+$/.test(cell.text) ? Number(cell.text) : undefined;
}

function survoFault(grid: Grid, { matrix, candidates }: SurvoPuzzle): string | undefined {
  const placed: number[] = [];
  for (const [i, cells] of matrix.entries()) {
    for (const [j, cell] of cells.entries()) {
      const number = grid[i]![j]!;
      if (cell === 0) placed.push(number);
      else if (cell !== number) return `row ${i + 1}, column ${j + 1} holds ${number}, where ${cell} is given`;
    }
  }
  const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b).join(", ");
  if (sorted(placed) !== sorted(candidates)) return `the free cells hold ${sorted(placed)}, not ${sorted(candidates)}`;
  const columns = grid.map((_, j) => grid.map((row) => row[j]!));
  for (const [name, lines] of [["row", grid] as const, ["column", columns] as const]) {
    for (const [i, line] of lines.entries()) {
      const sum = sumOf(line.slice(0, -1));
      if (sum !== line.at(-1)) return `${name} ${i + 1} adds up to ${sum}, not to ${line.at(-1)}`;
    }
  }
  return undefined;
}

/** Finds up to `limit` ways to fill the matrix. The search continues with the free cell whose row or column has the fewest free cells. */
function search({ matrix, candidates }: SurvoPuzzle, limit: number): { readonly found: readonly Grid[]; readonly complete: boolean } {
  const last = matrix.length - 1;
  const grid = matrix.map((cells) => [...cells]);
  const free = matrix.flatMap((cells, i) => cells.flatMap((cell, j) => (cell === 0 ? [{ i, j: last + 1 + j, set: false }] : [])));
  /** For each row, then for each column: the difference to its sum, and the number of its free cells. */
  const columns = matrix.map((_, j) => matrix.map((cells) => cells[j]!));
  const lines = [...matrix, ...columns].map((line) => ({
    missing: line[last]! - sumOf(line.slice(0, last)),
    free: line.filter((cell) => cell === 0).length,
  }));
  const left = new Map<number, number>();
  for (const number of [...candidates].sort((a, b) => a - b)) left.set(number, (left.get(number) ?? 0) + 1);
  const [smallest, largest] = [Math.min(...candidates), Math.max(...candidates)];
  const found: Grid[] = [];
  let steps = 0;

  const fits = (line: { missing: number; free: number }) => smallest * line.free <= line.missing && line.missing <= largest * line.free;
  /** Places the remaining numbers. Returns false if the search has to stop. */
  function place(count: number): boolean {
    if (count === free.length) {
      found.push(grid.map((cells) => [...cells]));
      return found.length < limit;
    }
    const fewest = (cell: { i: number; j: number }) => Math.min(lines[cell.i]!.free, lines[cell.j]!.free);
    const cell = free.filter(({ set }) => !set).reduce((best, one) => (fewest(one) < fewest(best) ? one : best));
    const [row, column] = [lines[cell.i]!, lines[cell.j]!];
    cell.set = true;
    for (const [number, available] of left) {
      if (available === 0) continue;
      if (++steps > MAX_STEPS) return false;
      left.set(number, available - 1);
      for (const line of [row, column]) {
        line.missing -= number;
        line.free--;
      }
      grid[cell.i]![cell.j - last - 1] = number;
      const goOn = !fits(row) || !fits(column) || place(count + 1);
      for (const line of [row, column]) {
        line.missing += number;
        line.free++;
      }
      left.set(number, available);
      if (!goOn) return false;
    }
    cell.set = false;
    return true;
  }
  if (free.length !== candidates.length || !lines.every((line, i) => i % (last + 1) === last || fits(line)))
    return { found, complete: true };
  return { complete: place(0), found };
}

function puzzleOf(row: Row): SurvoPuzzle {
  const matrix = metadataGrid(row, "original_matrix", "integers", (x: Json): x is number => Number.isSafeInteger(x));
  if (matrix.length !== matrix[0]!.length || matrix.length < 2) throw metadataError(row, "original_matrix", "as many rows as columns");
  if (matrix.at(-1)!.includes(0) || matrix.some((cells) => cells.at(-1) === 0)) {
    throw metadataError(row, "original_matrix", "sums in the last row and the last column, 0 in free cells only");
  }
  return { matrix, candidates: metadataIntegers(row, "candidate_numbers") };
}

const listText = (grid: Grid) => `[${grid.map((row) => `[${row.join(", ")}]`).join(", ")}]`;

const write = (grid: Grid) => `\`\`\`python\n[\n${grid.map((row) => `    [${row.join(", ")}]`).join(",\n")}\n]\n\`\`\``;

function question({ matrix, candidates }: SurvoPuzzle, language: Language): string {
  const size = matrix.length;
  const picture = `[${matrix.map((row) => `[${row.map((number) => number || "'X'").join(", ")}]`).join(", ")}]`;
  const numbers = `[${candidates.join(", ")}]`;
  const example = "```python\n[\n    [1, 2, 3],\n    [4, 5, 9],\n    [5, 7, 12]\n]\n```";
  if (language === "zh") {
    return `这是一个 ${size}×${size} 的 Survo 矩阵，'X' 表示空格：
${picture}

每一行的最后一个数等于该行其他数之和，每一列的最后一个数等于该列其他数之和。请用下面的数字填满所有空格：
${numbers}
每个数字使用的次数与它在列表中出现的次数相同。已给出的数保持不变。

请在最后用 Python 代码块给出完整的矩阵，写成整数列表的列表。代码块中只能有矩阵，不能有注释或其他内容，例如：
${example}`;
  }
  return `This is a Survo matrix of ${size} rows and ${size} columns. 'X' marks the free cells:
${picture}

The last number of each row is the sum of the other numbers of the row, and the last number of each column is the sum of the other numbers of the column. Fill the free cells with these numbers:
${numbers}
Use each number exactly as often as it is listed. The given numbers do not change.

End your answer with a Python code block that holds the complete matrix as a list of lists of integers. The block must hold only the matrix, without comments, for example:
${example}`;
}
