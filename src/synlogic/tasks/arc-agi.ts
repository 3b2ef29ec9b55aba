import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { randomChoice, randomInteger } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError } from "../metadata.js";
import { lastCodeBlock } from "../reading/final-text.js";
import { gridOf, integerOf, type Literal, parseLiteral } from "../reading/literal.js";
import { accept, type Json, type Language, type PublishedVerdict, type Row, reject, undecided } from "../row.js";

type Grid = readonly (readonly number[])[];

type ArcAgi = {
  readonly rules: readonly string[];
  readonly examples: number;
  readonly min_size: number;
  readonly max_size: number;
  readonly colors: number;
};

const COLORS = 10;
/** Maximum number of rows and of columns of a grid, as in ARC. */
const MAX_SIDE = 30;
const MAX_DRAWS = 10_000;

const flip = (grid: Grid) => [...grid].reverse();
const mirror = (grid: Grid) => grid.map((row) => [...row].reverse());
const transpose = (grid: Grid) => grid[0]!.map((_, j) => grid.map((row) => row[j]!));
const fall = (column: readonly number[]) => [...column.filter((cell) => cell === 0), ...column.filter((cell) => cell !== 0)];
const exchange = (cell: number) => (cell === 1 ? 2 : cell === 2 ? 1 : cell);
const twice = <Item>(items: readonly Item[]) => items.flatMap((item) => [item, item]);

function border(grid: Grid): number[][] {
  const edge = grid[0]!.map(() => 1);
  return [edge, ...grid, edge].map((row) => [1, ...row, 1]);
}

/** The rules by name. Each rule maps an input grid to its output grid. */
const RULES: Readonly<Record<string, (grid: Grid) => Grid>> = {
  "mirror left-right": mirror,
  "mirror up-down": flip,
  transpose,
  "rotate clockwise": (grid) => transpose(flip(grid)),
  "colors fall down": (grid) => transpose(transpose(grid).map(fall)),
  "recolor 1 to 2 and 2 to 1": (grid) => grid.map((row) => row.map(exchange)),
  "double each cell": (grid) => twice(grid.map(twice)),
  "keep the top half": (grid) => grid.slice(0, Math.floor(grid.length / 2)),
  "border of 1": border,
  "shift right by one, wrap": (grid) => grid.map((row) => [row.at(-1)!, ...row.slice(0, -1)]),
};
const RULE_NAMES = Object.keys(RULES);

const same = (a: Grid, b: Grid) => JSON.stringify(a) === JSON.stringify(b);

/** Returns the names of the rules that explain all examples. */
function fitting(examples: readonly { readonly input: Grid; readonly output: Grid }[]): string[] {
  return RULE_NAMES.filter((name) => examples.every(({ input, output }) => same(RULES[name]!(input), output)));
}

function isGrid(value: Json | undefined): value is Grid {
  const isRow = (row: Json) => Array.isArray(row) && row.length > 0 && row.every((cell) => Number.isSafeInteger(cell));
  return Array.isArray(value) && value.length > 0 && value.every((row) => isRow(row) && row.length === (value[0] as Json[]).length);
}

/** Returns the output grid that is stored in the row, as a list of rows or as its JSON text. */
function expectedGrid(row: Row): Grid {
  let stored: Json | undefined = row.answer;
  if (typeof stored === "string") {
    const literal = parseLiteral(stored, "json");
    stored = gridOf(literal, integerOf);
  }
  if (isGrid(stored)) return stored;
  const test = isObject(row.metadata) && Array.isArray(row.metadata.test) ? (row.metadata.test[0] as Json) : null;
  const output = isObject(test) ? (test.output as Json) : undefined;
  if (isGrid(output)) return output;
  throw metadataError(row, "test", "an output grid, or one as the answer");
}

/** Reads a cell: a color, or `"decimal"` for a color that is written as a decimal number. Returns undefined for any other literal. */
function cellOf(literal: Literal): number | "decimal" | undefined {
  if (literal.kind === "decimal") return /^[0-9]\.0+$/.test(literal.text) ? "decimal" : undefined;
  const color = integerOf(literal);
  return color !== undefined && color >= 0 && color < COLORS ? color : undefined;
}

const block = (grid: Grid) => `\`\`\`json\n${JSON.stringify(grid).replaceAll(",", ", ")}\n\`\`\``;

/** Find the rule that turns each input grid into its output grid, and apply it to one more input. */
export const arcAgi: SynlogicTask<ArcAgi> = {
  name: "arc_agi",
  summary: "Find the rule behind example pairs of grids and apply it to another grid.",
  languages: ["en", "zh"],
  parameters: {
    rules: { kind: "list", of: "string", meaning: `rules that are drawn from: ${RULE_NAMES.join("; ")}` },
    examples: { kind: "integer", least: 1, most: 6, meaning: "pairs that show the rule" },
    min_size: { kind: "integer", least: 2, most: 10, meaning: "shortest side of an input grid" },
    max_size: { kind: "integer", least: 2, most: 10, meaning: "longest side of an input grid" },
    colors: { kind: "integer", least: 3, most: 10, meaning: "number of colors, with 0 for empty cells" },
  },
  // There is no published generator.
  levels: {
    tiny: { rules: ["mirror left-right", "mirror up-down", "keep the top half"], examples: 2, min_size: 2, max_size: 2, colors: 3 },
    easy: { rules: RULE_NAMES, examples: 3, min_size: 2, max_size: 4, colors: 4 },
    medium: { rules: RULE_NAMES, examples: 3, min_size: 4, max_size: 6, colors: 6 },
    hard: { rules: RULE_NAMES, examples: 2, min_size: 6, max_size: 10, colors: 10 },
  },
  attributes: ["max_size", "min_size", "colors", "rules"],
  generate(random, { rules, examples, min_size, max_size, colors }, language) {
    if (min_size > max_size) throw new InputError(`arc_agi: min_size: expected at most ${max_size}, got ${min_size}`);
    const unknown = rules.find((name) => !RULE_NAMES.includes(name));
    if (unknown !== undefined)
      throw new InputError(`arc_agi: rules: expected some of ${RULE_NAMES.join("; ")}, got ${JSON.stringify(unknown)}`);
    const rule = randomChoice(random, rules);
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      const pairs = Array.from({ length: examples + 1 }, () => {
        const input = drawGrid(random, min_size, max_size, colors);
        return { input, output: RULES[rule]!(input) };
      });
      const [test, ...train] = pairs as [(typeof pairs)[0], ...typeof pairs];
      // The output must differ from the input, and every other rule that explains the examples must give the same output.
      if (pairs.some(({ input, output }) => same(input, output))) continue;
      if (!fitting(train).every((name) => same(RULES[name]!(test.input), test.output))) continue;
      return { question: question(train, test.input, language), answer: test.output, metadata: { rule, train, test: [test] } };
    }
    throw new InputError(
      `arc_agi: expected parameters that allow an unambiguous puzzle, got none in ${MAX_DRAWS} draws. Use more examples.`,
    );
  },
  solve: (row) => block(expectedGrid(row)),
  verify(row, text) {
    const expected = expectedGrid(row);
    const content = lastCodeBlock(text, ["json"]);
    if (content === undefined) return reject("there is no complete json block after the reasoning");
    const found = content.trim().slice(0, 1000);
    const grid = gridOf(parseLiteral(content, "json"), cellOf);
    if (!grid || grid[0]!.length === 0) return reject("the last json block is not a rectangle of colors 0 to 9", found);
    if (grid.length > MAX_SIDE || grid[0]!.length > MAX_SIDE) return reject(`the grid has more than ${MAX_SIDE} rows or columns`, found);
    const [height, width] = [expected.length, expected[0]!.length];
    if (grid.length !== height || grid[0]!.length !== width) {
      return reject(`the grid has ${grid.length} rows and ${grid[0]!.length} columns, not ${height} and ${width}`, found);
    }
    const values = JSON.parse(content) as Grid;
    const wrong = expected.findIndex((cells, i) => cells.some((cell, j) => cell !== values[i]![j]));
    if (wrong >= 0) return reject(`row ${wrong + 1} of the grid is wrong`, found);
    return grid.flat().includes("decimal")
      ? undecided("colors are written as decimal numbers", found)
      : accept(found, "all cells are right");
  },
  guess(row, random) {
    const metadata: { readonly [key: string]: Json } = isObject(row.metadata) ? (row.metadata as { readonly [key: string]: Json }) : {};
    const test = Array.isArray(metadata.test) ? (metadata.test[0] as Json) : null;
    const input = isObject(test) ? (test.input as Json) : undefined;
    return block(RULES[randomChoice(random, RULE_NAMES)]!(isGrid(input) ? input : expectedGrid(row)));
  },
  published,
};

/**
 * Emulates the published verifier. It compares JSON as Python does: true equals 1, and 1.0 equals 1. It evaluates text that is not JSON as
 * code.
 */
function published(row: Row, response: string): PublishedVerdict {
  const lower = response.toLowerCase();
  const begin = lower.lastIndexOf("```json");
  if (begin < 0) return false;
  const code = lower.slice(begin + "```json".length).split("```")[0]!;
  const asPython = (value: string) => value.replace(/\btrue\b/g, "1").replace(/\bfalse\b/g, "0");
  try {
    const [found, expected] = [JSON.parse(code) as Json, row.answer];
    if (typeof found === "string" || typeof expected === "string") return found === expected;
    return JSON.stringify(JSON.parse(asPython(code))) === JSON.stringify(expected);
  } catch {
    return /[a-z*]/.test(code) ? "evaluates" : false;
  }
}

function drawGrid(random: Random, least: number, most: number, colors: number): Grid {
  const width = randomInteger(random, least, most);
  return Array.from({ length: randomInteger(random, least, most) }, () =>
    // About a third of the cells are empty.
    Array.from({ length: width }, () => (random.next() < 0.3 ? 0 : randomInteger(random, 0, colors - 1))),
  );
}

function question(train: readonly { readonly input: Grid; readonly output: Grid }[], input: Grid, language: Language): string {
  const write = (grid: Grid) => JSON.stringify(grid).replaceAll(",", ", ");
  const zh = language === "zh";
  const pairs = train.map(({ input, output }, i) =>
    zh
      ? `例 ${i + 1}\n输入：${write(input)}\n输出：${write(output)}`
      : `Example ${i + 1}\nInput: ${write(input)}\nOutput: ${write(output)}`,
  );
  if (zh) {
    return `同一条规则把每个输入网格变成输出网格。网格中的数字代表颜色，0 代表空格。

${pairs.join("\n\n")}

请把这条规则用于：
输入：${write(input)}

请在回答的最后用一个 \`\`\`json 代码块给出输出网格，写成行的列表，每行是 0 到 9 的整数列表。`;
  }
  return `One rule turns each input grid into its output grid. The numbers are colors, and 0 stands for an empty cell.

${pairs.join("\n\n")}

Apply the rule to
Input: ${write(input)}

End your answer with a \`\`\`json block that holds the output grid: a list of rows, which are lists of integers from 0 to 9.`;
}
