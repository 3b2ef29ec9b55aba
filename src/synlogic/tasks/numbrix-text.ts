import type { Language } from "../row.js";

/** Writes the question. */
export function question(grid: readonly (readonly (number | string)[])[], language: Language): string {
  const n = grid.length;
  const width = String(n * n).length;
  const picture = grid.map((values) => values.map((value) => String(value).padStart(width)).join(" ")).join("\n");
  const example = "[[1, 2], [4, 3]]";
  if (language === "zh") {
    return `下面是一个 ${n} x ${n} 的 Numbrix 谜题。请在每个 X 处填入一个数字，并满足以下规则：
- 从 1 到 ${n * n} 的每个数字恰好出现一次。
- 相差 1 的两个数字所在的格子必须上下或左右相邻，对角不算。
- 已给出的数字不变。

${picture}

请在最后给出完整的网格，写成由整数组成的列表的列表，例如：
${example}`;
  }
  return `Below is a Numbrix puzzle of ${n} x ${n} cells. Replace each X with a number so that these rules hold:
- Each number from 1 to ${n * n} occurs exactly once.
- Two consecutive numbers lie in cells that share an edge. Diagonal neighbors do not count.
- Numbers that are given stay as they are.

${picture}

End your answer with the complete grid as a list of lists of integers, for example
${example}`;
}
