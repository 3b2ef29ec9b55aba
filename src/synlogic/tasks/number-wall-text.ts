import type { Language } from "../row.js";

/** Writes the question. It allows islands that touch at a corner, which the published questions do not mention. */
export function question(grid: readonly (readonly (number | string)[])[], language: Language): string {
  const size = `${grid.length} x ${grid.length}`;
  const picture = grid.map((values) => values.join(" ")).join("\n");
  const example = '```python\n[\n  ["X", "A"],\n  [2, "A"]\n]\n```';
  if (language === "zh") {
    return `下面是一个 ${size} 的数墙谜题。请把一些 X 改成墙 A，并满足以下规则：
- 不是墙的格子通过上下左右相邻连成岛屿。每个岛屿恰好包含一个数字，岛屿的格子数（包括数字所在的格子）等于这个数字。
- 不同的岛屿不能上下左右相邻，但可以在对角处相接。
- 任何 2×2 的方块都不能全是墙。
- 数字不变；其余格子只能是 A 或 X，不能写入新的数字。

${picture}

请在回答的末尾用一个 python 代码块给出完整的网格，代码块内只包含二维列表，例如：
${example}`;
  }
  return `Below is a number wall puzzle of ${size} cells. Turn some of the X into walls, A, so that these rules hold:
- Cells that are not walls form islands: they are connected through edges. Each island has exactly one number, and that number is the count of its cells, the cell of the number included.
- Two islands never share an edge. They may touch at a corner.
- No 2 x 2 block consists of walls only.
- The given numbers do not change. All other cells are A or X; no new numbers are written.

${picture}

End your answer with the complete grid in a Python code block that holds only the two-dimensional list, for example
${example}`;
}
