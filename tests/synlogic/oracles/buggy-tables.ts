import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

interface Metadata {
  readonly num_rows: number;
  readonly bug_type: string;
  readonly buggy_table: string;
  readonly bug_description: string;
  readonly query_result: {
    readonly conditions: readonly string[];
    readonly columns_compared: readonly string[];
    readonly statistic: string;
  };
}

/** Undoes the damage of a table as it is shown. Returns its names and its rows. */
function restore({ num_rows: n, bug_type, buggy_table, bug_description }: Metadata): { names: string[]; rows: string[][] } {
  const isMarkdown = buggy_table.startsWith("|");
  const cells = isMarkdown ? [] : buggy_table.slice(1, -1).split(", ");
  let lines = buggy_table.split("\n").map((line) => line.slice(2, -2).split(" | "));
  const listed = /\[([^\]]*)\][.。]$/.exec(bug_description)?.[1] ?? "";
  if (bug_type === "add_end_column") {
    const columns: string[][] = [];
    for (let j = 0, at = 0; j < 18; at += 1 + n + j, j++) columns.push(cells.slice(at, at + 1 + n));
    return {
      names: columns.map((column) => column[0]!),
      rows: Array.from({ length: n }, (_, i) => columns.map((column) => column[i + 1]!)),
    };
  }
  if (bug_type === "add_end_row") {
    const rows = [];
    for (let i = 0, at = 18; i < n; at += 18 + i, i++) rows.push(cells.slice(at, at + 18));
    return { names: cells.slice(0, 18), rows };
  }
  if (bug_type === "null") {
    const missing = new Set(listed.split("), (").map((place) => place.replace(/[()]/g, "")));
    let at = 18;
    const rows = Array.from({ length: n }, (_, i) =>
      Array.from({ length: 18 }, (_, j) => (missing.has(`${i}, ${j}`) ? "null" : cells[at++]!)),
    );
    return { names: cells.slice(0, 18), rows };
  }
  if (!isMarkdown) {
    lines = [];
    for (let at = 0; at < cells.length; at += 18) lines.push(cells.slice(at, at + 18));
    lines.splice(1, 0, []);
  }
  const [names, , ...shown] = lines as [string[], string[], ...string[][]];
  if (bug_type === "merge_rows") {
    const rows = shown.flatMap((row) => [0, 1].map((half) => row.map((cell) => cell.split(" && ")[half]!)));
    return { names, rows: rows.slice(0, n) };
  }
  if (bug_type === "rotate_columns") return { names, rows: shown.map((row, i) => row.map((_, j) => shown[(i + j) % n]![j]!)) };
  if (bug_type === "rotate_rows") return { names, rows: shown.map((row, i) => row.map((_, j) => row[(i + j) % 18]!)) };
  const lost = listed.split(", ");
  for (let j = 0; j < 18; j++) for (const row of shown) if (row[j] === "ERROR") row[j] = lost.shift()!;
  return { names, rows: shown };
}

function answer(metadata: Metadata): number {
  const { names, rows } = restore(metadata);
  const { conditions, columns_compared, statistic } = metadata.query_result;
  const numberIn = (row: readonly string[], name: string) =>
    row[names.indexOf(name)] === "null" ? undefined : Number(row[names.indexOf(name)]);
  const kept = rows.filter((row) =>
    conditions.every((condition) => {
      const [name, operator] = condition.split(" ") as [string, string];
      const value = numberIn(row, name);
      const [a, b] = [...condition.slice(name.length).matchAll(/[0-9]+/g)].map(Number) as [number, number];
      if (value === undefined) return false;
      if (operator === "between") return a <= value && value <= b;
      const signs = value < a ? ["<", "<=", "!="] : value > a ? [">", ">=", "!="] : ["==", "<=", ">="];
      return signs.includes(operator);
    }),
  );
  const [a, b] = columns_compared.map((name) => {
    const values = kept.flatMap((row) => numberIn(row, name) ?? []).sort((x, y) => x - y);
    const n = values.length;
    if (n === 0 || (n === 1 && /std|var/.test(statistic))) return undefined;
    const total = values.reduce((x, y) => x + y);
    // The variance by the mean of the squares: the numbers are small, so that nothing is lost.
    const variance = (values.reduce((x, y) => x + y * y, 0) - (total * total) / n) / (n - 1);
    const all: Record<string, number> = {
      mean: total / n,
      median: (values[Math.floor((n - 1) / 2)]! + values[Math.floor(n / 2)]!) / 2,
      sum: total,
      max: values[n - 1]!,
      min: values[0]!,
      std: Math.sqrt(variance),
      var: variance,
    };
    return all[statistic]!;
  });
  return a === undefined || b === undefined ? 0 : Math.abs(a - b);
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random: Random) {
    const truth = answer(row.metadata as unknown as Metadata);
    const share = random.next();
    const given = share < 0.5 ? truth : share < 0.6 ? 0 : truth + Math.ceil(100 * random.next()) / 50;
    const right = Math.round(given * 100) === Math.round(truth * 100);
    return { text: `\`\`\`json\n{"result": [{"answer": "${given.toFixed(2)}"}]}\n\`\`\``, right };
  },
};
