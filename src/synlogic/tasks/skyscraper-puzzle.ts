import { InputError } from "../../base/errors.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataInteger, metadataIntegers } from "../metadata.js";
import { lastBlockLiteral } from "../reading/answers.js";
import { codeBlocks } from "../reading/final-text.js";
import { gridOf, integerOf, type Literal, parseLiteral } from "../reading/literal.js";
import { accept, type Language, type Row, reject } from "../row.js";
import { fillCells, type Group, numbersUpTo } from "../search/all-different.js";
import { hasOneSolution, latinSquareFault, randomLatinSquare, rowsAndColumns, squareOf } from "../search/latin-square.js";

type SkyscraperPuzzle = {
  /** Number of rows and of columns, and the largest height. */
  readonly n: number;
};

type Grid = readonly (readonly number[])[];

/** For each row and column, the number of buildings that can be seen from each end. */
interface Clues {
  readonly top: readonly number[];
  readonly bottom: readonly number[];
  readonly left: readonly number[];
  readonly right: readonly number[];
}

/** Counts the buildings that are higher than all buildings before them. */
function visible(heights: readonly number[]): number {
  let highest = 0;
  let count = 0;
  for (const height of heights) {
    if (height <= highest) continue;
    highest = height;
    count++;
  }
  return count;
}

const columnsOf = (grid: Grid) => grid.map((_, j) => grid.map((row) => row[j]!));

function cluesOf(grid: Grid): Clues {
  const seen = (lines: Grid) => lines.map(visible);
  const reversed = (lines: Grid) => lines.map((line) => [...line].reverse());
  const columns = columnsOf(grid);
  return { top: seen(columns), bottom: seen(reversed(columns)), left: seen(grid), right: seen(reversed(grid)) };
}

/**
 * Returns the rule of a row or column with its two clues. The clues are checked exactly once the line is full. Before that, only a bound on
 * the heights at both ends is checked.
 */
function lineRule(group: Group, first: number, last: number): Group {
  const size = group.cells.length;
  const all = numbersUpTo(size);
  const allowed = (heights: readonly number[]) => {
    const full = !heights.includes(0);
    if (full) return visible(heights) === first && visible([...heights].reverse()) === last ? all : 0;
    return boundFits(heights, first, size) && boundFits([...heights].reverse(), last, size) ? all : 0;
  };
  return { cells: group.cells, allowed };
}

/** Whether the heights before the first free cell can still lead to the clue. */
function boundFits(heights: readonly number[], clue: number, size: number): boolean {
  const start = heights.slice(0, heights.indexOf(0));
  const seen = visible(start);
  const higher = size - Math.max(0, ...start);
  return seen <= clue && clue <= seen + higher;
}

function groupsOf(size: number, clues: Clues): Group[] {
  return rowsAndColumns(size).map((group, i) =>
    i < size ? lineRule(group, clues.left[i]!, clues.right[i]!) : lineRule(group, clues.top[i - size]!, clues.bottom[i - size]!),
  );
}

/** Find the heights of buildings from the number of buildings that can be seen from each edge. */
export const skyscraperPuzzle: SynlogicTask<SkyscraperPuzzle> = {
  name: "skyscraper_puzzle",
  summary: "Fill a Latin square of heights so that the number of visible buildings from each edge is as given.",
  languages: ["en", "zh"],
  parameters: { n: { kind: "integer", least: 2, most: 6, meaning: "rows and columns" } },
  // There is no published size between 3 and 4.
  levels: { tiny: { n: 2 }, easy: { n: 3 }, medium: { n: 4 }, hard: { n: 4 } },
  attributes: ["n"],
  generate(random, { n }, language) {
    for (;;) {
      const solved_grid = randomLatinSquare(random, n);
      const clues = cluesOf(solved_grid);
      if (!hasOneSolution(n, groupsOf(n, clues))) continue;
      return { question: question(n, clues, language), answer: "", metadata: { n, solved_grid, ...clues } };
    }
  },
  solve(row) {
    const { size, clues } = puzzleOf(row);
    const solution = fillCells({ size, groups: groupsOf(size, clues) }, 1).found[0];
    if (!solution)
      throw new InputError("skyscraper_puzzle: solve: expected a puzzle with a solution, found none (its clues contradict each other)");
    return write(squareOf(solution));
  },
  verify(row, text) {
    const { size, clues } = puzzleOf(row);
    // The question forbids comments.
    const answer = lastBlockLiteral(text, { dialect: "python without comments" });
    if (!answer) return reject("there is no code block after the reasoning that holds only a list of lists");
    const grid = gridOf(answer.literal, integerOf);
    if (grid?.length !== size || grid[0]!.length !== size) return reject(`expected ${size} rows of ${size} integers`, answer.found);
    const fault = latinSquareFault(grid) ?? clueFault(grid, clues);
    return fault ? reject(fault, answer.found) : accept(answer.found);
  },
  guess(row, random) {
    return write(randomLatinSquare(random, metadataInteger(row, "n")));
  },
  // The published verifier reads the first Python block of the whole message, and takes True as 1.
  published(row, response) {
    const { size, clues } = puzzleOf(row);
    const block = codeBlocks(response).find(({ language, content }) => language === "python" && /^[ \t]*\r?\n/.test(content));
    const grid = gridOf(block && parseLiteral(block.content), (cell) => publishedInteger(cell));
    return grid?.length === size && grid[0]!.length === size && !latinSquareFault(grid) && !clueFault(grid, clues);
  },
};

const publishedInteger = (cell: Literal) => (cell.kind === "boolean" ? Number(cell.value) : integerOf(cell));

function clueFault(grid: Grid, clues: Clues): string | undefined {
  const given = cluesOf(grid);
  for (const side of ["top", "bottom", "left", "right"] as const) {
    const i = given[side].findIndex((count, line) => count !== clues[side][line]);
    const line = side === "top" || side === "bottom" ? "column" : "row";
    if (i >= 0) return `from the ${side}, ${line} ${i + 1} shows ${given[side][i]} buildings, not ${clues[side][i]}`;
  }
  return undefined;
}

function puzzleOf(row: Row): { readonly size: number; readonly clues: Clues } {
  const size = metadataInteger(row, "n");
  if (size < 1 || size > 30) throw metadataError(row, "n", "an integer within [1, 30]");
  const side = (key: string) => {
    const counts = metadataIntegers(row, key);
    if (counts.length !== size) throw metadataError(row, key, `${size} integers`);
    return counts;
  };
  return { size, clues: { top: side("top"), bottom: side("bottom"), left: side("left"), right: side("right") } };
}

const write = (grid: Grid) => `\`\`\`python\n[\n${grid.map((row) => `  [${row.join(", ")}]`).join(",\n")}\n]\n\`\`\``;

function question(size: number, { top, bottom, left, right }: Clues, language: Language): string {
  const edge = (counts: readonly number[]) => `    ${counts.join("   ")}`;
  const cells = new Array<string>(size).fill("X").join("   ");
  const picture = [edge(top), ...left.map((count, i) => `${count}   ${cells}   ${right[i]}`), edge(bottom)].join("\n");
  const example = "```python\n[\n  [1, 2],\n  [2, 1]\n]\n```";
  if (language === "zh") {
    return `这是一个 ${size}×${size} 的摩天楼谜题。每个格子里有一座高度为 1 到 ${size} 的楼，请把每个 X 换成它的高度，使得：
1. 每一行、每一列中，1 到 ${size} 的高度各出现一次。
2. 网格边上的每个数，等于从该处沿着这一行或这一列看过去能看到的楼数。矮楼会被前面更高的楼挡住。

${picture}

可以先写推理过程。最后必须给出一个 \`\`\`python 代码块，其中只有一个列表的列表（每一行一个列表），不能有注释或其他内容。2×2 的答案写作：
${example}`;
  }
  return `This is a ${size}×${size} skyscraper puzzle. Each cell holds a building of a height from 1 to ${size}. Replace each X with a height so that:
1. Every row and every column holds each height from 1 to ${size} once.
2. Each number at the edge is the number of buildings that are visible from that edge along the row or column. A building hides all lower buildings behind it.

${picture}

You may reason first. End with a \`\`\`python code block that holds only one list of lists, with one list for each row and without comments. An answer of size 2×2 looks like this:
${example}`;
}
