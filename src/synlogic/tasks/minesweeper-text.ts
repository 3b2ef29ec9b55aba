import type { Language } from "../row.js";

/** Writes the question. It asks for all cells that must be mines, even if several numbers are needed to infer one. */
export function question(grid: readonly (readonly string[])[], language: Language): string {
  const size = `${grid.length} x ${grid.length}`;
  const picture = grid.map((values) => values.join(" ")).join("\n");
  const example = "[(0, 1), (2, 3), (3, 0)]";
  if (language === "zh") {
    return `下面是一个 ${size} 的扫雷网格。数字表示它周围八个格子中地雷的总数，这些有数字的格子本身没有地雷；X 是尚未揭开的格子，可能有地雷，也可能没有。地雷总数未知。

${picture}

请找出所有必定是地雷的 X：在所有符合这些数字的布雷方式中，它都是地雷。需要把多个数字结合起来推理，不限于单个数字。

请在最后给出这些格子的坐标列表，每个坐标是 (行, 列)，从 0 开始，例如：
${example}`;
  }
  return `Below is a Minesweeper grid of ${size} cells. A number says how many of the eight surrounding cells are mines; a cell with a number is not a mine itself. X is a hidden cell, a mine or not. The number of all mines is unknown.

${picture}

Find all X that must be mines: those that are mines in every arrangement that agrees with the numbers. Combine several numbers if a single number does not decide.

End your answer with the list of these cells as pairs (row, column), counted from 0, for example
${example}`;
}
