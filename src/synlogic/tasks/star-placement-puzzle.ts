import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomChoice, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataGrid, metadataInteger } from "../metadata.js";
import { lastBlockLiteral } from "../reading/answers.js";
import { codeBlocks } from "../reading/final-text.js";
import { findLiterals, integerOf, itemsOf, type Literal, stringOf } from "../reading/literal.js";
import { accept, type Json, type Language, type Row, reject } from "../row.js";
import { ALL_STEPS, type Cell, cellName, cellsOf, connectedGroups, neighbours } from "../search/cells.js";
import { findStarSets } from "../search/star-sets.js";

type StarPlacementPuzzle = {
  /** Number of rows, of columns and of regions. */
  readonly n: number;
  /** Number of stars in each row, column and region. */
  readonly k: number;
};

/** The letter of the region of each cell. */
type Regions = readonly (readonly string[])[];

/** Maximum number of changes of the regions to remove other solutions. Beyond it, new regions are drawn. */
const MAX_CHANGES = 60;

/** Place stars that do not touch, with the same number in each row, column and region. */
export const starPlacementPuzzle: SynlogicTask<StarPlacementPuzzle> = {
  name: "star_placement_puzzle",
  summary: "Place stars so that each row, column and region holds the same number and no two touch.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 4, most: 9, meaning: "rows, columns and regions" },
    k: { kind: "integer", least: 1, most: 2, meaning: "stars in each of them; 2 needs at least 8 rows" },
  },
  // The smallest grid with a solution is 4×4.
  levels: { tiny: { n: 4, k: 1 }, easy: { n: 4, k: 1 }, medium: { n: 5, k: 1 }, hard: { n: 6, k: 1 } },
  attributes: ["n", "k"],
  generate(random, { n, k }, language) {
    if (k === 2 && n < 8) throw new InputError(`star_placement_puzzle: n: expected at least 8 for k = 2, got ${n} (or lower k to 1)`);
    for (;;) {
      const stars = findStarSets(n, k, 1, undefined, random).found[0];
      const drawn = stars && drawRegions(random, stars, n, k);
      const region_grid = drawn && withoutAlternatives(random, drawn, stars, k);
      if (!region_grid) continue;
      return {
        question: question(region_grid, k, language),
        // The published answer has a notation that the question does not ask for.
        answer: dictionaryText(starsByRegion(stars, region_grid)),
        metadata: { n, k, region_nums: n, region_grid, solution: null },
      };
    }
  },
  solve(row) {
    const { regions, stars } = puzzleOf(row);
    const solution = findStarSets(regions.length, stars, 1, regions).found[0];
    if (!solution)
      throw new InputError("star_placement_puzzle: solve: expected a grid with a solution, found none (no placement fits its regions)");
    return write(starsByRegion(solution, regions));
  },
  verify(row, text) {
    const { regions, stars } = puzzleOf(row);
    // The question requires the tag and forbids comments.
    const answer = lastBlockLiteral(text, { languages: ["python", "py"], dialect: "python without comments" });
    if (answer?.literal.kind !== "dictionary") {
      return reject("there is no ```python block after the reasoning that holds only a dictionary", answer?.found);
    }
    const placed = new Map<string, readonly Cell[]>();
    for (const [key, value] of answer.literal.entries) {
      const region = stringOf(key) ?? "";
      const cells = itemsOf(value)?.map(cellOf);
      if (!cells || cells.includes(undefined)) return reject("expected a list of (row, column) for each region", answer.found);
      if (placed.has(region)) return reject(`region ${region} is listed twice`, answer.found);
      placed.set(region, cells as Cell[]);
    }
    const fault = regionFault(placed, regions, stars) ?? placementFault([...placed.values()].flat(), regions, stars);
    return fault ? reject(fault, answer.found) : accept(answer.found);
  },
  guess(row, random) {
    const { regions, stars } = puzzleOf(row);
    const drawn = lettersOf(regions).map((letter) => {
      const cells = cellsOf(regions, (region) => region === letter);
      return [letter, shuffle(random, cells).slice(0, stars)] as const;
    });
    return write(new Map(drawn));
  },
  // The published verifier reads the first dictionary in the first Python block of the whole message, ignores its keys, and takes True as
  // 1.
  published(row, response) {
    const { regions, stars } = puzzleOf(row);
    const block = codeBlocks(response).find(({ language }) => language === "python");
    const literal = findLiterals(block?.content ?? "", "{")[0]?.literal;
    if (literal?.kind !== "dictionary") return false;
    const cells = literal.entries.flatMap(([, value]) => itemsOf(value, "list or tuple")?.map(publishedCell) ?? [undefined]);
    if (cells.includes(undefined)) return false;
    const distinct = new Map((cells as Cell[]).map((cell) => [String(cell), cell]));
    return placementFault([...distinct.values()], regions, stars) === undefined;
  },
};

/** Reads (row, column), counted from 1, from a tuple or a list. */
function cellOf(literal: Literal): Cell | undefined {
  const [row, column, ...more] = itemsOf(literal, "list or tuple")?.map(integerOf) ?? [];
  return row === undefined || column === undefined || more.length > 0 ? undefined : [row - 1, column - 1];
}

function publishedCell(literal: Literal): Cell | undefined {
  const items = itemsOf(literal, "list or tuple")?.map((item): Literal => {
    return item.kind === "boolean" ? { kind: "integer", value: Number(item.value) } : item;
  });
  return items && cellOf({ kind: "tuple", items });
}

function regionFault(placed: ReadonlyMap<string, readonly Cell[]>, regions: Regions, stars: number): string | undefined {
  const letters = lettersOf(regions);
  const unknown = [...placed.keys()].find((region) => !letters.includes(region));
  if (unknown !== undefined) return `there is no region ${JSON.stringify(unknown.slice(0, 20))}`;
  for (const letter of letters) {
    const cells = placed.get(letter) ?? [];
    if (cells.length !== stars) return `region ${letter} holds ${cells.length} stars, not ${stars}`;
    const foreign = cells.find(([i, j]) => regions[i]?.[j] !== letter);
    if (foreign) return `${cellName(foreign)} is not in region ${letter}`;
  }
  return undefined;
}

function placementFault(cells: readonly Cell[], regions: Regions, stars: number): string | undefined {
  if (cells.length !== regions.length * stars) return `there are ${cells.length} stars, not ${regions.length * stars}`;
  const outside = cells.find(([i, j]) => regions[i]?.[j] === undefined);
  if (outside) return `${cellName(outside)} is outside the grid`;
  for (let line = 0; line < regions.length; line++) {
    const inRow = cells.filter(([i]) => i === line).length;
    if (inRow !== stars) return `row ${line + 1} holds ${inRow} stars, not ${stars}`;
    const inColumn = cells.filter(([, j]) => j === line).length;
    if (inColumn !== stars) return `column ${line + 1} holds ${inColumn} stars, not ${stars}`;
  }
  for (const letter of lettersOf(regions)) {
    const inRegion = cells.filter(([i, j]) => regions[i]![j] === letter).length;
    if (inRegion !== stars) return `region ${letter} holds ${inRegion} stars, not ${stars}`;
  }
  const starAt = new Set(cells.map(String));
  if (starAt.size < cells.length) return "a star is listed twice";
  const touching = cells.find((cell) => neighbours(regions, cell, ALL_STEPS).some((other) => starAt.has(String(other))));
  return touching && `the star at ${cellName(touching)} touches another one`;
}

const lettersOf = (regions: Regions) => [...new Set(regions.flat())].sort();

function starsByRegion(stars: readonly Cell[], regions: Regions): Map<string, readonly Cell[]> {
  return new Map(lettersOf(regions).map((letter) => [letter, stars.filter(([i, j]) => regions[i]![j] === letter)]));
}

/**
 * Grows a connected region around each star, then merges neighbouring regions into groups of `k`. Returns undefined if they cannot be
 * merged.
 */
function drawRegions(random: Random, stars: readonly Cell[], size: number, k: number): string[][] | undefined {
  const grown = Array.from({ length: size }, () => new Array<number>(size).fill(-1));
  for (const [star, [i, j]] of stars.entries()) grown[i]![j] = star;
  for (;;) {
    const border = cellsOf(grown, (star) => star < 0).flatMap((cell) => {
      const beside = neighbours(grown, cell).map(([i, j]) => grown[i]![j]!);
      return beside.filter((star) => star >= 0).map((star) => ({ cell, star }));
    });
    if (border.length === 0) break;
    const { cell, star } = randomChoice(random, border);
    grown[cell[0]]![cell[1]] = star;
  }
  const alphabet = Array.from({ length: size }, (_, i) => String.fromCharCode(65 + i));
  const letters = shuffle(random, alphabet);
  const letterOf = new Map<number, string>();
  for (const star of shuffle(random, stars.keys())) {
    if (letterOf.has(star)) continue;
    const letter = letters.pop()!;
    letterOf.set(star, letter);
    for (let joined = 1; joined < k; joined++) {
      const beside = cellsOf(grown, (one) => letterOf.get(one) === letter)
        .flatMap((cell) => neighbours(grown, cell))
        .map(([i, j]) => grown[i]![j]!)
        .filter((one) => !letterOf.has(one));
      if (beside.length === 0) return undefined;
      letterOf.set(randomChoice(random, beside), letter);
    }
  }
  return grown.map((row) => row.map((star) => letterOf.get(star)!));
}

/**
 * Moves cells between regions until the given stars are the only solution. A star of another solution goes to a neighbouring region, as
 * long as the region that it leaves stays connected. Returns undefined if that fails.
 */
function withoutAlternatives(random: Random, drawn: Regions, stars: readonly Cell[], k: number): string[][] | undefined {
  const regions = drawn.map((row) => [...row]);
  const own = new Set(stars.map(String));
  for (let change = 0; change < MAX_CHANGES; change++) {
    const solutions = findStarSets(regions.length, k, 2, regions);
    const other = solutions.found.find((set) => set.some((cell) => !own.has(String(cell))));
    if (!other) return solutions.complete ? regions : undefined;
    const moves = other
      .filter((cell) => !own.has(String(cell)))
      .flatMap(([i, j]) => neighbours(regions, [i, j]).map(([a, b]) => ({ i, j, to: regions[a]![b]! })))
      .filter(({ i, j, to }) => to !== regions[i]![j] && staysConnected(regions, [i, j]));
    if (moves.length === 0) return undefined;
    const { i, j, to } = randomChoice(random, moves);
    regions[i]![j] = to;
  }
  return undefined;
}

function staysConnected(regions: Regions, [i, j]: Cell): boolean {
  const letter = regions[i]![j]!;
  const rest = regions.map((row, a) => row.map((region, b) => region === letter && !(a === i && b === j)));
  return connectedGroups(rest, (inside) => inside).length === 1;
}

function puzzleOf(row: Row): { readonly regions: Regions; readonly stars: number } {
  const regions = metadataGrid(row, "region_grid", "letters", (x: Json): x is string => typeof x === "string");
  const stars = metadataInteger(row, "k");
  if (regions.length !== regions[0]!.length || regions.length > 26) throw metadataError(row, "region_grid", "a square of at most 26 rows");
  if (stars < 1 || stars > 4) throw metadataError(row, "k", "an integer within [1, 4]");
  return { regions, stars };
}

const cellsText = (cells: readonly Cell[]) => `[${cells.map(([i, j]) => `(${i + 1}, ${j + 1})`).join(", ")}]`;

const entriesText = (placed: ReadonlyMap<string, readonly Cell[]>) =>
  [...placed].map(([letter, cells]) => `'${letter}': ${cellsText(cells)}`);

const dictionaryText = (placed: ReadonlyMap<string, readonly Cell[]>) => `{${entriesText(placed).join(", ")}}`;

const write = (placed: ReadonlyMap<string, readonly Cell[]>) => `\`\`\`python\n{\n    ${entriesText(placed).join(",\n    ")}\n}\n\`\`\``;

function question(regions: Regions, k: number, language: Language): string {
  const size = regions.length;
  const picture = `[\n${regions.map((row) => `    [${row.map((letter) => `"${letter}"`).join(", ")}]`).join(",\n")}\n]`;
  const example: [string, Cell[]][] = [
    ["A", [[0, 0]]],
    ["B", [[2, 1]]],
  ];
  if (k > 1) for (const [i, [, cells]] of example.entries()) cells.push([4, i + 3]);
  const written = write(new Map(example));
  if (language === "zh") {
    return `下面的 ${size}×${size} 网格分成 ${size} 个区域，每个格子中的字母是它所在的区域。请放置星星，使得：
1. 每一行、每一列和每个区域中都恰好有 ${k} 颗星星。
2. 任何两颗星星都不相邻，包括对角线方向。

${picture}

请在最后给出一个 \`\`\`python 代码块（必须写明 python），其中只有一个字典，不能有变量、注释或其他内容。键是所有区域的字母，值是该区域中星星的位置列表，每个位置写作 (行号, 列号)，都从 1 开始。格式例如：
${written}`;
  }
  return `The ${size}×${size} grid below is divided into ${size} regions. The letter of a cell names its region. Place stars so that:
1. Each row, each column and each region holds exactly ${k} ${k === 1 ? "star" : "stars"}.
2. No two stars are next to each other, not even diagonally.

${picture}

End your answer with a code block that begins with \`\`\`python and holds only one dictionary, without variables or comments. The keys are the letters of all regions. The value of a key is the list of the stars in that region, each as (row, column), counted from 1. The format looks like this:
${written}`;
}
