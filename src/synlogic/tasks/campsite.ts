import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomChoice, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataGrid, metadataIntegers } from "../metadata.js";
import { lastNestedList } from "../reading/answers.js";
import { gridOf, parseLiteral, stringOf } from "../reading/literal.js";
import { nestedListTexts } from "../reading/published.js";
import { accept, type PublishedVerdict, type Row, reject, undecided } from "../row.js";
import { ALL_STEPS, type Cell, cellName, cellsOf, neighbours } from "../search/cells.js";
import { question } from "./campsite-text.js";

type Campsite = {
  /** Number of rows. */
  readonly n: number;
  /** Number of columns. */
  readonly m: number;
  readonly tree_density: number;
};

type Grid = readonly (readonly string[])[];

interface Puzzle {
  /** The cells: T for a tree, X for any other cell. */
  readonly grid: Grid;
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

const isTree = (value: string) => value === "T";
const isTent = (value: string) => value === "C";
const count = (values: readonly string[], fits: (value: string) => boolean) => values.filter(fits).length;
const column = (grid: Grid, j: number) => grid.map((values) => values[j]!);
const treesBeside = (grid: Grid, cell: Cell) => neighbours(grid, cell).filter(([i, j]) => isTree(grid[i]![j]!));

/** Whether each tent can be assigned a neighbouring tree of its own (bipartite matching with augmenting paths). */
function tentsMatchTrees(grid: Grid, tents: readonly Cell[]): boolean {
  const tentOf = new Map<string, Cell>();
  const assign = (tent: Cell, seen: Set<string>): boolean =>
    treesBeside(grid, tent).some((tree) => {
      const name = String(tree);
      if (seen.has(name)) return false;
      seen.add(name);
      const other = tentOf.get(name);
      if (other && !assign(other, seen)) return false;
      tentOf.set(name, tent);
      return true;
    });
  return tents.every((tent) => assign(tent, new Set()));
}

/** Whether a grid is right under each reading of the rule that connects tents with trees. */
interface Readings {
  /** Each tent has a neighbouring tree of its own. */
  readonly matching: boolean;
  /** Each tent has exactly one neighbouring tree. Two tents may share a tree. */
  readonly single: boolean;
  /** Each tent has a neighbouring tree. */
  readonly beside: boolean;
}

function readingsOf(grid: Grid): Readings {
  const tents = cellsOf(grid, isTent);
  const trees = tents.map((tent) => treesBeside(grid, tent).length);
  return {
    matching: tentsMatchTrees(grid, tents),
    single: trees.every((number) => number === 1),
    beside: trees.every((number) => number > 0),
  };
}

/**
 * Decides whether the rule that connects tents with trees holds, according to the wording of the question.
 *
 * Questions of this generator assign each tent a tree of its own. Published English questions ask for exactly one tree beside each tent,
 * published Chinese questions for at least one. All published questions also demand as many tents as trees.
 *
 * @returns undefined if two readings of a published question give different verdicts
 */
function decided(row: Row, { matching, single, beside }: Readings): boolean | undefined {
  if (row.metadata?.matching === true) return matching;
  const exactlyOne = !/\p{Script=Han}/u.test(row.question) || /(?:恰好|正好|刚好|仅|只)[^，。；\n]{0,6}一棵/.test(row.question);
  const [one, other] = [matching, exactlyOne ? single : beside];
  return one === other ? one : undefined;
}

/** Describes the first broken rule, apart from the rule that connects tents with trees. Returns undefined if there is none. */
function brokenRule({ grid: given, rows, columns }: Puzzle, grid: Grid): string | undefined {
  for (const [i, j] of cellsOf(grid)) {
    const [before, after] = [given[i]![j]!, grid[i]![j]!];
    if (isTree(before) !== isTree(after)) return `${cellName([i, j])}: trees must not move`;
  }
  for (const [name, lines, expected] of [
    ["row", grid, rows],
    ["column", columns.map((_, j) => column(grid, j)), columns],
  ] as const) {
    const wrong = lines.findIndex((line, i) => count(line, isTent) !== expected[i]);
    if (wrong >= 0) return `${name} ${wrong + 1} has ${count(lines[wrong]!, isTent)} tents, not ${expected[wrong]}`;
  }
  const tents = cellsOf(grid, isTent);
  const touching = tents.find((tent) => neighbours(grid, tent, ALL_STEPS).some(([i, j]) => isTent(grid[i]![j]!)));
  if (touching) return `the tent in ${cellName(touching)} touches another one`;
  const lonely = tents.find((tent) => treesBeside(grid, tent).length === 0);
  if (lonely) return `the tent in ${cellName(lonely)} is not beside a tree`;
  const trees = cellsOf(grid, isTree).length;
  return tents.length === trees ? undefined : `there are ${tents.length} tents and ${trees} trees`;
}

/**
 * Calls `found` with every grid that fulfils all rules except the one that connects tents with trees. Stops and returns true once the
 * callback returns true.
 */
function search(puzzle: Puzzle, found: (grid: Grid) => boolean): boolean {
  const { rows, columns } = puzzle;
  const grid = puzzle.grid.map((values) => [...values]);
  const places = cellsOf(grid, (value) => !isTree(value)).filter((cell) => treesBeside(grid, cell).length > 0);
  const [rowsLeft, columnsLeft] = [[...rows], [...columns]];
  // For each row and column, the number of possible places that are still to be visited.
  const rowPlaces = rows.map((_, i) => places.filter((cell) => cell[0] === i).length);
  const columnPlaces = columns.map((_, j) => places.filter((cell) => cell[1] === j).length);
  function visit(k: number): boolean {
    const place = places[k];
    if (!place) return brokenRule(puzzle, grid) === undefined && found(grid);
    const [i, j] = place;
    rowPlaces[i]!--;
    columnPlaces[j]!--;
    let done = false;
    const touches = neighbours(grid, place, ALL_STEPS).some(([a, b]) => isTent(grid[a]![b]!));
    if (!touches && rowsLeft[i]! > 0 && columnsLeft[j]! > 0) {
      grid[i]![j] = "C";
      rowsLeft[i]!--;
      columnsLeft[j]!--;
      done = visit(k + 1);
      grid[i]![j] = "X";
      rowsLeft[i]!++;
      columnsLeft[j]!++;
    }
    if (!done && rowsLeft[i]! <= rowPlaces[i]! && columnsLeft[j]! <= columnPlaces[j]!) done = visit(k + 1);
    rowPlaces[i]!++;
    columnPlaces[j]!++;
    return done;
  }
  return visit(0);
}

/** Solves a puzzle. If the question has two readings, prefers a solution that is right under both. */
function solution(row: Row): Grid | undefined {
  let open: Grid | undefined;
  let right: Grid | undefined;
  search(puzzleOf(row), (grid) => {
    const verdict = decided(row, readingsOf(grid));
    if (verdict === undefined) open ??= grid.map((values) => [...values]);
    if (verdict) right = grid.map((values) => [...values]);
    return verdict === true;
  });
  return right ?? open;
}

/** Whether exactly one grid fulfils all rules and assigns each tent a tree of its own. */
function isUnique(puzzle: Puzzle): boolean {
  let solutions = 0;
  search(puzzle, (grid) => readingsOf(grid).matching && ++solutions > 1);
  return solutions === 1;
}

/** Draws tents that do not touch, and a tree beside each of them. Returns undefined if there is no room. */
function drawSolution(random: Random, { n, m }: Campsite, trees: number): string[][] | undefined {
  const grid = Array.from({ length: n }, () => Array.from({ length: m }, () => "X"));
  const isFree = ([i, j]: Cell) => grid[i]![j] === "X";
  for (let k = 0; k < trees; k++) {
    const tents = cellsOf(grid).filter(
      (cell) =>
        isFree(cell) && !neighbours(grid, cell, ALL_STEPS).some(([i, j]) => isTent(grid[i]![j]!)) && neighbours(grid, cell).some(isFree),
    );
    if (tents.length === 0) return undefined;
    const tent = randomChoice(random, tents);
    const tree = randomChoice(random, neighbours(grid, tent).filter(isFree));
    grid[tent[0]]![tent[1]] = "C";
    grid[tree[0]]![tree[1]] = "T";
  }
  return grid;
}

function puzzleOf(row: Row): Puzzle {
  const grid = metadataGrid(row, "grid", "T and X", (x): x is string => x === "T" || x === "X");
  const rows = metadataIntegers(row, "row_constraints");
  const columns = metadataIntegers(row, "col_constraints");
  if (rows.length !== grid.length) throw metadataError(row, "row_constraints", `${grid.length} numbers`);
  if (columns.length !== grid[0]!.length) throw metadataError(row, "col_constraints", `${grid[0]!.length} numbers`);
  return { grid, rows, columns };
}

const write = (grid: Grid) => `[\n${grid.map((values) => `  ${JSON.stringify(values).replaceAll(",", ", ")}`).join(",\n")}\n]`;

/** Maximum number of draws. If none gives a puzzle, the parameters are rejected. */
const MOST_DRAWS = 2000;

/** Place tents beside the trees so that no two tents touch and each row and column has the given number of tents. */
export const campsite: SynlogicTask<Campsite> = {
  name: "campsite",
  summary: "Place a tent beside each tree so that no two tents touch and each row and column has the given number of tents.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 2, most: 8, meaning: "rows" },
    m: { kind: "integer", least: 2, most: 8, meaning: "columns" },
    tree_density: { kind: "number", least: 0.1, most: 0.4, meaning: "share of trees" },
  },
  levels: {
    tiny: { n: 2, m: 3, tree_density: 0.2 },
    easy: { n: 3, m: 3, tree_density: 0.2 },
    medium: { n: 4, m: 4, tree_density: 0.2 },
    hard: { n: 5, m: 5, tree_density: 0.2 },
  },
  attributes: ["n", "m", "tree_density"],
  generate(random, parameters, language) {
    const { n, m, tree_density } = parameters;
    // The small summand corrects rounding errors: 5 * 0.6 must not fall below 3.
    const trees = Math.max(1, Math.floor(n * m * tree_density + 1e-9));
    for (let draw = 0; draw < MOST_DRAWS; draw++) {
      const solved = drawSolution(random, parameters, trees);
      if (!solved) continue;
      const grid = solved.map((values) => values.map((value) => (isTent(value) ? "X" : value)));
      const rows = solved.map((values) => count(values, isTent));
      const columns = solved[0]!.map((_, j) => count(column(solved, j), isTent));
      if (!isUnique({ grid, rows, columns })) continue;
      return {
        question: question(grid, rows, columns, language),
        answer: "",
        metadata: { grid, solution: solved, row_constraints: rows, col_constraints: columns, n, m, tree_density, matching: true },
      };
    }
    throw new InputError(
      `campsite: tree_density: expected room for ${trees} tents in a ${n} x ${m} grid, got ${tree_density} (try fewer trees)`,
    );
  },
  solve(row) {
    return write(solution(row) ?? []);
  },
  verify(row, text) {
    const puzzle = puzzleOf(row);
    const answer = lastNestedList(text);
    if (!answer) return reject("there is no list of lists after the reasoning");
    const { literal, found } = answer;
    const grid = gridOf(literal, (cell) => (/^[TCX]$/.test(stringOf(cell) ?? "") ? stringOf(cell) : undefined));
    if (grid?.length !== puzzle.grid.length || grid[0]!.length !== puzzle.grid[0]!.length) {
      return reject(`expected ${puzzle.grid.length} rows of ${puzzle.grid[0]!.length} cells 'T', 'C' or 'X'`, found);
    }
    const broken = brokenRule(puzzle, grid);
    if (broken) return reject(broken, found);
    const right = decided(row, readingsOf(grid));
    if (right === undefined)
      return undecided(
        "a tent is beside two trees, or two tents share a tree, and the question does not say whether that is allowed",
        found,
      );
    return right ? accept(found) : reject("the tents cannot each have a tree of their own", found);
  },
  guess(row, random) {
    const { grid } = puzzleOf(row);
    const guessed = grid.map((values) => [...values]);
    const tents = shuffle(
      random,
      cellsOf(grid, (value) => !isTree(value)),
    ).slice(0, cellsOf(grid, isTree).length);
    for (const [i, j] of tents) guessed[i]![j] = "C";
    return write(guessed);
  },
  published,
};

/**
 * Emulates the published verifier. It judges the first nested list of the whole message and ignores cells that are neither trees nor tents.
 */
function published(row: Row, response: string): PublishedVerdict {
  const puzzle = puzzleOf(row);
  const grid = gridOf(parseLiteral(nestedListTexts(response)[0] ?? ""), (cell) => stringOf(cell) ?? "");
  if (grid?.length !== puzzle.grid.length || grid[0]!.length !== puzzle.grid[0]!.length) return false;
  return brokenRule(puzzle, grid) === undefined && readingsOf(grid).matching;
}
