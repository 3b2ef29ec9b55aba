import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataGrid } from "../metadata.js";
import { finalBlockGrid } from "../reading/answers.js";
import { codeBlocks } from "../reading/final-text.js";
import { gridOf, integerOf, itemsOf, parseLiteral, stringOf } from "../reading/literal.js";
import { nestedListTexts } from "../reading/published.js";
import { accept, type PublishedVerdict, type Row, reject, undecided } from "../row.js";
import { type Cell, cellName, cellsOf } from "../search/cells.js";
import { question } from "./arrow-maze-text.js";

type ArrowMaze = {
  readonly width: number;
  readonly height: number;
  readonly arrow_fill_rate_min: number;
  readonly arrow_fill_rate_max: number;
};

type Grid = readonly (readonly string[])[];

/** The step of each arrow. */
const STEPS: ReadonlyMap<string, Cell> = new Map([
  ["↑", [-1, 0]],
  ["↓", [1, 0]],
  ["←", [0, -1]],
  ["→", [0, 1]],
  ["↖", [-1, -1]],
  ["↗", [-1, 1]],
  ["↘", [1, 1]],
  ["↙", [1, -1]],
]);
const ARROWS = [...STEPS.keys()];
const BLANK = "X";
const MOST_ARROWS = 9;

const isNumber = (value: string) => /^[0-9]+$/.test(value);

/** Counts the consecutive cells that fulfil a condition, starting next to a number and going in the direction of an arrow. */
function runLength(grid: Grid, [row, column]: Cell, arrow: string, fits: (value: string) => boolean): number {
  const [down, right] = STEPS.get(arrow)!;
  let length = 0;
  for (let i = row + down, j = column + right; fits(grid[i]?.[j] ?? ""); i += down, j += right) length++;
  return length;
}

/** Counts the arrows of a number, over its runs in all eight directions. @param alsoBlanks counts blanks as if they had the right arrow */
function arrowsOf(grid: Grid, cell: Cell, alsoBlanks = false): number {
  return ARROWS.reduce(
    (sum, arrow) => sum + runLength(grid, cell, arrow, (value) => value === arrow || (alsoBlanks && value === BLANK)),
    0,
  );
}

/**
 * Finds the number that an arrow in a cell would belong to. Goes backwards from the cell over equal arrows and, with `alsoBlanks`, over
 * blanks. Returns undefined if there is no such number.
 */
function sourceOf(grid: Grid, [row, column]: Cell, arrow: string, alsoBlanks = false): Cell | undefined {
  const [down, right] = STEPS.get(arrow)!;
  for (let i = row - down, j = column - right; ; i -= down, j -= right) {
    const value = grid[i]?.[j] ?? "";
    if (isNumber(value)) return [i, j];
    if (value !== arrow && !(alsoBlanks && value === BLANK)) return undefined;
  }
}

/** Maximum number of search steps. Mazes of the published size take a few hundred at most. */
const MOST_STEPS = 3000;

/**
 * Fills the blanks of a maze with arrows. The search continues with the blank that has the fewest possible arrows. Returns undefined if
 * there is no solution or the search takes too many steps.
 */
function fill(maze: Grid): string[][] | undefined {
  const grid = maze.map((values) => [...values]);
  const possible = (cell: Cell) => {
    const value = Number(grid[cell[0]]![cell[1]]);
    return arrowsOf(grid, cell) <= value && value <= arrowsOf(grid, cell, true);
  };
  function options(cell: Cell): string[] {
    const [i, j] = cell;
    // Only these numbers could count an arrow in the cell.
    const sources = ARROWS.map((arrow) => sourceOf(grid, cell, arrow, true));
    const numbers = sources.filter((source) => source !== undefined);
    const fitting = ARROWS.filter((arrow, k) => {
      grid[i]![j] = arrow;
      return sources[k] && numbers.every(possible);
    });
    grid[i]![j] = BLANK;
    return fitting;
  }
  function tightest(): { readonly cell: Cell; readonly arrows: readonly string[] } | undefined {
    let best: { readonly cell: Cell; readonly arrows: readonly string[] } | undefined;
    for (const cell of cellsOf(grid, (value) => value === BLANK)) {
      const arrows = options(cell);
      if (!best || arrows.length < best.arrows.length) best = { cell, arrows };
      if (arrows.length < 2) break;
    }
    return best;
  }
  let steps = 0;
  function search(): boolean {
    if (++steps > MOST_STEPS) return false;
    const next = tightest();
    if (!next) return cellsOf(grid, isNumber).every(possible);
    const [i, j] = next.cell;
    for (const arrow of next.arrows) {
      grid[i]![j] = arrow;
      if (search()) return true;
    }
    grid[i]![j] = BLANK;
    return false;
  }
  return search() ? grid : undefined;
}

/**
 * Draws a full grid in which every arrow belongs to a number. Returns undefined if a remaining cell can be neither a number nor an arrow.
 */
function drawSolution(random: Random, height: number, width: number): string[][] | undefined {
  const grid = Array.from({ length: height }, () => Array.from({ length: width }, () => ""));
  const contentOf = ([i, j]: Cell) => grid[i]?.[j];
  const set = ([i, j]: Cell, value: string) => {
    grid[i]![j] = value;
  };
  const after = ([i, j]: Cell, arrow: string): Cell => [i + STEPS.get(arrow)![0], j + STEPS.get(arrow)![1]];
  /** Returns the arrows that would extend or begin the run of an existing number. */
  const extensions = (cell: Cell) =>
    ARROWS.filter((arrow) => {
      const source = sourceOf(grid, cell, arrow);
      return source && arrowsOf(grid, source) < MOST_ARROWS;
    });
  /** Returns the arrows that could begin a run of a new number in the cell. */
  const beginnings = (cell: Cell) => ARROWS.filter((arrow) => contentOf(after(cell, arrow)) === "");
  /**
   * Returns the directions in which the cell can take the first arrow of a new number. The new number replaces the last arrow of another
   * run.
   */
  const replacements = (cell: Cell) =>
    ARROWS.filter((arrow) => {
      const last: Cell = [2 * cell[0] - after(cell, arrow)[0], 2 * cell[1] - after(cell, arrow)[1]];
      const value = contentOf(last) ?? "";
      return STEPS.has(value) && contentOf(after(last, value)) !== value && arrowsOf(grid, sourceOf(grid, last, value)!) > 1;
    });
  // The number 1 is a placeholder until the arrows are counted.
  const begin = (number: Cell, arrow: string) => {
    set(number, "1");
    set(after(number, arrow), arrow);
  };
  for (let free = cellsOf(grid); free.length > 0; free = cellsOf(grid, (value) => value === "")) {
    const cells = shuffle(random, free);
    const extended = randomBoolean(random, 0.7) ? cells.find((cell) => extensions(cell).length > 0) : undefined;
    const begun = extended ? undefined : cells.find((cell) => beginnings(cell).length > 0);
    if (extended) set(extended, randomChoice(random, extensions(extended)));
    else if (begun) begin(begun, randomChoice(random, beginnings(begun)));
    else if (extensions(cells[0]!).length > 0) set(cells[0]!, randomChoice(random, extensions(cells[0]!)));
    else {
      const arrows = replacements(cells[0]!);
      if (arrows.length === 0) return undefined;
      const arrow = randomChoice(random, arrows);
      const next = after(cells[0]!, arrow);
      begin([2 * cells[0]![0] - next[0], 2 * cells[0]![1] - next[1]], arrow);
    }
  }
  for (const cell of cellsOf(grid, isNumber)) set(cell, String(arrowsOf(grid, cell)));
  return grid;
}

const mazeOf = (row: Row, key = "maze") =>
  metadataGrid(
    row,
    key,
    "numbers, arrows and X",
    (x): x is string => typeof x === "string" && (x === BLANK || isNumber(x) || STEPS.has(x)),
  );

const write = (grid: Grid) =>
  `\`\`\`python\n[\n${grid.map((values) => `  ${JSON.stringify(values).replaceAll(",", ", ")}`).join(",\n")}\n]\n\`\`\``;

/** Describes the rule that a grid breaks. Returns undefined if the grid is right. */
function brokenRule(maze: Grid, grid: Grid): string | undefined {
  if (grid.length !== maze.length || grid[0]!.length !== maze[0]!.length) {
    return `expected ${maze.length} rows of ${maze[0]!.length} cells, got ${grid.length} of ${grid[0]?.length ?? 0}`;
  }
  for (const [i, j] of cellsOf(maze)) {
    const [given, value] = [maze[i]![j]!, grid[i]![j]!];
    if (given === BLANK ? !STEPS.has(value) : value !== given) {
      return `${cellName([i, j])}: expected ${given === BLANK ? "an arrow" : `the given ${given}`}, got ${value.slice(0, 20)}`;
    }
  }
  for (const cell of cellsOf(grid, isNumber)) {
    const count = arrowsOf(grid, cell);
    if (count !== Number(grid[cell[0]]![cell[1]])) return `${cellName(cell)}: ${count} arrows start from ${grid[cell[0]]![cell[1]]}`;
  }
  return undefined;
}

/** Fill the blanks with arrows, so that each number equals the number of arrows in the straight runs that start from it. */
export const arrowMaze: SynlogicTask<ArrowMaze> = {
  name: "arrow_maze",
  summary: "Fill the blanks with arrows so that each number is the total number of arrows in the straight runs that start from it.",
  languages: ["en", "zh"],
  parameters: {
    width: { kind: "integer", least: 3, most: 10, meaning: "columns" },
    height: { kind: "integer", least: 3, most: 10, meaning: "rows" },
    arrow_fill_rate_min: { kind: "number", least: 0.2, most: 0.9, meaning: "least share of arrows that are shown" },
    arrow_fill_rate_max: { kind: "number", least: 0.2, most: 0.9, meaning: "largest share of arrows that are shown" },
  },
  levels: {
    tiny: { width: 3, height: 3, arrow_fill_rate_min: 0.8, arrow_fill_rate_max: 0.9 },
    easy: { width: 5, height: 5, arrow_fill_rate_min: 0.9, arrow_fill_rate_max: 0.9 },
    medium: { width: 5, height: 5, arrow_fill_rate_min: 0.3, arrow_fill_rate_max: 0.9 },
    hard: { width: 5, height: 5, arrow_fill_rate_min: 0.3, arrow_fill_rate_max: 0.3 },
  },
  attributes: ["arrow_fill_rate_min", "arrow_fill_rate_max", "width", "height"],
  generate(random, { width, height, arrow_fill_rate_min: least, arrow_fill_rate_max: most }, language) {
    if (least > most) throw new InputError(`arrow_maze: arrow_fill_rate_min: expected at most arrow_fill_rate_max (${most}), got ${least}`);
    let solution: string[][] | undefined;
    while (!solution) solution = drawSolution(random, height, width);
    const rate = randomInteger(random, Math.round(10 * least), Math.round(10 * most)) / 10;
    const arrows = cellsOf(solution, (value) => STEPS.has(value));
    const maze = solution.map((values) => [...values]);
    for (const [i, j] of shuffle(random, arrows).slice(Math.floor(arrows.length * rate))) maze[i]![j] = BLANK;
    return {
      question: question(maze, language),
      answer: JSON.stringify(solution),
      metadata: { maze, solution, height, width, arrow_fill_rate: rate },
    };
  },
  solve(row) {
    return write(fill(mazeOf(row)) ?? mazeOf(row, "solution"));
  },
  verify(row, text) {
    const answer = finalBlockGrid(text);
    if (!answer) return reject("the answer does not end with a code block that holds only a list of lists");
    const { literal, found, assigned } = answer;
    const grid = gridOf(literal, (cell) => stringOf(cell) ?? integerOf(cell)?.toString());
    if (!grid) return reject("expected rows of the same length whose cells are strings", found);
    const broken = brokenRule(mazeOf(row), grid);
    if (broken) return reject(broken, found);
    if (assigned) return undecided("the block assigns the grid to a name, but the question asks for the grid only", found);
    return gridOf(literal, stringOf) ? accept(found) : undecided("numbers are written without quotes", found);
  },
  guess(row, random) {
    return write(mazeOf(row).map((values) => values.map((value) => (value === BLANK ? randomChoice(random, ARROWS) : value))));
  },
  published,
};

/**
 * Emulates the published verifier. It evaluates the last code block that holds a list of lists or, if there is none, reads the last list of
 * lists of the message. It also requires that each arrow lies on the run of a number.
 */
function published(row: Row, response: string): PublishedVerdict {
  const judge = (grid: Grid) =>
    !brokenRule(mazeOf(row), grid) &&
    cellsOf(grid, (value) => STEPS.has(value)).every((cell) => sourceOf(grid, cell, grid[cell[0]]![cell[1]]!));
  for (const { language, content } of codeBlocks(response).reverse()) {
    if (language !== "python" && language !== "") continue;
    const literal = parseLiteral(content);
    if (itemsOf(literal)?.every((item) => item.kind === "list")) {
      const grid = gridOf(literal, stringOf);
      return grid !== undefined && judge(grid);
    }
    if (!literal && isExpression(content)) return "evaluates";
  }
  const grid = gridOf(parseLiteral(nestedListTexts(response).at(-1) ?? ""), stringOf);
  return grid !== undefined && judge(grid);
}

/** Whether a text could be a Python expression: it is not an assignment, and its brackets are balanced. */
function isExpression(text: string): boolean {
  const depth = [...text].reduce((sum, char) => sum + ("[({".includes(char) ? 1 : "])}".includes(char) ? -1 : 0), 0);
  return depth === 0 && text.trim() !== "" && !/^\s*\w{1,40} *=[^=]/.test(text);
}
