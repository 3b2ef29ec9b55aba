import type { Language } from "../row.js";

/** Writes the question. It says that each tent has a tree of its own, which the published questions leave open. */
export function question(
  grid: readonly (readonly string[])[],
  rows: readonly number[],
  columns: readonly number[],
  language: Language,
): string {
  const size = `${grid.length} x ${grid[0]!.length}`;
  const picture = grid.map((values) => values.join(" ")).join("\n");
  const sums = `row_constraints = [${rows.join(", ")}]\ncol_constraints = [${columns.join(", ")}]`;
  const example = "[['X', 'T', 'C'], ['T', 'X', 'X'], ['C', 'X', 'X']]";
  if (language === "zh") {
    return `下面是一个 ${size} 的营地谜题。T 是树，X 是空地。请把一些空地改成帐篷 C，并满足以下规则：
- 每棵树配一顶帐篷，每顶帐篷配一棵树：帐篷与自己的树上下或左右相邻。帐篷旁边还可以有别的树。
- 任何两顶帐篷都不能相接，对角也不行。
- 每一行和每一列的帐篷数等于给定的数。
- 树的位置不变。

${picture}

各行的帐篷数：row_constraints = [${rows.join(", ")}]
各列的帐篷数：col_constraints = [${columns.join(", ")}]

请在最后给出完整的网格，写成列表的列表，每个格子是 'T'、'C' 或 'X'，例如：
${example}`;
  }
  return `Below is a campsite puzzle of ${size} cells. T is a tree and X is an empty cell. Change some of the empty cells to tents, C, so that these rules hold:
- Trees and tents form pairs: each tree belongs to exactly one tent and each tent to exactly one tree, and the cells of a pair share an edge. A tent may also share edges with other trees.
- No two tents touch, not even at a corner.
- Each row and each column has the given number of tents.
- The trees do not move.

${picture}

The numbers of tents in the rows and in the columns:
${sums}

End your answer with the complete grid as a list of lists whose cells are 'T', 'C' or 'X', for example
${example}`;
}
