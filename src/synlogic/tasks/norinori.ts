import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataGrid } from "../metadata.js";
import { lastListOf } from "../reading/answers.js";
import { integerOf, itemsOf, type Literal } from "../reading/literal.js";
import { asciiDigits } from "../reading/python-integer.js";
import { accept, type PublishedVerdict, type Row, reject, undecided } from "../row.js";
import { type Cell, cellName, cellsOf, neighbours } from "../search/cells.js";
import { question } from "./norinori-text.js";

type Norinori = {
  readonly n: number;
  readonly min_regions: number;
  readonly max_regions: number;
  readonly shadow_ratio: number;
};

type Grid = readonly (readonly string[])[];
type Domino = readonly [Cell, Cell];

/** Marks a shadow cell, which belongs to no region. */
const SHADOW = "X";
const CELLS_OF_REGION = 2;

const sameCell = ([i, j]: Cell, [a, b]: Cell) => i === a && j === b;
const shareEdge = ([i, j]: Cell, [a, b]: Cell) => Math.abs(i - a) + Math.abs(j - b) === 1;
const isInside = (grid: Grid, [i, j]: Cell) => grid[i]?.[j] !== undefined;
const nameOf = (domino: Domino) => domino.map(cellName).join(" to ");

/** Counts the covered cells of each region. */
function coveredCells(grid: Grid, dominoes: readonly Domino[]): Map<string, number> {
  const covered = new Map(cellsOf(grid).map(([i, j]) => [grid[i]![j]!, 0]));
  for (const [i, j] of dominoes.flat()) covered.set(grid[i]![j]!, covered.get(grid[i]![j]!)! + 1);
  return covered;
}

/**
 * Describes the broken rule about single dominoes, pairs of dominoes or shadow cells. Returns undefined if there is none. Regions are not
 * checked.
 */
function brokenPlacement(grid: Grid, dominoes: readonly Domino[]): string | undefined {
  // More dominoes must overlap or touch, so they are not compared one by one.
  if (dominoes.length > cellsOf(grid).length / 2) return `${dominoes.length} dominoes do not fit into the grid`;
  for (const [k, domino] of dominoes.entries()) {
    if (!domino.every((cell) => isInside(grid, cell))) return `domino ${k + 1} leaves the grid`;
    if (!shareEdge(...domino)) return `domino ${k + 1} is not made of two cells that share an edge`;
    const touched = dominoes.slice(0, k).find((other) => domino.some((a) => other.some((b) => sameCell(a, b) || shareEdge(a, b))));
    if (touched) return `the dominoes ${nameOf(touched)} and ${nameOf(domino)} overlap or share an edge`;
  }
  const shadow = cellsOf(grid, (region) => region === SHADOW).find((cell) => !dominoes.flat().some((other) => sameCell(cell, other)));
  return shadow && `the shadow cell in ${cellName(shadow)} is not covered`;
}

function brokenRule(grid: Grid, dominoes: readonly Domino[]): string | undefined {
  const broken = brokenPlacement(grid, dominoes);
  if (broken) return broken;
  const wrong = [...coveredCells(grid, dominoes)].find(([region, covered]) => region !== SHADOW && covered !== CELLS_OF_REGION);
  return wrong && `region ${wrong[0]} has ${wrong[1]} covered cells`;
}

/** Solves a puzzle. Visits the cells in reading order; each cell stays empty or begins a domino to the right or downwards. */
function solveGrid(grid: Grid): Domino[] | undefined {
  const cells = cellsOf(grid);
  const regionOf = ([i, j]: Cell) => grid[i]![j]!;
  const owner = new Set<string>();
  const dominoes: Domino[] = [];
  const covered = coveredCells(grid, []);
  const last = new Map(cells.map((cell, k) => [regionOf(cell), k]));
  const isFree = (cell: Cell) =>
    isInside(grid, cell) && !owner.has(String(cell)) && neighbours(grid, cell).every((next) => !owner.has(String(next)));
  function add(cell: Cell, change: 1 | -1): void {
    covered.set(regionOf(cell), covered.get(regionOf(cell))! + change);
    if (change === 1) owner.add(String(cell));
    else owner.delete(String(cell));
  }
  function visit(k: number): boolean {
    const cell = cells[k];
    if (!cell) return true;
    const [i, j] = cell;
    const region = regionOf(cell);
    /** Whether the shadow cell or the region that ends with this cell is complete. */
    const complete = () =>
      region === SHADOW ? owner.has(String(cell)) : last.get(region) !== k || covered.get(region) === CELLS_OF_REGION;
    for (const other of [[i, j + 1] as const, [i + 1, j] as const]) {
      if (!isFree(cell) || !isFree(other)) continue;
      for (const one of [cell, other]) add(one, 1);
      dominoes.push([cell, other]);
      const fits = [cell, other].every((one) => regionOf(one) === SHADOW || covered.get(regionOf(one))! <= CELLS_OF_REGION);
      if (fits && complete() && visit(k + 1)) return true;
      dominoes.pop();
      for (const one of [cell, other]) add(one, -1);
    }
    return complete() && visit(k + 1);
  }
  return visit(0) ? dominoes : undefined;
}

/** Draws dominoes that do not touch. Returns undefined if there is no room for that many. */
function drawDominoes(random: Random, n: number, count: number): Domino[] | undefined {
  const grid = Array.from({ length: n }, () => Array.from({ length: n }, () => ""));
  const apart = (a: Domino, b: Domino) => a.every((one) => b.every((other) => !sameCell(one, other) && !shareEdge(one, other)));
  let places = cellsOf(grid).flatMap(([i, j]): Domino[] => [
    ...(j + 1 < n
      ? [
          [
            [i, j],
            [i, j + 1],
          ] as const,
        ]
      : []),
    ...(i + 1 < n
      ? [
          [
            [i, j],
            [i + 1, j],
          ] as const,
        ]
      : []),
  ]);
  const dominoes: Domino[] = [];
  while (dominoes.length < count) {
    if (places.length === 0) return undefined;
    // Takes the better of two random places, the one that leaves more room. This way, many dominoes fit.
    const [one, other] = [0, 1].map(() => {
      const domino = randomChoice(random, places);
      return { domino, left: places.filter((place) => apart(place, domino)) };
    });
    const chosen = one!.left.length >= other!.left.length ? one! : other!;
    dominoes.push(chosen.domino);
    places = chosen.left;
  }
  return shuffle(random, dominoes);
}

/**
 * Grows connected regions with two covered cells each. Returns undefined if a cell is left over.
 *
 * @param shadows the covered cells that belong to no region
 */
function drawRegions(random: Random, n: number, covered: readonly Cell[], shadows: readonly Cell[]): string[][] | undefined {
  const grid = Array.from({ length: n }, () => Array.from({ length: n }, () => ""));
  for (const [i, j] of shadows) grid[i]![j] = SHADOW;
  const isCovered = new Set(covered.map(String));
  const inside = covered.filter((cell) => !shadows.some((shadow) => sameCell(cell, shadow)));
  const counts = new Map<string, number>();
  const take = ([i, j]: Cell, region: string) => {
    grid[i]![j] = region;
    if (isCovered.has(String([i, j]))) counts.set(region, (counts.get(region) ?? 0) + 1);
  };
  const seeds = shuffle(random, inside).slice(0, inside.length / CELLS_OF_REGION);
  for (const [k, cell] of seeds.entries()) take(cell, String.fromCharCode(65 + k));
  for (let free = cellsOf(grid, (region) => region === ""); free.length > 0; free = cellsOf(grid, (region) => region === "")) {
    const growths = free.flatMap((cell) =>
      neighbours(grid, cell)
        .map(([i, j]) => grid[i]![j]!)
        .filter((region) => region !== "" && region !== SHADOW)
        .filter((region) => !isCovered.has(String(cell)) || counts.get(region)! < CELLS_OF_REGION)
        .map((region) => ({ cell, region })),
    );
    if (growths.length === 0) return undefined;
    const { cell, region } = randomChoice(random, growths);
    take(cell, region);
  }
  return [...counts.values()].every((count) => count === CELLS_OF_REGION) ? grid : undefined;
}

const gridOfRow = (row: Row) => metadataGrid(row, "region_grid", "letters", (x): x is string => typeof x === "string" && /^[A-Z]$/.test(x));

const write = (dominoes: readonly Domino[]) =>
  `[${dominoes.map((domino) => `[${domino.map(([i, j]) => `(${i + 1}, ${j + 1})`).join(", ")}]`).join(", ")}]`;

/** Maximum number of draws. If none gives a puzzle, the parameters are rejected. */
const MOST_DRAWS = 2000;

/** Place dominoes that do not touch, so that each region has two covered cells and all shadow cells are covered. */
export const norinori: SynlogicTask<Norinori> = {
  name: "norinori",
  summary: "Place dominoes that share no edge so that each region has exactly two covered cells and every shadow cell is covered.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 3, most: 8, meaning: "rows and columns" },
    min_regions: { kind: "integer", least: 1, most: 12, meaning: "least number of regions" },
    max_regions: { kind: "integer", least: 1, most: 12, meaning: "largest number of regions" },
    shadow_ratio: { kind: "number", least: 0, most: 0.2, meaning: "share of shadow cells, rounded down to an even number of cells" },
  },
  levels: {
    tiny: { n: 4, min_regions: 2, max_regions: 3, shadow_ratio: 0 },
    easy: { n: 5, min_regions: 3, max_regions: 3, shadow_ratio: 0.1 },
    medium: { n: 5, min_regions: 3, max_regions: 5, shadow_ratio: 0.1 },
    hard: { n: 5, min_regions: 5, max_regions: 5, shadow_ratio: 0.1 },
  },
  attributes: ["n", "max_regions", "min_regions", "shadow_ratio"],
  generate(random, { n, min_regions, max_regions, shadow_ratio }, language) {
    if (min_regions > max_regions)
      throw new InputError(`norinori: min_regions: expected at most max_regions (${max_regions}), got ${min_regions}`);
    // Dominoes cover an even number of cells, and so do the regions. The number of shadow cells is therefore even.
    const shadowCells = 2 * Math.floor((n * n * shadow_ratio + 1e-9) / 2);
    // A domino and the cells that it keeps free take up at least six cells of a grid with one more row and column.
    const room = (n + 1) ** 2 / 6 >= min_regions + shadowCells / 2;
    for (let draw = 0; room && draw < MOST_DRAWS; draw++) {
      const regions = randomInteger(random, min_regions, max_regions);
      const dominoes = drawDominoes(random, n, regions + shadowCells / 2);
      if (!dominoes) continue;
      const covered = dominoes.flat();
      const grid = drawRegions(random, n, covered, shuffle(random, covered).slice(0, shadowCells));
      if (!grid) continue;
      const solution = dominoes.map((domino) => domino.map(([i, j]) => [i + 1, j + 1]));
      return {
        question: question(grid, language),
        answer: "",
        metadata: { region_grid: grid, solution, n, region_nums: regions, shadow_ratio },
      };
    }
    throw new InputError(
      `norinori: min_regions: expected room for the dominoes of ${min_regions} regions in ${n} x ${n} cells (try fewer regions)`,
    );
  },
  solve(row) {
    return write(solveGrid(gridOfRow(row)) ?? []);
  },
  verify(row, text) {
    const grid = gridOfRow(row);
    const answer = lastListOf(text, (item) => itemsOf(item) !== undefined);
    if (!answer) return reject("there is no list of dominoes after the reasoning");
    const { items, found, rest } = answer;
    if (answer.alternative) return reject("two lists are offered as alternatives", found);
    // If an unreadable list of numbers follows, the whole answer counts as broken.
    if (/\[\s*[[(]\s*[0-9]/.test(rest)) return reject("a broken list follows the dominoes", found);
    const dominoes = items.map(dominoOf);
    if (dominoes.some((domino) => domino === undefined))
      return reject("expected dominoes of two cells (row, column), counted from 1", found);
    const broken = brokenRule(grid, dominoes as Domino[]);
    if (broken) return reject(broken, found);
    const tuples = items.every((domino) => itemsOf(domino)!.every((cell) => cell.kind === "tuple"));
    return tuples ? accept(found) : undecided("the cells are lists, but the question shows tuples", found);
  },
  guess(row, random) {
    const grid = gridOfRow(row);
    const regions = coveredCells(grid, []).size;
    for (let count = regions; ; count--) {
      const dominoes = drawDominoes(random, grid.length, count);
      if (dominoes) return write(dominoes);
    }
  },
  published,
};

/** Reads a domino of two cells. */
function dominoOf(literal: Literal): Domino | undefined {
  const cells = itemsOf(literal)?.map((cell) => itemsOf(cell, "list or tuple")?.map(integerOf));
  if (cells?.length !== 2 || !cells.every((cell) => cell?.length === 2 && !cell.includes(undefined))) return undefined;
  return cells.map((cell) => [cell![0]! - 1, cell![1]! - 1] as const) as unknown as Domino;
}

/**
 * Emulates the published verifier. It joins all pairs of coordinates in the whole message, preferring pairs in brackets, and ignores
 * regions without a covered cell.
 */
function published(row: Row, response: string): PublishedVerdict {
  const grid = gridOfRow(row);
  const message = asciiDigits(response);
  const pair = String.raw`\(\s{0,99}([0-9]{1,9})\s{0,99},\s{0,99}([0-9]{1,9})\s{0,99}\)`;
  const two = String.raw`${pair}\s{0,99},\s{0,99}${pair}`;
  const bracketed = [...message.matchAll(new RegExp(String.raw`\[\s{0,99}${two}\s{0,99}\]`, "g"))];
  const matches = bracketed.length > 0 ? bracketed : [...message.matchAll(new RegExp(two, "g"))];
  const dominoes = matches.map((match) => {
    const [a, b, c, d] = match.slice(1, 5).map((digits) => Number(digits) - 1) as [number, number, number, number];
    return [[a, b] as const, [c, d] as const] as const;
  });
  if (brokenPlacement(grid, dominoes)) return false;
  return [...coveredCells(grid, dominoes)].every(([region, covered]) => region === SHADOW || covered === 0 || covered === CELLS_OF_REGION);
}
