import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { codeBlocks } from "../reading/final-text.js";
import { itemsOf, type Literal, parseLiteral } from "../reading/literal.js";
import { accept, type Json, type Row, reject, undecided } from "../row.js";
import {
  type Cell,
  COLUMNS,
  type Entry,
  evaluate,
  matchingRows,
  type Query,
  STATISTICS,
  type Statistic,
  type Table,
} from "./buggy-tables-query.js";
import { BUG_TYPES, type BugType, damage, queryText, question, withNulls } from "./buggy-tables-text.js";

type BuggyTables = {
  /** Minimum and maximum number of rows. */
  readonly num_rows_range: readonly number[];
  readonly bug_rate_min: number;
  readonly bug_rate_max: number;
  readonly bug_types: readonly string[];
};

/**
 * Share of the puzzles in which no row may meet the conditions, so that the answer can be 0.00. In all other puzzles the answer is above 0.
 */
const EMPTY_SHARE = 0.05;
const YEAR = Date.UTC(2026, 0, 1);
const DAY = 24 * 60 * 60 * 1000;

const twoDigits = (number: number) => String(number).padStart(2, "0");

function drawCell(random: Random, column: number): Cell {
  const { name, range } = COLUMNS[column]!;
  if (range) return randomInteger(random, range[0], range[1]);
  if (name === "date") return new Date(YEAR + DAY * randomInteger(random, 0, 364)).toISOString().slice(0, 10);
  if (name === "bed_time") return `${randomInteger(random, 21, 23)}:${twoDigits(randomInteger(random, 0, 59))}`;
  return randomChoice(random, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
}

const entriesOf = (table: Table): Entry[] => table.map((row) => Object.fromEntries(COLUMNS.map(({ name }, i) => [name, row[i]!])));

/** Draws two or three conditions whose thresholds come from the table, so that usually some rows meet them. */
function drawQuery(random: Random, table: Table): Query {
  const numeric = COLUMNS.map(({ range }, i) => (range ? i : -1)).filter((i) => i >= 0);
  const condition = (column: number) => {
    const values = table.map((row) => row[column]).filter((value) => typeof value === "number");
    const value = values.length > 0 ? randomChoice(random, values) : COLUMNS[column]!.range![0];
    const { name } = COLUMNS[column]!;
    const share = random.next();
    if (share < 0.1) return `${name} != ${value}`;
    if (share < 0.15) return `${name} == ${value}`;
    if (share < 0.3) {
      const margin = Math.ceil((COLUMNS[column]!.range![1] - COLUMNS[column]!.range![0]) / 4);
      return `${name} between [${Math.max(0, value - margin)}, ${value + margin}]`;
    }
    return `${name} ${randomChoice(random, [">", "<", ">=", "<="])} ${value}`;
  };
  const conditions = shuffle(random, numeric)
    .slice(0, randomInteger(random, 2, 3))
    .map(condition);
  const [a, b] = shuffle(random, numeric).map((i) => COLUMNS[i]!.name);
  return { conditions, columns: [a!, b!], statistic: randomChoice(random, STATISTICS) };
}

const isCell = (x: Json | undefined): x is Cell => x === null || typeof x === "number" || typeof x === "string";
const isEntry = (x: Json): x is Entry => isObject(x) && Object.values(x).every((cell) => isCell(cell as Json));
const isTexts = (x: unknown): x is readonly string[] => Array.isArray(x) && x.every((text) => typeof text === "string");

/** Finds a statistic by its published name, which may be longer than the name used here. */
const statisticNamed = (name: Json | undefined): Statistic | undefined =>
  typeof name === "string" ? STATISTICS.find((one) => name.toLowerCase().includes(one)) : undefined;

/** Evaluates the query on the undamaged table. Returns undefined if the metadata does not contain both. */
function recomputed(row: Row): number | undefined {
  const { original_table, query_result } = row.metadata ?? {};
  if (!Array.isArray(original_table) || !original_table.every(isEntry) || !isObject(query_result)) return undefined;
  const { conditions, columns_compared, statistic } = query_result as { readonly [key: string]: Json };
  const kind = statisticNamed(statistic);
  if (!isTexts(conditions) || !isTexts(columns_compared) || columns_compared.length !== 2 || !kind) return undefined;
  return evaluate(original_table, { conditions, columns: [columns_compared[0]!, columns_compared[1]!], statistic: kind });
}

/** Whether two numbers are equal up to rounding to two decimals. */
const agree = (a: number, b: number) => Math.abs(a - b) < 0.005 + 1e-9 * Math.max(1, Math.abs(a));

/**
 * Returns the exact answer. The published answers are right, so if the recomputed value disagrees with the stored one, the stored one
 * counts.
 */
function expectedValue(row: Row): number {
  const text = String(row.answer);
  const stored = /^[0-9]+\.[0-9]{2}$/.test(text) ? Number(text) : undefined;
  const exact = recomputed(row);
  const value = exact !== undefined && (stored === undefined || agree(exact, stored)) ? exact : stored;
  if (value === undefined)
    throw new InputError(`${row.task}: row: answer: expected a number with two decimals, got ${JSON.stringify(row.answer)}`);
  return value;
}

const wrap = (answer: string) => `\`\`\`json\n${JSON.stringify({ result: [{ answer }] }, null, 2)}\n\`\`\``;

/** Returns the values of a key in a dictionary literal. There are several if the key is repeated. */
function valuesOf(literal: Literal | undefined, key: string): Literal[] {
  if (literal?.kind !== "dictionary") return [];
  return literal.entries.filter(([name]) => name.kind === "string" && name.value === key).map(([, value]) => value);
}

const textOf = (literal: Literal): string | undefined =>
  literal.kind === "string" ? literal.value.trim() : literal.kind === "decimal" ? literal.text : undefined;

/** Restore a damaged table, and compute a statistic of some of its rows. */
export const buggyTables: SynlogicTask<BuggyTables> = {
  name: "buggy_tables",
  summary: "Undo the damage of a table and compare a statistic of two columns.",
  languages: ["en", "zh"],
  parameters: {
    num_rows_range: { kind: "list", of: "integer", meaning: "least and largest number of rows" },
    bug_rate_min: { kind: "number", least: 0.01, most: 0.5, meaning: "least share of cells that are lost" },
    bug_rate_max: { kind: "number", least: 0.01, most: 0.5, meaning: "largest share of cells that are lost" },
    bug_types: { kind: "list", of: "string", meaning: `kinds of damage: ${BUG_TYPES.join(", ")}` },
  },
  levels: {
    tiny: { num_rows_range: [4, 6], bug_rate_min: 0.05, bug_rate_max: 0.1, bug_types: BUG_TYPES },
    easy: { num_rows_range: [25, 40], bug_rate_min: 0.05, bug_rate_max: 0.2, bug_types: BUG_TYPES },
    medium: { num_rows_range: [35, 55], bug_rate_min: 0.15, bug_rate_max: 0.3, bug_types: BUG_TYPES },
    hard: { num_rows_range: [45, 65], bug_rate_min: 0.25, bug_rate_max: 0.35, bug_types: BUG_TYPES },
  },
  attributes: ["num_rows_range", "bug_rate_max", "bug_rate_min"],
  generate(random, parameters, language) {
    const { num_rows_range, bug_types, bug_rate_min, bug_rate_max } = checked(parameters);
    const size = randomInteger(random, num_rows_range[0]!, num_rows_range[1]!);
    const type = randomChoice(random, bug_types) as BugType;
    const rate = bug_rate_min + random.next() * (bug_rate_max - bug_rate_min);
    const full = Array.from({ length: size }, () => COLUMNS.map((_, column) => drawCell(random, column)));
    const table = type === "null" ? withNulls(random, full, rate) : full;
    const entries = entriesOf(table);
    const empty = randomBoolean(random, EMPTY_SHARE);
    const query = drawUntil(
      () => drawQuery(random, table),
      (one) => empty || evaluate(entries, one)! > 0,
    );
    const answer = evaluate(entries, query)!.toFixed(2);
    const damaged = damage(random, table, type, rate, (column) => drawCell(random, column), language);
    const asked = queryText(query, language);
    const query_result = {
      query: asked,
      result: answer,
      filtered_rows: matchingRows(entries, query)!.length,
      total_rows: size,
      conditions: query.conditions,
      columns_compared: query.columns,
      statistic: query.statistic,
    };
    return {
      question: question(damaged, size, asked, language),
      answer,
      metadata: {
        num_rows: size,
        major_type: damaged.layout === "rows" ? "row" : "col",
        bug_type: type,
        bug_rate: type === "error" || type === "null" ? rate : null,
        queries: [asked],
        buggy_table: damaged.text,
        bug_description: damaged.description,
        target_answer: answer,
        original_table: entries,
        query_result,
      },
    };
  },
  solve(row) {
    return wrap(expectedValue(row).toFixed(2));
  },
  verify(row, text) {
    const expected = expectedValue(row);
    const block = codeBlocks(text).at(-1);
    if (!block || !["json", ""].includes(block.language)) return reject("the last code block after the reasoning is not a JSON block");
    const found = block.content.trim().slice(0, 200);
    if (!text.trimEnd().endsWith("```")) return reject("the response does not end with the JSON block", found);
    const results = valuesOf(parseLiteral(block.content), "result");
    const items = itemsOf(results[0]);
    if (results.length !== 1 || items?.length !== 1) return reject("the block does not hold one result", found);
    const answers = valuesOf(items[0], "answer").map(textOf);
    const isRight = (answer: string | undefined) =>
      answer !== undefined && /^(?:0|[1-9][0-9]{0,14})\.[0-9]{2}$/.test(answer) && agree(expected, Number(answer));
    if (answers.length > 1 && answers.some(isRight)) return undecided("the answer is given twice", found);
    const [answer] = answers;
    if (answer === undefined) return reject("the result has no answer", found);
    if (isRight(answer)) return accept(answer, "the number is right");
    const grouped = /^[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]{2}$/.test(answer) && isRight(answer.replaceAll(",", ""));
    if (grouped) return undecided("the thousands are separated by commas", answer);
    const isNumber = /^(?:0|[1-9][0-9]*)\.[0-9]{2}$/.test(answer);
    return reject(isNumber ? `the value is not ${answer}` : "the answer is not a plain number with two decimals", answer);
  },
  guess(_, random) {
    return wrap(randomInteger(random, 0, 3000).toFixed(2));
  },
  /** Emulates the published verifier, which compares the last number with two decimals, wherever it is. */
  published: (row, response) => (response.match(/(?<![0-9])-?[0-9]+\.[0-9]{2}(?![0-9])/g)?.at(-1) ?? "") === String(row.answer),
};

function checked(parameters: BuggyTables): BuggyTables {
  const { num_rows_range: range, bug_types, bug_rate_min, bug_rate_max } = parameters;
  const fail = (name: string, expected: string, got: unknown) =>
    new InputError(`buggy_tables: ${name}: expected ${expected}, got ${JSON.stringify(got)}`);
  if (range.length !== 2 || range[0]! < 2 || range[0]! > range[1]! || range[1]! > 200) {
    throw fail("num_rows_range", "two integers from 2 to 200 in order", range);
  }
  if (bug_rate_min > bug_rate_max) throw fail("bug_rate_min", `at most bug_rate_max (${bug_rate_max})`, bug_rate_min);
  const unknown = bug_types.find((type) => !BUG_TYPES.includes(type as BugType));
  if (unknown !== undefined) throw fail("bug_types", `some of ${BUG_TYPES.join(", ")}`, unknown);
  return parameters;
}
