import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataGrid, metadataStrings } from "../metadata.js";
import { lastNestedList } from "../reading/answers.js";
import { gridOf, type Literal, stringOf } from "../reading/literal.js";
import { nestedListTexts } from "../reading/published.js";
import { accept, type Json, type Language, type Row, reject, undecided } from "../row.js";
import { type GridWord, type Layout, placementsOf, placeWords } from "../search/word-grid.js";
import { WORDS } from "../words.js";

type Wordscapes = {
  /** Number of rows and of columns. */
  readonly size: number;
  readonly num_words: number;
  readonly max_intersections: number;
  /** The words to choose from. An empty list stands for the built-in words. */
  readonly words: readonly string[];
};

type Letters = readonly (readonly string[])[];

/** The place of a word. Cells are numbered in reading order. */
interface Slot {
  readonly direction: "across" | "down";
  readonly cells: readonly number[];
}

const SHORTEST_WORD = 3;
/** Maximum number of draws of a layout, until one can be filled with words in a single way. */
const MAX_DRAWS = 3000;
/**
 * Maximum number of words that are tried in one layout, and in all layouts together. The limits end the search with an error if the words
 * never cross.
 */
const MAX_FILL_STEPS = 400;
const MAX_TOTAL_FILL_STEPS = 20_000;
/** Maximum number of words that a test for a single solution places. */
const MAX_UNIQUENESS_STEPS = 5000;

/** Fill a crossword. The words are given, but not their places. */
export const wordscapes: SynlogicTask<Wordscapes> = {
  name: "wordscapes",
  summary: "Place the given words across and down so that they cover a layout and agree where they cross.",
  languages: ["en", "zh"],
  parameters: {
    size: { kind: "integer", least: 3, most: 15, meaning: "rows and columns" },
    num_words: { kind: "integer", least: 2, most: 20, meaning: "words, at most 2·size" },
    max_intersections: { kind: "integer", least: 1, most: 40, meaning: "most crossings; there is at least one" },
    words: { kind: "list", of: "string", meaning: "lower-case words to choose from (a built-in list)" },
  },
  levels: {
    tiny: { size: 3, num_words: 2, max_intersections: 1, words: [] },
    easy: { size: 4, num_words: 5, max_intersections: 3, words: [] },
    medium: { size: 8, num_words: 7, max_intersections: 6, words: [] },
    hard: { size: 15, num_words: 10, max_intersections: 10, words: [] },
  },
  attributes: ["num_words", "size", "max_intersections"],
  generate(random, { size, num_words, max_intersections, words }, language) {
    const usable = usableWords(words, size, num_words);
    const longest = usable.reduce((length, word) => Math.max(length, word.length), 0);
    const budget = { steps: MAX_TOTAL_FILL_STEPS };
    for (let draw = 0; draw < MAX_DRAWS && budget.steps > 0; draw++) {
      const slots = drawSlots(random, size, num_words, longest);
      const crossings = slots.flatMap(({ cells }) => cells).length - new Set(slots.flatMap(({ cells }) => cells)).size;
      if (crossings < 1 || crossings > max_intersections) continue;
      const filled = fillSlots(random, slots, usable, budget);
      if (!filled) continue;
      const solution = lettersText(filled, slots, size);
      const grid = solution.map((row) => row.map((letter) => (letter === " " ? "0" : "X")));
      const chosen = (direction: string) =>
        shuffle(
          random,
          filled.filter((_, i) => slots[i]!.direction === direction),
        );
      const [across_words, down_words] = [chosen("across"), chosen("down")];
      const solutions = placeWords(grid, gridWords(across_words, down_words), 2, { maxSteps: MAX_UNIQUENESS_STEPS });
      if (!solutions.complete || solutions.found.length !== 1) continue;
      return {
        question: question(grid, across_words, down_words, language),
        answer: solution,
        metadata: { grid, across_words, down_words, solution, size, num_words, max_intersections },
      };
    }
    throw new InputError(
      `wordscapes: generate: expected parameters that give a single solution, got none in the layouts drawn (raise size or max_intersections, lower num_words, or pass more words)`,
    );
  },
  solve(row) {
    const { grid, words } = puzzleOf(row);
    const solution = placeWords(grid, words, 1).found[0];
    if (!solution)
      throw new InputError("wordscapes: solve: expected a grid with a solution, found none (its words do not cover the layout)");
    const width = grid[0]!.length;
    return write(grid.map((_, i) => solution.slice(i * width, (i + 1) * width).map((letter) => letter || " ")));
  },
  verify(row, text) {
    const { grid, words } = puzzleOf(row);
    const answer = lastNestedList(text);
    if (!answer) return reject("there is no list of lists after the reasoning");
    const letters = gridOf(answer.literal, letterOf);
    const [height, width] = [grid.length, grid[0]!.length];
    if (letters?.length !== height || letters[0]!.length !== width) {
      return reject(`expected ${height} rows of ${width} cells, each a letter or " "`, answer.found);
    }
    for (const [i, cells] of grid.entries()) {
      const j = cells.findIndex((cell, column) => (cell === "X") !== (letters[i]![column] !== ""));
      if (j >= 0) return reject(`row ${i + 1}, column ${j + 1} ${cells[j] === "X" ? "needs a letter" : "has to stay empty"}`, answer.found);
    }
    const missing = words.find((word) => placementsOf(word, grid, letters).length === 0);
    if (missing) return reject(`${missing.word} is not in the grid (${missing.direction})`, answer.found);
    const placed = placeWords(grid, words, 1, { letters });
    if (placed.found.length > 0) return accept(answer.found);
    if (!placed.complete) return undecided("there are too many ways to place the words", answer.found);
    return reject("the words overlap in the same direction, or a letter belongs to no word", answer.found);
  },
  guess(row, random) {
    const { grid, words } = puzzleOf(row);
    const letters = words.flatMap(({ word }) => [...word]);
    return write(grid.map((cells) => cells.map((cell) => (cell === "X" ? randomChoice(random, letters) : " "))));
  },
  published(row, response) {
    const { grid, words } = puzzleOf(row);
    const both = response.includes("<think>") && response.includes("</think>");
    const [text] = nestedListTexts(both ? response.slice(response.lastIndexOf("</think>")) : response);
    const letters = publishedCells(text ?? "");
    const fits = (cells: readonly string[], i: number) =>
      cells.length === letters[i]!.length && cells.every((cell, j) => (cell === "X") === (letters[i]![j] !== ""));
    if (letters.length !== grid.length || !grid.every(fits)) return false;
    const rows = letters.map((cells) => cells.join(""));
    const columns = grid[0]!.map((_, j) => letters.map((cells) => cells[j]!).join(""));
    return words.every(({ word, direction }) => (direction === "across" ? rows : columns).some((line) => line.includes(word)));
  },
};

/** Returns a letter in lower case, or an empty text for a cell without a letter. Returns undefined for any other literal. */
function letterOf(cell: Literal): string | undefined {
  const text = stringOf(cell)?.trim();
  if (text === "" || text === "0") return "";
  return text !== undefined && /^[A-Za-z]$/.test(text) ? text.toLowerCase() : undefined;
}

/** Emulates how the published verifier reads cells: anything between commas is a cell, with or without quotes. */
function publishedCells(text: string): string[][] {
  return text.split("]").flatMap((row) => {
    const open = row.lastIndexOf("[");
    if (open < 0) return [];
    const cells = row.slice(open + 1).split(",");
    return [cells.map((cell) => cell.replace(/["'\s]/g, "").toLowerCase()).map((cell) => (cell === "0" ? "" : cell))];
  });
}

function usableWords(words: readonly string[], size: number, count: number): readonly string[] {
  const wrong = words.find((word) => !/^[a-z]+$/.test(word));
  if (wrong !== undefined)
    throw new InputError(`wordscapes: words: expected lower-case letters a to z, got ${JSON.stringify(wrong.slice(0, 40))}`);
  const fitting = (words.length > 0 ? words : WORDS).filter((word) => word.length >= SHORTEST_WORD && word.length <= size);
  const usable = [...new Set(fitting)];
  if (count > 2 * size)
    throw new InputError(`wordscapes: num_words: expected at most ${2 * size} for size ${size}, got ${count} (or raise size)`);
  if (usable.length < count) {
    throw new InputError(
      `wordscapes: words: expected at least ${count} words of ${SHORTEST_WORD} to ${size} letters, got ${usable.length}`,
    );
  }
  return usable;
}

/** Draws slots, at most one in each row and in each column. */
function drawSlots(random: Random, size: number, count: number, longest: number): Slot[] {
  const lines = (["across", "down"] as const).flatMap((direction) => Array.from({ length: size }, (_, line) => ({ direction, line })));
  return shuffle(random, lines)
    .slice(0, count)
    .map(({ direction, line }) => {
      const length = randomInteger(random, SHORTEST_WORD, longest);
      const start = randomInteger(random, 0, size - length);
      const cells = Array.from({ length }, (_, k) => (direction === "across" ? line * size + start + k : (start + k) * size + line));
      return { direction, cells };
    });
}

/** Fills the slots with different words that agree where slots cross. Returns undefined if that fails. */
function fillSlots(random: Random, slots: readonly Slot[], words: readonly string[], budget: { steps: number }): string[] | undefined {
  const letters = new Map<number, string>();
  const chosen = new Map<Slot, string>();
  const shuffled = shuffle(random, words);
  let steps = 0;
  const wordsFor = ({ cells }: Slot) =>
    shuffled.filter((word) => word.length === cells.length && cells.every((cell, k) => (letters.get(cell) ?? word[k]) === word[k]));
  function fill(): boolean {
    const open = slots.filter((slot) => !chosen.has(slot)).map((slot) => ({ slot, candidates: wordsFor(slot) }));
    if (open.length === 0) return true;
    const { slot, candidates } = open.reduce((best, one) => (one.candidates.length < best.candidates.length ? one : best));
    const used = new Set(chosen.values());
    for (const word of candidates) {
      if (used.has(word)) continue;
      if (++steps > MAX_FILL_STEPS || --budget.steps <= 0) return false;
      const added = slot.cells.filter((cell) => !letters.has(cell));
      for (const [k, cell] of slot.cells.entries()) letters.set(cell, word[k]!);
      chosen.set(slot, word);
      if (fill()) return true;
      chosen.delete(slot);
      for (const cell of added) letters.delete(cell);
    }
    return false;
  }
  return fill() ? slots.map((slot) => chosen.get(slot)!) : undefined;
}

function lettersText(words: readonly string[], slots: readonly Slot[], size: number): string[][] {
  const grid = Array.from({ length: size }, () => new Array<string>(size).fill(" "));
  for (const [i, { cells }] of slots.entries()) {
    for (const [k, cell] of cells.entries()) grid[Math.floor(cell / size)]![cell % size] = words[i]![k]!;
  }
  return grid;
}

function gridWords(across: readonly string[], down: readonly string[]): GridWord[] {
  const inDirection = (words: readonly string[], direction: "across" | "down") =>
    words.filter((word) => word !== "").map((word): GridWord => ({ word: word.toLowerCase(), direction }));
  return [...inDirection(across, "across"), ...inDirection(down, "down")];
}

function puzzleOf(row: Row): { readonly grid: Layout; readonly words: readonly GridWord[] } {
  const grid = metadataGrid(row, "grid", '"X" and "0"', (x: Json): x is "X" | "0" => x === "X" || x === "0");
  return { grid, words: gridWords(metadataStrings(row, "across_words"), metadataStrings(row, "down_words")) };
}

const write = (letters: Letters) => `[${letters.map((row) => `[${row.map((letter) => JSON.stringify(letter)).join(", ")}]`).join(", ")}]`;

function question(grid: Layout, across: readonly string[], down: readonly string[], language: Language): string {
  const picture = grid.map((row) => row.join(" ")).join("\n");
  const example = '[["c", "a", "t"], ["o", " ", "e"], ["w", "i", "n"]]';
  if (language === "zh") {
    return `这是一个填词谜题。
横向单词：${across.join(", ") || "无"}
纵向单词：${down.join(", ") || "无"}

网格（X 处填一个字母，0 处留空）：
${picture}

请把所有单词填入网格：
1. 每个单词恰好使用一次。横向单词从左到右、纵向单词从上到下，都在连续的 X 上。
2. 两个单词相交的格子中，字母必须相同。同一方向的单词不能重叠。
3. 每个 X 至少属于一个单词。相邻的字母不必都组成单词。

请在最后把完整的网格写成列表的列表，每一行一个列表。每个格子是一个带引号的字母，空格子写作 " "。格式例如：
${example}`;
  }
  return `This is a crossword whose words are given.
Across words: ${across.join(", ") || "none"}
Down words: ${down.join(", ") || "none"}

Grid (X takes a letter, 0 stays empty):
${picture}

Put all words into the grid:
1. Use each word exactly once. Across words run from left to right and down words from top to bottom, each on consecutive X.
2. Where two words cross, they share the letter. Words in the same direction do not overlap.
3. Every X belongs to at least one word. Letters side by side need not all form words.

End your answer with the complete grid as a list of lists, one for each row. Each cell is a letter in quotes, or " " if it is empty. The format looks like this:
${example}`;
}
