// Places given words in a crossword grid whose slots are not marked.

/** The layout of a grid. A cell that takes a letter is `X`. */
export type Layout = readonly (readonly string[])[];

export interface GridWord {
  readonly word: string;
  readonly direction: "across" | "down";
}

/** A word at a place in the grid. Cells are numbered in reading order. */
interface Placement {
  readonly word: GridWord;
  readonly cells: readonly number[];
}

/** Maximum number of words that a search places. It ends the search within seconds for any puzzle. */
const MAX_STEPS = 300_000;

export interface WordSearchOptions {
  /** The letters of the cells, if they are known. */
  readonly letters?: readonly (readonly string[])[];
  readonly maxSteps?: number;
}

/** The result of a search. A solution has one entry per cell in reading order: its letter, or an empty text for a cell without a letter. */
export interface WordSearch {
  readonly found: readonly (readonly string[])[];
  /** True if there are no other solutions. False if the search stopped early. */
  readonly complete: boolean;
}

/** Returns all places where a word fits into the layout. @param letters the letters of the cells, if they are known */
export function placementsOf(word: GridWord, layout: Layout, letters?: readonly (readonly string[])[]): Placement[] {
  const [height, width] = [layout.length, layout[0]!.length];
  const [down, right] = word.direction === "down" ? [1, 0] : [0, 1];
  const last = word.word.length - 1;
  const placements: Placement[] = [];
  for (let i = 0; i + last * down < height; i++) {
    for (let j = 0; j + last * right < width; j++) {
      const places = [...word.word].map((letter, k) => ({ letter, row: i + k * down, column: j + k * right }));
      const fits = places.every(({ letter, row, column }) => {
        return layout[row]![column] === "X" && (letters === undefined || letters[row]![column] === letter);
      });
      if (fits) placements.push({ word, cells: places.map(({ row, column }) => row * width + column) });
    }
  }
  return placements;
}

/**
 * Finds up to `limit` ways to fill a layout. Every word lies in its direction, words in the same direction do not overlap, and every `X`
 * belongs to a word.
 *
 * The search continues with the word that has the fewest possible places.
 */
export function placeWords(
  layout: Layout,
  words: readonly GridWord[],
  limit: number,
  { letters, maxSteps = MAX_STEPS }: WordSearchOptions = {},
): WordSearch {
  const width = layout[0]!.length;
  const cellCount = layout.length * width;
  const filled = new Array<string>(cellCount).fill("");
  /** Whether each cell is covered by a word, separately for each direction. */
  const covered = { across: new Array<boolean>(cellCount).fill(false), down: new Array<boolean>(cellCount).fill(false) };
  const wanted = layout.flat().filter((cell) => cell === "X").length;
  const found = new Map<string, readonly string[]>();
  let steps = 0;

  const fits = ({ word, cells }: Placement) =>
    cells.every((cell, k) => !covered[word.direction][cell] && (filled[cell] === "" || filled[cell] === word.word[k]));
  /** Places the remaining words. Returns false if the search has to stop. */
  function place(left: readonly (readonly Placement[])[]): boolean {
    const full = filled.filter((letter) => letter !== "").length;
    if (left.length === 0) {
      if (full === wanted) found.set(filled.join(), [...filled]);
      return found.size < limit;
    }
    if (full + left.reduce((sum, [placement]) => sum + (placement?.cells.length ?? 0), 0) < wanted) return true;
    const open = left.map((placements) => placements.filter(fits)).sort((a, b) => a.length - b.length);
    const [next, ...others] = open;
    for (const { word, cells } of next!) {
      if (++steps > maxSteps) return false;
      const added = cells.filter((cell) => filled[cell] === "");
      for (const [k, cell] of cells.entries()) {
        filled[cell] = word.word[k]!;
        covered[word.direction][cell] = true;
      }
      const goOn = place(others);
      for (const cell of cells) covered[word.direction][cell] = false;
      for (const cell of added) filled[cell] = "";
      if (!goOn) return false;
    }
    return true;
  }
  const complete = place(words.map((word) => placementsOf(word, layout, letters)));
  return { found: [...found.values()], complete };
}
