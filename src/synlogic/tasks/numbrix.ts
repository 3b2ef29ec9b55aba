import { randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataGrid } from "../metadata.js";
import { lastNestedList } from "../reading/answers.js";
import { gridOf, integerOf, parseLiteral } from "../reading/literal.js";
import { nestedListTexts } from "../reading/published.js";
import { accept, type PublishedVerdict, type Row, reject } from "../row.js";
import { type Cell, cellName, cellsOf } from "../search/cells.js";
import { completePath, drawPath } from "../search/number-path.js";
import { question } from "./numbrix-text.js";

type Numbrix = {
  readonly n: number;
  readonly fill_rate: number;
};

type Given = readonly (readonly (number | "X")[])[];
type Grid = readonly (readonly number[])[];

const write = (grid: Grid) => `[\n${grid.map((row) => `  [${row.join(", ")}]`).join(",\n")}\n]`;

const givenGrid = (row: Row) =>
  metadataGrid(
    row,
    "grid",
    "positive integers and X",
    (x): x is number | "X" => x === "X" || (Number.isSafeInteger(x) && (x as number) > 0),
  );

/** Describes the rule that a grid breaks. Returns undefined if the grid is right. */
function brokenRule(given: Given, grid: Grid): string | undefined {
  if (grid.length !== given.length || grid[0]!.length !== given[0]!.length) {
    return `expected ${given.length} rows of ${given[0]!.length} numbers, got ${grid.length} of ${grid[0]!.length}`;
  }
  const changed = cellsOf(given).find(([i, j]) => given[i]![j] !== "X" && given[i]![j] !== grid[i]![j]);
  if (changed) return `${cellName(changed)}: expected the given ${given[changed[0]]![changed[1]]}, got ${grid[changed[0]]![changed[1]]}`;
  const cellOf = new Map<number, Cell>();
  const most = given.length * given[0]!.length;
  for (const [i, j] of cellsOf(grid)) {
    const number = grid[i]![j]!;
    if (number < 1 || number > most) return `${cellName([i, j])}: expected a number from 1 to ${most}, got ${number}`;
    if (cellOf.has(number)) return `the number ${number} stands in ${cellName(cellOf.get(number)!)} and in ${cellName([i, j])}`;
    cellOf.set(number, [i, j]);
  }
  for (let number = 1; number < most; number++) {
    const [a, b] = [cellOf.get(number)!, cellOf.get(number + 1)!];
    if (Math.abs(a[0] - b[0]) + Math.abs(a[1] - b[1]) !== 1) return `the cells of ${number} and ${number + 1} share no edge`;
  }
  return undefined;
}

/** Fill a grid with 1 to n² so that consecutive numbers share an edge. */
export const numbrix: SynlogicTask<Numbrix> = {
  name: "numbrix",
  summary: "Fill a grid with the numbers from 1 so that consecutive numbers share an edge.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 2, most: 12, meaning: "rows and columns" },
    fill_rate: { kind: "number", least: 0.2, most: 0.9, meaning: "share of numbers that are shown" },
  },
  levels: {
    tiny: { n: 3, fill_rate: 0.5 },
    easy: { n: 6, fill_rate: 0.4 },
    medium: { n: 8, fill_rate: 0.4 },
    hard: { n: 12, fill_rate: 0.3 },
  },
  attributes: ["n", "fill_rate"],
  generate(random, { n, fill_rate }, language) {
    const solution = drawPath(random, n);
    const blanks = Math.max(1, Math.floor(n * n * (1 - fill_rate) + 1e-9));
    const inner = shuffle(
      random,
      cellsOf(solution, (number) => number > 1 && number < n * n),
    );
    const grid: (number | "X")[][] = solution.map((row) => [...row]);
    for (const [i, j] of inner.slice(0, blanks)) grid[i]![j] = "X";
    return { question: question(grid, language), answer: "", metadata: { grid, solution, n, fill_rate } };
  },
  solve(row) {
    const known = givenGrid(row).map((values) => values.map((value) => (value === "X" ? 0 : value)));
    let solved: Grid | undefined;
    completePath(known, (grid) => {
      solved = grid.map((values) => [...values]);
      return true;
    });
    return write(solved ?? metadataGrid(row, "solution", "integers", (x): x is number => Number.isSafeInteger(x)));
  },
  verify(row, text) {
    const given = givenGrid(row);
    const answer = lastNestedList(text);
    if (!answer) return reject("there is no list of lists after the reasoning");
    const { literal, found } = answer;
    const grid = gridOf(literal, integerOf);
    if (!grid || grid[0]!.length === 0) return reject("expected rows of the same length whose cells are integers", found);
    const broken = brokenRule(given, grid);
    return broken ? reject(broken, found) : accept(found);
  },
  guess(row, random) {
    const given = givenGrid(row);
    const numbers = new Set(given.flat());
    const missing = shuffle(
      random,
      Array.from({ length: given.flat().length }, (_, k) => k + 1).filter((number) => !numbers.has(number)),
    );
    return write(given.map((values) => values.map((value) => (value === "X" ? (missing.pop() ?? randomInteger(random, 1, 9)) : value))));
  },
  published,
};

/**
 * Emulates the published verifier. It deletes quotes and judges the last text of the whole message that looks like a list of lists
 * beginning with a digit.
 */
function published(row: Row, response: string): PublishedVerdict {
  const last = nestedListTexts(response.replaceAll(/["']/g, ""), /\[\s*\[\s*\p{Nd}/gu).at(-1);
  const grid = gridOf(parseLiteral(last ?? ""), integerOf);
  return grid !== undefined && brokenRule(givenGrid(row), grid) === undefined;
}
