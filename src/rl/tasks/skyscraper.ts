import type { Random } from "../../base/random.js";
import { drawUntil, randomInteger, shuffle } from "../../base/random-draws.js";
import { fillByLines, formatCells, type Grid, guessGrid, lineName, parseGrid, rowsAndColumns } from "./fill-lines.js";
import { countOpen, drawLatinSquare, permutations, subsquares } from "./latin-square.js";
import { levelSettings, type Task } from "./task.js";

/** The numbers of buildings that can be seen from the two ends of a row or column. Null is a hidden clue. */
export type Views = readonly [first: number | null, last: number | null];

/** A square of heights in row-major order, with "_" for a blank, and its clues. */
export interface Skyscraper {
  readonly cells: readonly string[];
  /** Clues of each row, seen from the left and from the right. */
  readonly rows: readonly Views[];
  /** Clues of each column, seen from the top and from the bottom. */
  readonly columns: readonly Views[];
}

/** Per level: the size, the number of blanks and of shown clues, and the range of the number of lines that the solution reads. */
const levels = [
  { size: 3, blanks: { fewest: 6, most: 7 }, clues: { fewest: 4, most: 6 }, steps: { fewest: 3, most: 6 } },
  { size: 3, blanks: { fewest: 8, most: 9 }, clues: { fewest: 5, most: 7 }, steps: { fewest: 4, most: 8 } },
  { size: 4, blanks: { fewest: 6, most: 7 }, clues: { fewest: 5, most: 7 }, steps: { fewest: 4, most: 5 } },
];
type Level = (typeof levels)[number];

const digits = (size: number) => "1234".slice(0, size);
const gridOf = ({ cells, rows }: Skyscraper): Grid => ({ cells, width: rows.length, alphabet: digits(rows.length) });
const formatClue = (clue: number | null) => String(clue ?? "_");

/** Counts the heights that are larger than all heights before them. */
function countVisible(heights: readonly string[]): number {
  return heights.filter((height, index) => heights.slice(0, index).every((other) => other < height)).length;
}

const viewsOf = (heights: readonly string[]): Views => [countVisible(heights), countVisible(heights.toReversed())];

/** For each size, all orders of the heights with their clues. */
const ordersOf = new Map([3, 4].map((size) => [size, permutations([...digits(size)]).map((order) => ({ order, views: viewsOf(order) }))]));

function linesOf({ rows, columns }: Pick<Skyscraper, "rows" | "columns">) {
  const clues = [...rows, ...columns];
  const orders = ordersOf.get(rows.length)!;
  return rowsAndColumns(rows.length, rows.length).map((cells, index) => {
    const [first, last] = clues[index]!;
    const fits = ({ views }: { readonly views: Views }) => (first ?? views[0]) === views[0] && (last ?? views[1]) === views[1];
    return {
      cells,
      options: orders.filter(fits).map(({ order }) => order),
      format: (contents: string) => `${lineName(index, rows.length)} : ${formatClue(first)} ${contents} ${formatClue(last)}`,
    };
  });
}

const fill = (instance: Skyscraper) => fillByLines(gridOf(instance), linesOf(instance));

const countBlanks = (cells: readonly string[]) => cells.filter((height) => height === "_").length;
const countClues = (clues: readonly (number | null)[]) => clues.filter((clue) => clue !== null).length;

/** Returns a puzzle with the given clues. Those of line `i` are the numbers `2 * i` and `2 * i + 1`. */
function withClues(cells: readonly string[], clues: readonly (number | null)[]): Skyscraper {
  const views = Array.from({ length: clues.length / 2 }, (_, line): Views => [clues[2 * line]!, clues[2 * line + 1]!]);
  return { cells, rows: views.slice(0, views.length / 2), columns: views.slice(views.length / 2) };
}

/** Returns whether few enough readings of lines complete a puzzle. */
function isShort(puzzle: Skyscraper, { steps }: Level): boolean {
  const reading = fill(puzzle);
  return reading.complete && reading.steps <= steps.most;
}

/** Removes heights from a solved puzzle that has all clues. */
function drawBlanks(random: Random, level: Level) {
  const { size, blanks } = level;
  const solution = drawLatinSquare(random, digits(size));
  const clues = rowsAndColumns(size, size).flatMap((line) => viewsOf(line.map((cell) => solution[cell]!)));
  const most = randomInteger(random, blanks.fewest, blanks.most);
  let cells = solution;
  const groups = [subsquares(solution, size), [...solution.keys()].map((cell) => [cell])];
  for (const group of groups.flatMap((some) => shuffle(random, some))) {
    const fewer = cells.map((height, cell) => (group.includes(cell) ? "_" : height));
    if (countBlanks(fewer) <= most && isShort(withClues(fewer, clues), level)) cells = fewer;
  }
  return { cells, clues };
}

/** Draws a puzzle. Removes clues from a puzzle with blanks, as long as it can still be solved in few readings. */
function drawPuzzle(random: Random, level: Level): Skyscraper {
  const { size, blanks } = level;
  const { cells, clues } = drawUntil(
    () => drawBlanks(random, level),
    (drawn) => countBlanks(drawn.cells) >= blanks.fewest && countOpen(drawn.cells, digits(size)) > 0,
  );
  // Clues of lines without blanks are hidden, because they do not help.
  const lines = rowsAndColumns(size, size);
  let views: readonly (number | null)[] = clues.map((clue, end) => (lines[end >> 1]!.some((cell) => cells[cell] === "_") ? clue : null));
  const fewest = randomInteger(random, level.clues.fewest, level.clues.most);
  for (const end of shuffle(random, views.keys())) {
    const fewer = views.with(end, null);
    if (countClues(fewer) >= fewest && isShort(withClues(cells, fewer), level)) views = fewer;
  }
  return withClues(cells, views);
}

/**
 * Fill a Latin square of heights so that the given numbers of buildings are visible (SynLogic's `skyscraper_puzzle`). Some heights are
 * given and some clues are hidden. The steps read rows and columns in turn and fill the cells that the clues and the known cells determine,
 * so the solution is unique.
 */
export const skyscraper: Task<Skyscraper> = {
  name: "skyscraper",
  levels: levels.length,

  generate(random, level) {
    const settings = levelSettings(this.name, levels, level);
    return drawUntil(
      () => drawPuzzle(random, settings),
      (drawn) => countClues([drawn.rows, drawn.columns].flat(2)) <= settings.clues.most && fill(drawn).steps >= settings.steps.fewest,
    );
  },

  question(instance) {
    const { cells, rows, columns } = instance;
    const [top, bottom] = [0, 1].map((end) => columns.map((views) => formatClue(views[end]!)).join(" "));
    const lines = formatCells(cells, rows.length).split("\n");
    const picture = lines.map((line, row) => `${formatClue(rows[row]![0])} ${line} ${formatClue(rows[row]![1])}`);
    return `Fill the skyscraper with ${[...digits(rows.length)].join(" ")} :\n${[top, ...picture, bottom].join("\n")}`;
  },

  solve(instance) {
    const { thinking, answer } = fill(instance);
    return { thinking, answer };
  },

  /** Accepts every Latin square with the given heights and the shown clues. */
  verify(instance, answer) {
    const filled = parseGrid(gridOf(instance), answer);
    if (!filled) return false;
    return linesOf(instance).every(({ cells, options }) => {
      const heights = cells.map((cell) => filled[cell]).join("");
      return options.some((option) => option.join("") === heights);
    });
  },

  guess: (instance, random) => guessGrid(gridOf(instance), random),
};
