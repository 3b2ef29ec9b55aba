// Cells of a rectangular grid and their neighbours.

/** A cell as row and column, counted from 0. */
export type Cell = readonly [row: number, column: number];

/** Steps to the four cells that share an edge. */
export const EDGE_STEPS: readonly Cell[] = [
  [-1, 0],
  [0, 1],
  [1, 0],
  [0, -1],
];

/** Steps to the four cells that share only a corner. */
export const CORNER_STEPS: readonly Cell[] = [
  [-1, -1],
  [-1, 1],
  [1, 1],
  [1, -1],
];

/** Steps to all eight surrounding cells. */
export const ALL_STEPS: readonly Cell[] = [...EDGE_STEPS, ...CORNER_STEPS];

/** Returns the neighbours of a cell that are inside the grid. */
export function neighbours(grid: readonly (readonly unknown[])[], [row, column]: Cell, steps: readonly Cell[] = EDGE_STEPS): Cell[] {
  return steps
    .map(([down, right]): Cell => [row + down, column + right])
    .filter(([i, j]) => i >= 0 && i < grid.length && j >= 0 && j < grid[0]!.length);
}

/** Returns all cells of a grid in reading order, or those whose value fulfils a condition. */
export function cellsOf<Value>(grid: readonly (readonly Value[])[], fits: (value: Value) => boolean = () => true): Cell[] {
  return grid.flatMap((values, i) => values.flatMap((value, j): Cell[] => (fits(value) ? [[i, j]] : [])));
}

/** Returns the connected groups of cells that fulfil a condition. Cells are connected if they share an edge. */
export function connectedGroups<Value>(grid: readonly (readonly Value[])[], fits: (value: Value) => boolean): Cell[][] {
  const seen = grid.map((values) => values.map((value) => !fits(value)));
  const groups: Cell[][] = [];
  for (const start of cellsOf(grid)) {
    if (seen[start[0]]![start[1]]) continue;
    const group = [start];
    seen[start[0]]![start[1]] = true;
    for (const cell of group) {
      for (const [i, j] of neighbours(grid, cell)) {
        if (seen[i]![j]) continue;
        seen[i]![j] = true;
        group.push([i, j]);
      }
    }
    groups.push(group);
  }
  return groups;
}

/** Names a cell in the reason of a verdict: `row 2, column 3`, counted from 1. */
export const cellName = ([row, column]: Cell): string => `row ${row + 1}, column ${column + 1}`;
