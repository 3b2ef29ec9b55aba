import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataGrid } from "../metadata.js";
import { finalBlockGrid } from "../reading/answers.js";
import { gridOf, integerOf, type Literal, stringOf } from "../reading/literal.js";
import { strictGrids } from "../reading/published.js";
import { accept, type PublishedVerdict, type Row, reject, undecided } from "../row.js";
import { type Cell, CORNER_STEPS, cellName, cellsOf, connectedGroups, neighbours } from "../search/cells.js";
import { question } from "./number-wall-text.js";

type NumberWall = {
  readonly n_min: number;
  readonly n_max: number;
  readonly number_rate_min: number;
  readonly number_rate_max: number;
};

/** The content of a cell: a number, "A" for a wall, or "X" for a cell of an island without a number. */
type Value = number | "A" | "X";
type Grid = readonly (readonly Value[])[];

const isNumber = (value: Value) => typeof value === "number";
const isOpen = (value: Value) => value !== "A";

/** Returns the 2 x 2 blocks of walls, as four cells each. */
function wallBlocks(grid: Grid): Cell[][] {
  return cellsOf(grid)
    .map(([i, j]): Cell[] => [
      [i, j],
      [i, j + 1],
      [i + 1, j],
      [i + 1, j + 1],
    ])
    .filter((cells) => cells.every(([i, j]) => grid[i]?.[j] === "A"));
}

/** Describes the broken rule about islands or walls. Returns undefined if there is none. */
function brokenRule(grid: Grid): string | undefined {
  for (const island of connectedGroups(grid, isOpen)) {
    const numbers = island.map(([i, j]) => grid[i]![j]!).filter(isNumber);
    const name = `the island at ${cellName(island[0]!)}`;
    if (numbers.length !== 1) return `${name} has ${numbers.length} numbers`;
    if (numbers[0] !== island.length) return `${name} has ${island.length} cells, but its number is ${numbers[0]}`;
  }
  const block = wallBlocks(grid)[0];
  return block && `the 2 x 2 block at ${cellName(block[0]!)} consists of walls`;
}

/** Returns all connected sets of `size` allowed cells that contain the start cell. */
function shapes(start: Cell, size: number, grid: Grid, allowed: (cell: Cell) => boolean): Cell[][] {
  const found: Cell[][] = [];
  const name = ([i, j]: Cell) => i * grid[0]!.length + j;
  // Each border cell is either taken or excluded from then on, so that no shape is found twice.
  function extend(shape: readonly Cell[], border: readonly Cell[], seen: ReadonlySet<number>): void {
    if (shape.length === size) {
      found.push([...shape]);
      return;
    }
    for (const [k, cell] of border.entries()) {
      const fresh = neighbours(grid, cell).filter((next) => !seen.has(name(next)) && allowed(next));
      extend([...shape, cell], [...border.slice(k + 1), ...fresh], new Set([...seen, ...fresh.map(name)]));
    }
  }
  extend([], [start], new Set([name(start)]));
  return found;
}

/** Solves a puzzle by placing one island after the other. The island with the fewest possible shapes comes first. */
function solveGrid(given: Grid): Grid | undefined {
  const grid = given.map((values) => values.map((value): Value => (isNumber(value) ? value : "A")));
  const left = cellsOf(given, isNumber);
  const place = (cells: readonly Cell[], value: Value) => {
    for (const [i, j] of cells) if (!isNumber(given[i]![j]!)) grid[i]![j] = value;
  };
  function options(start: Cell): Cell[][] {
    const touchesOther = (cell: Cell) =>
      neighbours(grid, cell).some(([i, j]) => isOpen(grid[i]![j]!) && !(i === start[0] && j === start[1]));
    return shapes(start, given[start[0]]![start[1]] as number, grid, (cell) => grid[cell[0]]![cell[1]] === "A" && !touchesOther(cell));
  }
  /** Whether every 2 x 2 block of walls can still be broken up by an island that is not placed yet. */
  const openable = () =>
    wallBlocks(grid).every((cells) =>
      left.some(([a, b]) => cells.some(([i, j]) => Math.abs(i - a) + Math.abs(j - b) < (given[a]![b] as number))),
    );
  function search(): boolean {
    if (left.length === 0) return brokenRule(grid) === undefined;
    const choices = left.map((start) => ({ start, found: options(start) }));
    const { start, found } = choices.reduce((best, one) => (one.found.length < best.found.length ? one : best));
    left.splice(left.indexOf(start), 1);
    for (const shape of found) {
      place(shape, "X");
      if (openable() && search()) return true;
      place(shape, "A");
    }
    left.push(start);
    return false;
  }
  return search() ? grid : undefined;
}

const fromMiddle = ([i, j]: Cell, n: number) => Math.abs(i - (n - 1) / 2) + Math.abs(j - (n - 1) / 2);

/** Draws islands that grow from random cells until no 2 x 2 block of walls is left. Returns undefined if some block cannot be broken up. */
function drawIslands(random: Random, n: number, islands: number): { solution: Value[][]; grid: Value[][] } | undefined {
  // The index of each cell's island, or -1 for a wall.
  const owner = Array.from({ length: n }, () => Array.from({ length: n }, () => -1));
  const sizes: number[] = [];
  /**
   * Returns the owners of the neighbouring cells. A wall can start a new island if all neighbours are walls, and extend an island if it is
   * the only one that it touches.
   */
  const openers = (cell: Cell) => new Set(neighbours(owner, cell).map(([i, j]) => owner[i]![j]!));
  const canStart = (cell: Cell) => openers(cell).size === 1 && openers(cell).has(-1);
  const opener = (cell: Cell) => {
    const touched = [...openers(cell)].filter((island) => island >= 0);
    return touched.length === 1 && sizes[touched[0]!]! < n ? touched[0] : undefined;
  };
  const open = ([i, j]: Cell, island: number) => {
    owner[i]![j] = island;
    sizes[island] = (sizes[island] ?? 0) + 1;
  };
  const walls = () => cellsOf(owner, (island) => island < 0);
  for (let island = 0; island < islands; island++) {
    const starts = walls().filter(canStart);
    if (starts.length === 0) return undefined;
    open(randomChoice(random, starts), island);
  }
  const values = () => owner.map((cells) => cells.map((island): Value => (island < 0 ? "A" : "X")));
  for (let blocks = wallBlocks(values()); blocks.length > 0; blocks = wallBlocks(values())) {
    const inBlock = blocks.flat().filter((cell) => opener(cell) !== undefined);
    const choices = inBlock.length > 0 ? inBlock : walls().filter((cell) => opener(cell) !== undefined);
    if (choices.length === 0) return undefined;
    const cell = randomChoice(random, choices);
    open(cell, opener(cell)!);
  }
  // Grows the islands further by a random amount. Otherwise most islands would be as small as the 2 x 2 blocks allow.
  const growth = random.next();
  for (const cell of shuffle(random, walls())) if (opener(cell) !== undefined && randomBoolean(random, growth)) open(cell, opener(cell)!);
  const solution = values();
  const grid = solution.map((cells) => cells.map((): Value => "X"));
  for (let island = 0; island < islands; island++) {
    const cells = cellsOf(owner, (one) => one === island);
    // Islands cover the middle of a small grid more often. To balance this, the number goes to the cell farther from the middle, of two
    // random cells.
    const [a, b] = [randomChoice(random, cells), randomChoice(random, cells)];
    const [i, j] = fromMiddle(a, n) > fromMiddle(b, n) ? a : b;
    solution[i]![j] = sizes[island]!;
    grid[i]![j] = sizes[island]!;
  }
  return { solution, grid };
}

const write = (grid: Grid) =>
  `\`\`\`python\n[\n${grid.map((values) => `  ${JSON.stringify(values).replaceAll(",", ", ")}`).join(",\n")}\n]\n\`\`\``;

const gridOfRow = (row: Row) =>
  metadataGrid(
    row,
    "grid",
    "positive integers and X",
    (x): x is number | "X" => x === "X" || (Number.isSafeInteger(x) && (x as number) > 0),
  );

/** Reads a cell. A number may be in quotes. */
function cellValue(literal: Literal): Value | undefined {
  const text = stringOf(literal) ?? "";
  if (text === "A" || text === "X") return text;
  return /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : integerOf(literal);
}

/** Maximum number of draws. If none gives a puzzle, the parameters are rejected. */
const MOST_DRAWS = 3000;

/** Turn blanks into walls, so that each island of the other cells contains exactly one number, which is its size. */
export const numberWall: SynlogicTask<NumberWall> = {
  name: "number_wall",
  summary: "Turn blanks into walls so that each island of the other cells contains exactly one number, the size of the island.",
  languages: ["en", "zh"],
  parameters: {
    n_min: { kind: "integer", least: 2, most: 6, meaning: "least number of rows and columns" },
    n_max: { kind: "integer", least: 2, most: 6, meaning: "largest number of rows and columns" },
    number_rate_min: { kind: "number", least: 0.1, most: 0.4, meaning: "least share of numbers" },
    number_rate_max: { kind: "number", least: 0.1, most: 0.4, meaning: "largest share of numbers" },
  },
  levels: {
    tiny: { n_min: 2, n_max: 2, number_rate_min: 0.2, number_rate_max: 0.2 },
    easy: { n_min: 3, n_max: 3, number_rate_min: 0.15, number_rate_max: 0.25 },
    medium: { n_min: 4, n_max: 4, number_rate_min: 0.15, number_rate_max: 0.25 },
    hard: { n_min: 5, n_max: 5, number_rate_min: 0.15, number_rate_max: 0.25 },
  },
  attributes: ["n_min", "n_max", "number_rate_min", "number_rate_max"],
  generate(random, { n_min, n_max, number_rate_min, number_rate_max }, language) {
    if (n_min > n_max) throw new InputError(`number_wall: n_min: expected at most n_max (${n_max}), got ${n_min}`);
    if (number_rate_min > number_rate_max) {
      throw new InputError(`number_wall: number_rate_min: expected at most number_rate_max (${number_rate_max}), got ${number_rate_min}`);
    }
    for (let draw = 0; draw < MOST_DRAWS; draw++) {
      const n = randomInteger(random, n_min, n_max);
      const rate = Math.round(100 * (number_rate_min + random.next() * (number_rate_max - number_rate_min))) / 100;
      const drawn = drawIslands(random, n, Math.max(1, Math.floor(0.8 * rate * n * n)));
      if (!drawn) continue;
      const { grid, solution } = drawn;
      return { question: question(grid, language), answer: "", metadata: { grid, solution, n, number_rate: rate } };
    }
    throw new InputError(
      `number_wall: expected enough islands to leave no 2 x 2 block of walls, got n_min ${n_min} and number_rate_max ${number_rate_max} (try other values)`,
    );
  },
  solve(row) {
    return write(solveGrid(gridOfRow(row)) ?? []);
  },
  verify(row, text) {
    const given = gridOfRow(row);
    const answer = finalBlockGrid(text);
    if (!answer) return reject("the answer does not end with a code block that holds only a list of lists");
    const { literal, found, assigned } = answer;
    const grid = gridOf(literal, cellValue);
    if (grid?.length !== given.length || grid[0]!.length !== given[0]!.length) {
      return reject(`expected ${given.length} rows of ${given[0]!.length} cells: numbers, "A" or "X"`, found);
    }
    for (const [i, j] of cellsOf(given)) {
      const [before, after] = [given[i]![j]!, grid[i]![j]!];
      if (isNumber(before) ? after !== before : isNumber(after)) {
        return reject(`${cellName([i, j])}: expected ${isNumber(before) ? `the given ${before}` : '"A" or "X"'}, got ${after}`, found);
      }
    }
    const broken = brokenRule(grid);
    if (broken) return reject(broken, found);
    return assigned ? undecided("the block assigns the grid to a name, but the question asks for the grid only", found) : accept(found);
  },
  guess(row, random) {
    return write(gridOfRow(row).map((values) => values.map((value) => (isNumber(value) ? value : randomBoolean(random, 0.6) ? "A" : "X"))));
  },
  published,
};

/**
 * Emulates the published verifier. It judges the last grid of the whole message that matches a strict pattern. Islands may not touch at a
 * corner, but numbers may be written into blank cells.
 */
function published(row: Row, response: string): PublishedVerdict {
  const given = gridOfRow(row);
  const { grids, slow } = strictGrids(response, /["']?(X|A|[0-9]{1,15}(?![0-9]))["']?/y);
  if (slow) return "error";
  const texts = grids.at(-1);
  if (texts?.length !== given.length || texts.some((cells) => cells.length !== given[0]!.length)) return false;
  const grid = texts.map((cells) => cells.map((cell): Value => (cell === "A" || cell === "X" ? cell : Number(cell))));
  if (cellsOf(given, isNumber).some(([i, j]) => given[i]![j] !== grid[i]![j])) return false;
  const islands = connectedGroups(grid, isOpen);
  const touch = islands.some((island) =>
    island.some((cell) =>
      neighbours(grid, cell, CORNER_STEPS).some(([i, j]) => isOpen(grid[i]![j]!) && !island.some(([a, b]) => a === i && b === j)),
    ),
  );
  return !touch && brokenRule(grid) === undefined;
}
