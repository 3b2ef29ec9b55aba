// Finds answers as the published verifiers do, including their mistakes. Only the emulations of these verifiers use this file.

/**
 * Finds the texts that a non-greedy pattern for `[[ … ]]` matches, from left to right. Each text begins at an opening pair of brackets and
 * ends at the first closing pair after it.
 *
 * @param opening a global pattern for the opening pair
 */
export function nestedListTexts(text: string, opening = /\[\s*\[/g): string[] {
  const closing = /\]\s*\]/g;
  const begin = new RegExp(opening);
  const found: string[] = [];
  for (let match = begin.exec(text); match; match = begin.exec(text)) {
    closing.lastIndex = begin.lastIndex;
    if (!closing.exec(text)) break;
    found.push(text.slice(match.index, closing.lastIndex));
    begin.lastIndex = closing.lastIndex;
  }
  return found;
}

/** Returns the box that published verifiers read: the last one in the whole message, which ends at the first `}`. Undefined if there is none. */
export function publishedBox(response: string): string | undefined {
  const opening = "\\boxed{";
  let last: string | undefined;
  for (let at = response.indexOf(opening); at >= 0; ) {
    const end = response.indexOf("}", at);
    if (end < 0) break;
    last = response.slice(at + opening.length, end);
    at = response.indexOf(opening, end);
  }
  return last;
}

/**
 * Minimum number of cells in a row for which the published pattern, which has nested repetitions, takes seconds if the row ends in an
 * invalid cell.
 */
const SLOW_CELLS = 24;

/**
 * Finds the grids that a strict published pattern matches: rows of cells separated by single commas, without a trailing comma.
 *
 * @param cell a sticky pattern for one cell, with the value as its first group
 * @returns the grids. `slow` is true if the published pattern would backtrack through a long row, which takes exponential time
 */
export function strictGrids(text: string, cell: RegExp): { readonly grids: readonly string[][][]; readonly slow: boolean } {
  const opening = /\[\s*\[/g;
  const blanks = /\s*/y;
  const grids: string[][][] = [];
  let slow = false;
  let at = 0;
  const skip = () => {
    blanks.lastIndex = at;
    blanks.exec(text);
    at = blanks.lastIndex;
  };
  const take = (char: string) => {
    skip();
    if (text[at] !== char) return false;
    at++;
    return true;
  };
  function readRow(): string[] | undefined {
    const values: string[] = [];
    do {
      skip();
      cell.lastIndex = at;
      const match = cell.exec(text);
      if (!match) {
        if (values.length >= SLOW_CELLS) slow = true;
        return undefined;
      }
      values.push(match[1]!);
      at = cell.lastIndex;
    } while (take(","));
    if (take("]")) return values;
    if (values.length >= SLOW_CELLS) slow = true;
    return undefined;
  }
  function readGrid(): string[][] | undefined {
    const rows: string[][] = [];
    do {
      const row = take("[") ? readRow() : undefined;
      if (!row) return undefined;
      rows.push(row);
    } while (take(","));
    return take("]") ? rows : undefined;
  }
  for (let match = opening.exec(text); match; match = opening.exec(text)) {
    at = match.index + 1;
    const grid = readGrid();
    if (grid) grids.push(grid);
    // If no grid begins at an outer bracket, one may begin at the next character.
    opening.lastIndex = grid ? at : match.index + 1;
  }
  return { grids, slow };
}
