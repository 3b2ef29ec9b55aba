import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataIntegers } from "../metadata.js";
import { lastNestedList } from "../reading/answers.js";
import { gridOf, integerOf, stringOf } from "../reading/literal.js";
import { strictGrids } from "../reading/published.js";
import { accept, type Language, type PublishedVerdict, type Row, reject, undecided, type Verdict } from "../row.js";

type Cell = "1" | "X";

type Kukurasu = {
  /** Number of rows. */
  readonly n: number;
  /** Number of columns. */
  readonly m: number;
  readonly ones_probability: number;
};

/**
 * Returns the sums of a grid: for each row, the sum of the column numbers of its ones; for each column, the sum of the row numbers of its
 * ones.
 */
function sums(grid: readonly (readonly Cell[])[]) {
  return {
    rows: grid.map((row) => row.reduce((sum, cell, j) => sum + (cell === "1" ? j + 1 : 0), 0)),
    columns: grid[0]!.map((_, j) => grid.reduce((sum, row, i) => sum + (row[j] === "1" ? i + 1 : 0), 0)),
  };
}

/** Rows that a search places before it gives up. Grids of eight rows and columns take a few thousand. */
const MAX_SEARCH_STEPS = 100_000;
/** Wider grids have too many sets of columns with the same sum. */
const MAX_SEARCH_WIDTH = 16;

/** Returns all sets of the numbers 1 to `largest` with the given sum, as bits. */
function setsWithSum(sum: number, largest: number): number[] {
  if (sum === 0) return [0];
  if (sum < 0 || sum > (largest * (largest + 1)) / 2) return [];
  const without = setsWithSum(sum, largest - 1);
  return [...without, ...setsWithSum(sum - largest, largest - 1).map((set) => set | (1 << (largest - 1)))];
}

/** Fills the grid. Continues with the row that has the fewest sets of columns with the right sum which the column sums still allow. */
function fill(rowSums: readonly number[], columnSums: readonly number[]): Cell[][] | undefined {
  const width = columnSums.length;
  if (width > MAX_SEARCH_WIDTH) return undefined;
  const left = [...columnSums];
  const placed: (number | undefined)[] = rowSums.map(() => undefined);
  let steps = 0;

  /** Places the remaining rows, of which the possible sets are given. */
  function place(open: ReadonlyMap<number, readonly number[]>): boolean {
    if (open.size === 0) return left.every((sum) => sum === 0);
    const weights = [...open.keys()].reduce((sum, i) => sum + i + 1, 0);
    const bits = (holds: (sum: number) => boolean) => left.reduce((set, sum, j) => (holds(sum) ? set | (1 << j) : set), 0);
    const possible = new Map(
      [...open].map(([i, sets]) => {
        const [full, needed] = [bits((sum) => sum < i + 1), bits((sum) => sum > weights - i - 1)];
        return [i, sets.filter((set) => (set & full) === 0 && (set & needed) === needed)] as const;
      }),
    );
    const [row, sets] = [...possible].reduce((best, one) => (one[1].length < best[1].length ? one : best));
    possible.delete(row);
    for (const set of sets) {
      if (++steps > MAX_SEARCH_STEPS) return false;
      for (let j = 0; j < width; j++) if ((set >> j) & 1) left[j]! -= row + 1;
      placed[row] = set;
      if (place(possible)) return true;
      for (let j = 0; j < width; j++) if ((set >> j) & 1) left[j]! += row + 1;
    }
    return false;
  }
  if (!place(new Map(rowSums.map((sum, i) => [i, setsWithSum(sum, width)])))) return undefined;
  return placed.map((set) => columnSums.map((_, j): Cell => ((set! >> j) & 1 ? "1" : "X")));
}

const write = (grid: readonly (readonly string[])[]) => JSON.stringify(grid);

/**
 * Mark cells so that the row and column sums hold. A mark counts with its column number in the row and with its row number in the column.
 */
export const kukurasu: SynlogicTask<Kukurasu> = {
  name: "kukurasu",
  summary: "Mark cells so that the position-weighted sum of each row and column holds.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 2, most: 8, meaning: "rows" },
    m: { kind: "integer", least: 2, most: 8, meaning: "columns" },
    ones_probability: { kind: "number", least: 0.1, most: 0.9, meaning: "share of ones" },
  },
  levels: {
    tiny: { n: 2, m: 2, ones_probability: 0.5 },
    easy: { n: 3, m: 3, ones_probability: 0.3 },
    medium: { n: 4, m: 4, ones_probability: 0.3 },
    hard: { n: 6, m: 6, ones_probability: 0.3 },
  },
  attributes: ["n", "m", "ones_probability"],
  generate(random, { n, m, ones_probability }, language) {
    const draw = () =>
      Array.from({ length: n }, () => Array.from({ length: m }, (): Cell => (randomBoolean(random, ones_probability) ? "1" : "X")));
    // As in the published rows, no sum is zero.
    const solution = drawUntil(draw, (grid) =>
      Object.values(sums(grid))
        .flat()
        .every((sum) => sum > 0),
    );
    const { rows, columns } = sums(solution);
    const grid = solution.map((row) => row.map(() => "X"));
    return {
      question: question(rows, columns, language),
      answer: "",
      metadata: { grid, solution, row_sums: rows, col_sums: columns, n, m, ones_probability },
    };
  },
  solve(row) {
    const grid = fill(metadataIntegers(row, "row_sums"), metadataIntegers(row, "col_sums"));
    if (!grid) throw new InputError("kukurasu: row: expected sums of a grid, got sums for which no grid is found");
    return write(grid);
  },
  verify(row, text) {
    const answer = lastNestedList(text);
    if (!answer) return reject("there is no list of lists after the reasoning");
    const { literal, found } = answer;
    const grid = gridOf(literal, (cell) => (integerOf(cell) === 1 ? 1 : isCell(stringOf(cell)) ? (stringOf(cell) as Cell) : undefined));
    const verdict = judge(row, grid?.map((cells) => cells.map((cell): Cell => (cell === "X" ? "X" : "1"))) ?? [], found);
    // The question shows the cells as strings, but does not exclude numbers.
    return verdict.right && grid?.flat().includes(1) ? undecided('the ones are numbers, not "1"', found) : verdict;
  },
  guess(row, random) {
    return write(guessGrid(row, random));
  },
  published,
};

const isCell = (text: string | undefined): text is Cell => text === "1" || text === "X";

function judge(row: Row, grid: readonly (readonly Cell[])[], found: string): Verdict {
  const [rowSums, columnSums] = [metadataIntegers(row, "row_sums"), metadataIntegers(row, "col_sums")];
  if (grid.length !== rowSums.length || grid[0]?.length !== columnSums.length) {
    return reject(`expected ${rowSums.length} rows of ${columnSums.length} cells "1" or "X"`, found);
  }
  const { rows, columns } = sums(grid);
  for (const [name, given, expected] of [
    ["row", rows, rowSums],
    ["column", columns, columnSums],
  ] as const) {
    const wrong = given.findIndex((sum, i) => sum !== expected[i]);
    if (wrong >= 0) return reject(`${name} ${wrong + 1} sums to ${given[wrong]}, not to ${expected[wrong]}`, found);
  }
  return accept(found);
}

/**
 * Emulates the published verifier. It judges the first grid of the whole message that is written with double quotes and without trailing
 * commas.
 */
function published(row: Row, response: string): PublishedVerdict {
  const { grids, slow } = strictGrids(response, /"([1X])"/y);
  const grid = grids[0];
  if (slow && !grid) return "error";
  if (!grid || grid.some((cells) => cells.length !== grid[0]!.length)) return false;
  return judge(row, grid as Cell[][], "").right === true;
}

function guessGrid(row: Row, random: Random): Cell[][] {
  const width = metadataIntegers(row, "col_sums").length;
  return metadataIntegers(row, "row_sums").map(() => Array.from({ length: width }, (): Cell => (randomBoolean(random, 0.4) ? "1" : "X")));
}

function question(rows: readonly number[], columns: readonly number[], language: Language): string {
  const picture = [...rows.map((sum) => `${columns.map(() => "X").join(" ")} | ${sum}`), columns.join(" ")].join("\n");
  const example = `[["X", "1"], ["1", "X"]]`;
  if (language === "zh") {
    return `下面是一个 ${rows.length} 行 ${columns.length} 列的 Kukurasu 数谜，所有格子目前都是 X。请把一些 X 改成 1，使每一行和每一列都符合给定的和：
- 某一行的和，等于该行中每个 1 所在列号（从 1 数起）之和。
- 某一列的和，等于该列中每个 1 所在行号（从 1 数起）之和。

右侧是各行的和，最下面一行是各列的和：
${picture}

各行的和：[${rows.join(", ")}]
各列的和：[${columns.join(", ")}]

请在最后给出完整的网格，写成列表的列表，每个格子是 "1" 或 "X"，例如：
${example}`;
  }
  return `Below is a Kukurasu puzzle of ${rows.length} rows and ${columns.length} columns. All cells are X. Change some of them to 1 so that all sums hold:
- The sum of a row is the sum of the column numbers, counted from 1, of its ones.
- The sum of a column is the sum of the row numbers, counted from 1, of its ones.

The sums of the rows are on the right, those of the columns in the last line:
${picture}

Row sums: [${rows.join(", ")}]
Column sums: [${columns.join(", ")}]

End your answer with the complete grid as a list of lists whose cells are "1" or "X", for example
${example}`;
}
