import type { Random } from "../../base/random.js";
import { randomInteger } from "../../base/random-draws.js";
import type { Language } from "../row.js";
import { type Cell, COLUMNS, type Query, type Statistic, type Table } from "./buggy-tables-query.js";

/** The published ways to damage a table. */
export const BUG_TYPES = ["error", "merge_rows", "rotate_columns", "rotate_rows", "add_end_row", "add_end_column", "null"] as const;
export type BugType = (typeof BUG_TYPES)[number];

/** A damaged table as text, with a description of the damage. */
export interface Damaged {
  readonly text: string;
  readonly layout: "markdown" | "rows" | "columns";
  readonly description: string;
}

const NAMES = COLUMNS.map(({ name }) => name);
const written = (cell: Cell) => String(cell);

function markdown(rows: readonly (readonly string[])[]): string {
  return [NAMES, NAMES.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const flat = (cells: readonly string[]) => `[${cells.join(", ")}]`;
const flatRows = (rows: readonly (readonly string[])[]) => flat([...NAMES, ...rows.flat()]);

/** Rotates a list to the right by a number of places. */
const rotated = <Item>(items: readonly Item[], places: number) =>
  items.map((_, i) => items[(i + items.length * places - places) % items.length]!);

/** Damages a table. @param drawCell draws a value of a column, for values that do not belong to the table */
export function damage(
  random: Random,
  table: Table,
  type: BugType,
  rate: number,
  drawCell: (column: number) => Cell,
  language: Language,
): Damaged {
  const rows = table.map((row) => row.map(written));
  const either = random.next() < 0.5;
  const layout = either ? "markdown" : "rows";
  const show = (shown: readonly (readonly string[])[]) => (either ? markdown(shown) : flatRows(shown));
  const say = (en: string, zh: string) => (language === "zh" ? zh : en);
  switch (type) {
    case "error": {
      const shown = rows.map((row) => row.map((cell) => (random.next() < rate ? "ERROR" : cell)));
      const lost = NAMES.flatMap((_, column) => rows.flatMap((row, i) => (shown[i]![column] === "ERROR" ? [row[column]!] : [])));
      const list = flat(lost);
      const description = say(
        `Some values were replaced by ERROR. The lost values, column by column and from top to bottom within a column, are ${list}.`,
        `有些值被替换成了 ERROR。丢失的值按列依次（每列从上到下）为 ${list}。`,
      );
      return { text: show(shown), layout, description };
    }
    case "merge_rows": {
      const even = rows.length % 2 === 0 ? rows : [...rows, NAMES.map(() => "null")];
      const shown = even.filter((_, i) => i % 2 === 0).map((row, i) => row.map((cell, column) => `${cell} && ${even[2 * i + 1]![column]}`));
      const description = say(
        'Rows 0 and 1, rows 2 and 3, and so on, counted from 0 without the header, were merged into one row each, with " && " between their values. If the number of rows is odd, the last one was merged with values null that do not belong to the table.',
        '第 0 行与第 1 行、第 2 行与第 3 行，依此类推（不计表头，从 0 数起），各被合并成一行，两行的值之间以 " && " 隔开。如果行数是奇数，最后一行与不属于表格的 null 值合并。',
      );
      return { text: show(shown), layout, description };
    }
    case "rotate_columns": {
      const columns = NAMES.map((_, column) =>
        rotated(
          rows.map((row) => row[column]!),
          column % rows.length,
        ),
      );
      const shown = rows.map((_, i) => columns.map((column) => column[i]!));
      const description = say(
        "The values of column i, counted from 0, were moved down by i places. Those that left the table at the bottom came back at the top, as often as necessary. The header stayed.",
        "第 i 列（从 0 数起）的值都向下移动了 i 位，从底部移出的值回到顶部，必要时循环多次。表头不变。",
      );
      return { text: show(shown), layout, description };
    }
    case "rotate_rows": {
      const shown = rows.map((row, i) => rotated(row, i % row.length));
      const description = say(
        "The values of row i, counted from 0 without the header, were moved to the right by i places. Those that left the table at the right came back at the left, as often as necessary. The header stayed.",
        "第 i 行（不计表头，从 0 数起）的值都向右移动了 i 位，从右端移出的值回到左端，必要时循环多次。表头不变。",
      );
      return { text: show(shown), layout, description };
    }
    case "add_end_row": {
      const shown = rows.map((row, i) => [...row, ...Array.from({ length: i }, () => written(drawCell(0)))]);
      const description = say(
        "After row i, counted from 0 without the header, i values were added that do not belong to the table.",
        "第 i 行（不计表头，从 0 数起）之后多出了 i 个不属于表格的值。",
      );
      return { text: flatRows(shown), layout: "rows", description };
    }
    case "add_end_column": {
      const shown = NAMES.map((name, j) => [name, ...rows.map((row) => row[j]!), ...Array.from({ length: j }, () => written(drawCell(j)))]);
      const description = say(
        "Below column j, counted from 0, j values were added that do not belong to the table.",
        "第 j 列（从 0 数起）的下方多出了 j 个不属于表格的值。",
      );
      return { text: flat(shown.flat()), layout: "columns", description };
    }
    case "null": {
      const places = table.flatMap((row, i) => row.flatMap((cell, j) => (cell === null ? [`(${i}, ${j})`] : [])));
      const shown = table.map((row) => row.filter((cell) => cell !== null).map(written));
      const list = flat(places);
      const description = say(
        `The null values were left out. They belong at these places (row, column), both counted from 0 and the rows without the header: ${list}.`,
        `空值（null）都被漏掉了。它们的位置（行，列）如下，均从 0 数起，行不计表头：${list}。`,
      );
      return { text: flatRows(shown), layout: "rows", description };
    }
  }
}

/** Replaces some numbers of a table by null. */
export function withNulls(random: Random, table: Table, rate: number): Table {
  const count = Math.max(1, Math.round(rate * table.length));
  const places = new Set(
    Array.from(
      { length: count * 4 },
      () => `${randomInteger(random, 0, table.length - 1)},${randomInteger(random, 0, COLUMNS.length - 1)}`,
    ),
  );
  return table.map((row, i) => row.map((cell, j) => (places.has(`${i},${j}`) && COLUMNS[j]!.range ? null : cell)));
}

const STATISTIC_NAMES: Readonly<Record<Language, Readonly<Record<Statistic, string>>>> = {
  en: {
    mean: "mean",
    median: "median",
    sum: "sum",
    max: "maximum",
    min: "minimum",
    std: "sample standard deviation (with n - 1)",
    var: "sample variance (with n - 1)",
  },
  zh: {
    mean: "平均值",
    median: "中位数",
    sum: "总和",
    max: "最大值",
    min: "最小值",
    std: "样本标准差（除以 n - 1）",
    var: "样本方差（除以 n - 1）",
  },
};

/** Writes a condition for the question: `num_calls between [2, 4]` becomes "num_calls in [2, 4]". */
function conditionText(condition: string, language: Language): string {
  const [, column, interval] = /^(\w+) between (\[.+\])$/.exec(condition) ?? [];
  if (column === undefined) return condition;
  return language === "zh" ? `${column} 在区间 ${interval} 内` : `${column} in ${interval}`;
}

export function queryText({ conditions, columns, statistic }: Query, language: Language): string {
  const [a, b] = columns;
  const name = STATISTIC_NAMES[language][statistic];
  const shown = conditions.map((condition) => conditionText(condition, language));
  if (language === "zh") {
    return `只看同时满足 ${shown.join("、")} 的行，求 ${a} 列与 ${b} 列的${name}之差的绝对值。空值不参与计算；条件涉及空值时视为不满足。区间条件包含两端。如果某一列没有剩下任何值（求标准差或方差时：不足两个值），答案就是 0.00。`;
  }
  return `Take only the rows with ${shown.join(" and ")}, and give the absolute difference between the ${name} of ${a} and that of ${b}. Null values are left out of computations, and a condition on a null value is not met. Intervals include their end points. If one of the columns has no value left (fewer than two for a standard deviation or variance), the answer is 0.00.`;
}

const LAYOUTS = {
  en: {
    markdown: "in markdown",
    rows: "row by row as one list that begins with the header",
    columns: "column by column as one list, each column beginning with its name",
  },
  zh: { markdown: "以 markdown 形式", rows: "逐行排成一个以表头开始的列表", columns: "逐列排成一个列表，每列以列名开始" },
} as const;

export function question(damaged: Damaged, rowCount: number, query: string, language: Language): string {
  const format = '```json\n{\n  "result": [\n    {\n      "answer": "12.50"\n    }\n  ]\n}\n```';
  if (language === "zh") {
    return `一个有 ${rowCount} 行（不计表头）、${COLUMNS.length} 列的表格，${LAYOUTS.zh[damaged.layout]}给出：
${damaged.text}

但是表格在保存时被损坏了。${damaged.description}

请先还原表格，再回答：${query}

答案四舍五入，恰好保留两位小数。回答的最后必须是一个 JSON 代码块，其后不得有任何文字，形如
${format}`;
  }
  return `A table of ${rowCount} rows, not counting the header, and ${COLUMNS.length} columns is given ${LAYOUTS.en[damaged.layout]}:
${damaged.text}

But the table was damaged when it was saved. ${damaged.description}

Restore the table, then answer: ${query}

Round the answer and write it with exactly two decimals. End your response with a JSON block, with nothing after it, of the form
${format}`;
}
