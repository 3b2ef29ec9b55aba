// Places stars in a grid: k in each row, column and region, so that no two stars touch.

import type { Random } from "../../base/random.js";
import { shuffle } from "../../base/random-draws.js";
import type { Cell } from "./cells.js";

/** Maximum number of attempts to fill a row. It ends the search within seconds for any puzzle. */
const MAX_STEPS = 1_000_000;

/**
 * Finds up to `limit` sets of stars, row by row.
 *
 * @param regions the region of each cell. If it is missing, only rows and columns count
 * @param random draws the order in which columns are tried. By default they are tried from the left
 */
export function findStarSets(
  size: number,
  stars: number,
  limit: number,
  regions?: readonly (readonly string[])[],
  random?: Random,
): { readonly found: readonly (readonly Cell[])[]; readonly complete: boolean } {
  const choices = columnChoices(size, stars);
  const lastRow = new Map(regions?.flatMap((cells, i) => cells.map((region) => [region, i] as const)));
  const columns = new Array<number>(size).fill(0);
  const inRegion = new Map<string, number>();
  const rows: (readonly number[])[] = [];
  const found: Cell[][] = [];
  let steps = 0;

  const regionAt = (i: number, j: number) => regions?.[i]?.[j] ?? "";
  function put(i: number, js: readonly number[], change: 1 | -1): void {
    for (const j of js) {
      columns[j]! += change;
      inRegion.set(regionAt(i, j), (inRegion.get(regionAt(i, j)) ?? 0) + change);
    }
  }
  function fits(i: number): boolean {
    if (columns.some((count) => count > stars || count + size - 1 - i < stars)) return false;
    if (!regions) return true;
    for (const [region, last] of lastRow) {
      const count = inRegion.get(region) ?? 0;
      if (count > stars || (last <= i && count < stars)) return false;
    }
    return true;
  }
  /** Fills the rows from row i on. Returns false if the search has to stop. */
  function place(i: number): boolean {
    if (i === size) {
      found.push(rows.flatMap((js, row) => js.map((j): Cell => [row, j])));
      return found.length < limit;
    }
    const above = rows[i - 1] ?? [];
    for (const js of random ? shuffle(random, choices) : choices) {
      if (js.some((j) => columns[j] === stars || above.some((other) => Math.abs(other - j) <= 1))) continue;
      if (++steps > MAX_STEPS) return false;
      put(i, js, 1);
      rows.push(js);
      const goOn = !fits(i) || place(i + 1);
      rows.pop();
      put(i, js, -1);
      if (!goOn) return false;
    }
    return true;
  }
  const complete = place(0);
  return { found, complete };
}

/** Returns the ways to choose columns for the stars of a row, in ascending order and without neighbours. */
function columnChoices(size: number, stars: number, from = 0): number[][] {
  if (stars === 0) return [[]];
  return Array.from({ length: Math.max(0, size - from) }, (_, k) => from + k).flatMap((j) =>
    columnChoices(size, stars - 1, j + 2).map((rest) => [j, ...rest]),
  );
}
