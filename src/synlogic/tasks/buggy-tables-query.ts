// Tables with one row per day, and statistics of the rows that meet given conditions.

export type Cell = number | string | null;
/** The rows of a table. Each row has 18 cells, in the order of the columns. */
export type Table = readonly (readonly Cell[])[];

export interface Column {
  readonly name: string;
  /** Range of the integers in the column. Undefined for the date, the weekday and the bed time. */
  readonly range?: readonly [least: number, most: number];
}

export const COLUMNS: readonly Column[] = [
  { name: "date" },
  { name: "num_steps", range: [1000, 20000] },
  { name: "study_minutes", range: [0, 360] },
  { name: "exercise_minutes", range: [0, 120] },
  { name: "sleep_minutes", range: [300, 600] },
  { name: "bed_time" },
  { name: "num_messages", range: [0, 200] },
  { name: "num_emails", range: [0, 50] },
  { name: "num_calls", range: [0, 15] },
  { name: "calories_burned", range: [1500, 3500] },
  { name: "weekday" },
  { name: "calories_consumed", range: [1200, 3000] },
  { name: "num_meetings", range: [0, 8] },
  { name: "coding_minutes", range: [0, 480] },
  { name: "num_tasks_completed", range: [0, 20] },
  { name: "water_intake_ml", range: [500, 3000] },
  { name: "phone_screen_time_minutes", range: [30, 360] },
  { name: "music_listening_minutes", range: [0, 240] },
];

export const STATISTICS = ["mean", "median", "sum", "max", "min", "std", "var"] as const;
export type Statistic = (typeof STATISTICS)[number];

/** A condition on a row, written as in the metadata: `num_calls >= 3` or `num_calls between [2, 4]`. */
interface Condition {
  readonly column: string;
  readonly holds: (value: number) => boolean;
}

/** Parses a condition. Returns undefined if it has another form. */
export function conditionOf(text: string): Condition | undefined {
  const [, column, operator, rest] = /^\s*(\w+) (>=|<=|==|!=|>|<|between) (.+?)\s*$/.exec(text) ?? [];
  if (column === undefined || rest === undefined) return undefined;
  const numbers = rest
    .replace(/[[\]()]/g, "")
    .split(",")
    .map((part) => (/^\s*-?[0-9]+(?:\.[0-9]+)?\s*$/.test(part) ? Number(part) : Number.NaN));
  if (numbers.some(Number.isNaN) || numbers.length !== (operator === "between" ? 2 : 1)) return undefined;
  const [a, b] = numbers as [number, number];
  const tests: Readonly<Record<string, (value: number) => boolean>> = {
    ">=": (value) => value >= a,
    "<=": (value) => value <= a,
    "==": (value) => value === a,
    "!=": (value) => value !== a,
    ">": (value) => value > a,
    "<": (value) => value < a,
    between: (value) => value >= a && value <= b,
  };
  return { column, holds: tests[operator!]! };
}

function statisticOf(values: readonly number[], statistic: Statistic): number | undefined {
  if (values.length === 0 || (values.length < 2 && (statistic === "std" || statistic === "var"))) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const sum = values.reduce((total, value) => total + value, 0);
  const mean = sum / values.length;
  const middle = Math.floor(values.length / 2);
  const variance = () => values.reduce((total, value) => total + (value - mean) ** 2, 0) / (values.length - 1);
  switch (statistic) {
    case "mean":
      return mean;
    case "median":
      return values.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
    case "sum":
      return sum;
    case "max":
      return sorted.at(-1)!;
    case "min":
      return sorted[0]!;
    case "std":
      return Math.sqrt(variance());
    case "var":
      return variance();
  }
}

export interface Query {
  readonly conditions: readonly string[];
  readonly columns: readonly [string, string];
  readonly statistic: Statistic;
}

/** A row as an object of values by column name. */
export type Entry = Readonly<Record<string, Cell>>;

/** Returns the rows that meet all conditions. A null meets no condition. Returns undefined if a condition cannot be parsed. */
export function matchingRows(rows: readonly Entry[], { conditions }: Query): readonly Entry[] | undefined {
  const tests = conditions.map(conditionOf);
  if (!tests.every((test) => test !== undefined)) return undefined;
  return rows.filter((row) =>
    tests.every(({ column, holds }) => {
      const value = row[column];
      return typeof value === "number" && holds(value);
    }),
  );
}

/**
 * Computes the absolute difference of a statistic of two columns, over the rows that meet the conditions. Returns 0 if one of the columns
 * has too few values, and undefined if a condition cannot be parsed.
 */
export function evaluate(rows: readonly Entry[], query: Query): number | undefined {
  const matching = matchingRows(rows, query);
  if (!matching) return undefined;
  const [a, b] = query.columns.map((column) =>
    statisticOf(
      matching.map((row) => row[column]).filter((value) => typeof value === "number"),
      query.statistic,
    ),
  );
  return a === undefined || b === undefined ? 0 : Math.abs(a - b);
}
