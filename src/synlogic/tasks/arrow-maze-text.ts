import type { Language } from "../row.js";

/** Writes the question. It ends with the published answer format: a Python code block that contains only the grid. */
export function question(maze: readonly (readonly string[])[], language: Language): string {
  const size = `${maze.length} x ${maze[0]!.length}`;
  const grid = `[\n${maze.map((values) => `  [${values.map((value) => `"${value}"`).join(", ")}]`).join(",\n")}\n]`;
  const example = '```python\n[\n  ["→", "2", ...],\n  ["1", "↓", ...],\n  ...\n]\n```';
  if (language === "zh") {
    return `下面是一个 ${size} 的箭头迷宫。请在每个 X 处填入八种箭头之一（↑、↓、←、→、↖、↗、↘、↙），并满足以下规则：
- 数字是箭头串的起点。从一个数字出发，可以沿八个方向分别前进，只要经过的格子里正好是指向该方向的箭头，就算在这一串里；遇到其他内容，这一串就结束。
- 八个方向上各串的箭头总数必须等于该数字。
- 已给出的数字和箭头不能改动。

${grid}

完整的网格需要在回答的末尾用 python 代码块给出，代码块内只包含二维数组，所有格子（包括数字）都写成字符串，例如：
${example}`;
  }
  return `Below is an arrow maze of ${size} cells. Replace each X with one of the eight arrows (↑, ↓, ←, →, ↖, ↗, ↘, ↙) so that these rules hold:
- Runs of arrows start from the numbers. From a number, a run continues in one of the eight directions as long as each cell shows the arrow of exactly that direction. The run ends before any other cell.
- Each number is the total number of arrows in the runs that start from it, in all eight directions together.
- The given numbers and arrows do not change.

${grid}

End your answer with the complete grid in a Python code block. The block holds only the two-dimensional list, and every cell is a string, numbers included, for example:
${example}`;
}
