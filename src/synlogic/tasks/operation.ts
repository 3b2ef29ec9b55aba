import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { Expression } from "../arithmetic/expression.js";
import { compare, decimalFraction, type Fraction, fraction, isInteger, toNumber } from "../arithmetic/fraction.js";
import { isNumber, parseNumberAnswer } from "../arithmetic/number-answer.js";
import type { SynlogicTask } from "../definition.js";
import { metadataString } from "../metadata.js";
import { boxes, lastBox, plainText } from "../reading/final-text.js";
import { accept, type Row, reject, undecided } from "../row.js";
import {
  type Definition,
  type Definitions,
  definitionsOf,
  exactOrDouble,
  FRACTIONS,
  formulaFor,
  operationValue,
  parseOperation,
} from "./operation-rules.js";
import { CONDITIONS, operationQuestion, SIGNS } from "./operation-text.js";

type Operation = {
  /** Minimum and maximum number of new signs. */
  readonly num_symbols_range: readonly number[];
  readonly definition_num_symbols_max: number;
  readonly max_operands: number;
  readonly condition_rate: number;
};

const BRACKET_RATE = 0.3;
const ABSOLUTE_RATE = 0.4;
const LARGEST_RESULT = 100_000n;
/**
 * Maximum number of operands beyond the number of signs. An expression with s signs has s + 1 to s + 3 operands, but at most max_operands.
 */
const MORE_OPERANDS = 3;

/** Maximum magnitude of an irrational value. The last digits of a larger value are not known in double precision. */
const LARGEST_DOUBLE = 1e12;
/** Maximum relative difference of two values that count as equal up to rounding. */
const ROUNDED = 1e-9;

/** Returns the right value of a row, or the reason why it is not determined. */
function rightValue(row: Row): { readonly value?: Fraction | number; readonly open?: string } {
  const definitions = definitionsOf(row);
  const expression = metadataString(row, "expression");
  if ([...definitions.values()].some(({ branches }) => branches.some(({ condition }) => !condition))) {
    // If a condition is unknown, only the stored answer is known.
    const stored = parseNumberAnswer(String(row.answer))?.value;
    return stored ? { value: stored } : { open: "a condition is not known" };
  }
  const [left, right] = [false, true].map((fromRight) => exactOrDouble(expression, definitions, fromRight));
  if (left === undefined || right === undefined) return { open: "the expression has no value, or a very large one" };
  const large = [left, right].some((value) => typeof value === "number" && Math.abs(value) > LARGEST_DOUBLE);
  if (large) return { open: "the value is very large and irrational" };
  const same = typeof left === "number" || typeof right === "number" ? closeTo(left, right) : compare(left, right) === 0;
  return same ? { value: left } : { open: "the question does not say from which side operators of equal precedence are applied" };
}

const closeTo = (a: Fraction | number, b: Fraction | number) => {
  const [x, y] = [a, b].map((value) => (typeof value === "number" ? value : toNumber(value))) as [number, number];
  return Math.abs(x - y) <= ROUNDED * Math.max(1, Math.abs(x));
};

/** Formats an integer or a finite decimal number as such, and other fractions as `\frac{…}{…}`. */
function written(value: Fraction | number): string {
  if (typeof value === "number") return String(value);
  if (isInteger(value)) return String(value.numerator);
  const decimal = String(toNumber(value));
  if (/^-?[0-9]+\.[0-9]{1,12}$/.test(decimal)) {
    const back = decimalFraction(decimal.replace("-", ""));
    if (compare(back, value.numerator < 0n ? { ...value, numerator: -value.numerator } : value) === 0) return decimal;
  }
  const sign = value.numerator < 0n ? "-" : "";
  return `${sign}\\frac{${String(value.numerator).replace("-", "")}}{${value.denominator}}`;
}

/** Evaluate an expression with newly defined signs. */
export const operation: SynlogicTask<Operation> = {
  name: "operation",
  summary: "Evaluate an expression with newly defined infix signs and a given precedence.",
  languages: ["en", "zh"],
  parameters: {
    num_symbols_range: { kind: "list", of: "integer", meaning: "fewest and most new signs, within 1 to 4" },
    definition_num_symbols_max: { kind: "integer", least: 2, most: 6, meaning: "most operands in the formula of a sign" },
    max_operands: { kind: "integer", least: 2, most: 8, meaning: "most operands of the expression" },
    condition_rate: { kind: "number", least: 0, most: 1, meaning: "share of signs that are defined with a condition" },
  },
  levels: {
    tiny: { num_symbols_range: [1, 1], definition_num_symbols_max: 2, max_operands: 2, condition_rate: 0 },
    easy: { num_symbols_range: [1, 1], definition_num_symbols_max: 3, max_operands: 4, condition_rate: 0.5 },
    medium: { num_symbols_range: [2, 2], definition_num_symbols_max: 4, max_operands: 5, condition_rate: 0.5 },
    hard: { num_symbols_range: [4, 4], definition_num_symbols_max: 5, max_operands: 7, condition_rate: 0.5 },
  },
  attributes: ["num_symbols_range", "definition_num_symbols_max", "max_operands", "condition_rate"],
  generate(random, { num_symbols_range, definition_num_symbols_max, max_operands, condition_rate }, language) {
    const [least, most] = [num_symbols_range[0]!, num_symbols_range[1] ?? num_symbols_range[0]!];
    if (least < 1 || most > 4 || least > most || num_symbols_range.length > 2) {
      throw new InputError(
        `operation: num_symbols_range: expected two integers from 1 to 4 in order, got ${JSON.stringify(num_symbols_range)}`,
      );
    }
    const count = randomInteger(random, least, most);
    if (max_operands <= count) throw new InputError(`operation: max_operands: expected more than the ${count} signs, got ${max_operands}`);
    for (;;) {
      const metadata = drawDefinitions(random, count, definition_num_symbols_max, condition_rate);
      const definitions = definitionsOf({ task: "operation", question: "", answer: "", metadata: { symbol_definitions: metadata } });
      const operands = randomInteger(random, count + 1, Math.min(count + MORE_OPERANDS, max_operands));
      const expression = drawExpression(random, [...definitions.keys()], operands);
      const result = operationValue(expression, definitions, INTEGERS);
      if (result === undefined || absolute(result.numerator) >= LARGEST_RESULT) continue;
      // The value must not depend on whether operators at the level of powers are left- or right-associative.
      const other = operationValue(expression, definitions, INTEGERS, true);
      if (!other || compare(result, other) !== 0) continue;
      const full = substituted(parseOperation(expression, definitions)!, definitions);
      // With formulas inside formulas, the expression can become longer than the parser allows.
      const check = operationValue(full, definitions, FRACTIONS);
      const simplified = check && compare(check, result) === 0 ? full : String(result.numerator);
      return {
        question: operationQuestion(metadata, expression, language),
        answer: String(result.numerator),
        metadata: { expression, symbol_definitions: metadata, result: Number(result.numerator), simplified_expr: simplified },
      };
    }
  },
  solve(row) {
    const { value } = rightValue(row);
    return `\\boxed{${value === undefined ? String(row.answer) : written(value)}}`;
  },
  verify(row, text) {
    const found = lastBox(text);
    if (found === undefined) return reject("there is no complete \\boxed{…} after the reasoning");
    const shown = found.slice(0, 200);
    const answer = parseNumberAnswer(found);
    if (!answer) return reject("the box does not hold a plain number", shown);
    const { value, open } = rightValue(row);
    if (value === undefined) return undecided(open ?? "the expression has no value", shown);
    // In double precision, an answer that differs from the value only by rounding errors is right.
    const expected = typeof value === "number" ? roundedFraction(value) : value;
    const near = !isInteger(expected) && answer.decimals > 0 && closeTo(answer.value, value);
    const right = near || isNumber(answer, expected);
    if (right === undefined) return undecided("the value is rounded, and the question does not say how many decimals are needed", shown);
    return right ? accept(shown, "the value is right") : reject(`the value is not ${shown}`, shown);
  },
  guess: (_row, random) => `\\boxed{${randomInteger(random, -10, 60)}}`,
  published(row, response) {
    // The published verifier reads the last box, or else the last number, of the whole message, even if the message is incomplete.
    const numbers = () => response.match(/-?[0-9]+(?:\.[0-9]+)?/g) ?? [];
    const box = boxes(response).at(-1);
    const found = parseNumberAnswer(box === undefined ? (numbers().at(-1) ?? "") : plainText(box));
    const stored = parseNumberAnswer(String(row.answer));
    return found !== undefined && stored !== undefined && Math.abs(toNumber(found.value) - toNumber(stored.value)) < 1e-6;
  },
};

const absolute = (value: bigint) => (value < 0n ? -value : value);

function roundedFraction(value: number): Fraction {
  const decimal = decimalFraction(Math.abs(value).toFixed(12));
  return value < 0 ? { ...decimal, numerator: -decimal.numerator } : decimal;
}

/** Arithmetic that accepts only steps with small integers as results, and no remainders of negative numbers. */
const INTEGERS: typeof FRACTIONS = {
  ...FRACTIONS,
  apply(operator, left, right) {
    if (operator === "%" && (left.numerator < 0n || right.numerator <= 0n)) return undefined;
    if (operator === "**" && (right.numerator < 0n || right.numerator > 5n)) return undefined;
    const value = FRACTIONS.apply(operator, left, right);
    return value && isInteger(value) && absolute(value.numerator) < 100n * LARGEST_RESULT ? value : undefined;
  },
};

/** A definition in the form of the published metadata. */
export type StoredDefinition = {
  readonly conditions: readonly { readonly condition: string; readonly operation: string }[];
  readonly associativity: "left";
  readonly precedence: number;
  readonly default_operation: string;
};

function drawDefinitions(random: Random, count: number, most: number, conditionRate: number): Record<string, StoredDefinition> {
  const definitions: Record<string, StoredDefinition> = {};
  for (const sign of shuffle(random, SIGNS).slice(0, count)) {
    // The formula of a later sign may use an earlier one.
    const earlier = Object.keys(definitions);
    const draw = () => drawFormula(random, randomInteger(random, 2, most), earlier);
    const conditions = randomBoolean(random, conditionRate) ? [{ condition: randomChoice(random, CONDITIONS).zh, operation: draw() }] : [];
    definitions[sign] = { conditions, associativity: "left", precedence: randomInteger(random, 1, 5), default_operation: draw() };
  }
  return definitions;
}

/** Draws a formula of x, y and small numbers. It contains both x and y. */
function drawFormula(random: Random, operands: number, signs: readonly string[]): string {
  const names = drawUntil(
    () => Array.from({ length: operands }, () => randomChoice(random, ["x", "x", "y", "y", String(randomInteger(random, 2, 5))])),
    (drawn) => drawn.includes("x") && drawn.includes("y"),
  );
  const terms = names.map((name) => (/[xy]/.test(name) && randomBoolean(random, ABSOLUTE_RATE / operands) ? `Abs(${name})` : name));
  const [first, ...rest] = terms;
  const text = rest.reduce((formula, term) => {
    if (signs.length > 0 && randomBoolean(random, 0.3)) return `${formula} ${randomChoice(random, signs)} ${term}`;
    if (/[xy]$/.test(formula) && randomBoolean(random, 0.1)) return `${formula}**2 + ${term}`;
    return `${formula} ${randomChoice(random, ["+", "-", "*", "*"])} ${term}`;
  }, first!);
  return randomBoolean(random, 0.2) ? `-${text}` : text;
}

/** Draws an expression that uses every sign. */
function drawExpression(random: Random, signs: readonly string[], operands: number): string {
  const more = Array.from({ length: operands - 1 - signs.length }, () => randomChoice(random, [...signs, "+", "-", "*", "/", "%", "**"]));
  const operators = shuffle(random, [...signs, ...more]);
  const at = operators.length > 1 && randomBoolean(random, BRACKET_RATE) ? randomInteger(random, 0, operators.length - 1) : -1;
  let text = "";
  for (let i = 0; i < operands; i++) {
    text += `${i === at ? "(" : ""}${randomInteger(random, 1, 10)}${i === at + 1 && at >= 0 ? ")" : ""}`;
    if (i < operators.length) text += ` ${operators[i]} `;
  }
  return text;
}

/** Writes an expression in which each sign is replaced by its formula. */
function substituted(expression: Expression, definitions: Definitions): string {
  switch (expression.kind) {
    case "number":
      return expression.text;
    case "operation": {
      const [x, y] = [substituted(expression.left, definitions), substituted(expression.right, definitions)];
      const definition = definitions.get(expression.operator);
      if (!definition) return `(${x} ${expression.operator} ${y})`;
      const values = [x, y].map((side) => operationValue(side, definitions, INTEGERS) ?? fraction(0)) as [Fraction, Fraction];
      return substitutedFormula(definition, values, x, y, definitions);
    }
    case "absolute":
      return `Abs(${substituted(expression.operand, definitions)})`;
    case "negative":
      return `-(${substituted(expression.operand, definitions)})`;
    default:
      return expression.name;
  }
}

function substitutedFormula(
  definition: Definition,
  values: readonly [Fraction, Fraction],
  x: string,
  y: string,
  definitions: Definitions,
): string {
  const formula = formulaFor(definition, ...values, FRACTIONS).replace(/x|y/g, (name) => `(${name === "x" ? x : y})`);
  const parsed = parseOperation(formula, definitions);
  return parsed ? `(${substituted(parsed, definitions)})` : `(${formula})`;
}
