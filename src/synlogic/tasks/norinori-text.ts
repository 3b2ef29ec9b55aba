import type { Language } from "../row.js";

/** Writes the question. It says that cells are tuples, and that no region may stay empty. */
export function question(grid: readonly (readonly string[])[], language: Language): string {
  const size = `${grid.length} x ${grid.length}`;
  const picture = grid.map((values) => values.join(" ")).join("\n");
  const format = "[[(r1,c1), (r1,c2)], [(r2,c1), (r2,c2)], ...]";
  if (language === "zh") {
    return `下面是一个 ${size} 的 Norinori 谜题，相同字母的格子组成一个区域；X 是不属于任何区域的阴影格。请放置多米诺（1×2 或 2×1），并满足以下规则：
- 每个区域恰好有两个格子被多米诺覆盖。
- 每个阴影格都必须被覆盖。
- 多米诺可以跨越区域边界。
- 任何两个多米诺都不能重叠，也不能有公共边；可以在对角处相接。

${picture}

坐标写成 (行, 列)，从 1 开始，左上角是 (1,1)。请在最后给出所有多米诺的列表，每个多米诺是两个坐标元组的列表：
${format}`;
  }
  return `Below is a Norinori puzzle of ${size} cells. Cells with the same letter form a region; X is a shadow cell that belongs to no region. Place dominoes, 1 x 2 or 2 x 1, so that these rules hold:
- Each region has exactly two covered cells.
- Each shadow cell is covered.
- A domino may cross the border of a region.
- Two dominoes never overlap and never share an edge. They may touch at a corner.

${picture}

Coordinates are (row, column), counted from 1; the top left cell is (1,1). End your answer with the list of all dominoes, each of them a list of two coordinate tuples:
${format}`;
}
