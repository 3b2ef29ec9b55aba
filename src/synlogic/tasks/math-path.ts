import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger } from "../../base/random-draws.js";
import { ARITHMETIC, type Arithmetic, evaluate, exactly, inDoublePrecision, parseExpression } from "../arithmetic/expression.js";
import { equals, type Fraction, fraction, isInteger, multiply, printedFraction, subtract } from "../arithmetic/fraction.js";
import type { SynlogicTask } from "../definition.js";
import { metadataValue } from "../metadata.js";
import { lastDoubleBrackets } from "../reading/double-brackets.js";
import { accept, type Language, type PublishedVerdict, type Row, reject, undecided } from "../row.js";

type MathPath = {
  /** Number of operators. */
  readonly n: number;
  /** Percentage of the digits that are hidden. */
  readonly x_prob: number;
};

const OPERATORS = ["+", "-", "*", "/", "%"] as const;
const SIGN_PRECEDENCE = 3;
/** Maximum number of random assignments of digits, for a row without a stored solution. */
const MAX_GUESSES = 20_000;

const compact = (text: string) => text.replace(/\s+/g, "");

/** The value of a left side, and what the published question leaves open about it. */
interface Value {
  readonly value: Fraction | undefined;
  readonly open: string | undefined;
}

/** Evaluates the left side in fractions. @param truncated whether a % b has the sign of a instead of the sign of b */
function leftSide(text: string, truncated = false): Value {
  let open: string | undefined;
  const arithmetic: Arithmetic<Fraction> = {
    ...exactly,
    apply(operator, left, right) {
      const value = exactly.apply(operator, left, right);
      if (!value) return undefined;
      if (operator === "/" && !isInteger(value)) open ??= `${printedFraction(left)} / ${printedFraction(right)} is not an integer`;
      if (operator !== "%") return value;
      const negative = left.numerator < 0n || right.numerator < 0n;
      if (negative) open ??= `${printedFraction(left)} % ${printedFraction(right)} has a negative operand`;
      return truncated && negative ? remainder(left, right) : value;
    },
  };
  const expression = parseExpression(text, { operators: ARITHMETIC, signPrecedence: SIGN_PRECEDENCE });
  return { value: expression && evaluate(expression, arithmetic), open };
}

/** Computes the remainder a − b·trunc(a/b), which has the sign of a. */
function remainder(a: Fraction, b: Fraction): Fraction {
  const quotient = fraction(a.numerator * b.denominator, a.denominator * b.numerator);
  return subtract(a, multiply(b, fraction(quotient.numerator / quotient.denominator)));
}

/** Returns the puzzle without spaces: the left side with its question marks, and the integer on the right. */
function queryOf(row: Row): { readonly query: string; readonly result: Fraction } {
  const isQuery = (x: unknown): x is string => typeof x === "string" && /^[-0-9+*/%()?]{1,400}=-?[0-9]{1,15}$/.test(compact(x));
  const query = compact(metadataValue(row, "query_expr", "an expression = an integer", isQuery));
  return { query, result: fraction(BigInt(query.split("=")[1]!)) };
}

/** Describes the first place at which a completed expression differs from the puzzle. Returns undefined if they agree. */
function difference(answer: string, query: string): string | undefined {
  for (let i = 0; i < Math.max(answer.length, query.length); i++) {
    const [char, expected] = [answer[i] ?? "the end", query[i] ?? "the end"];
    if (expected === "?" ? !/^[0-9]$/.test(char) : char !== expected) {
      return `place ${i + 1}: expected ${expected === "?" ? "a digit" : expected}, got ${char}`;
    }
  }
  return undefined;
}

/** Find the hidden digits of an arithmetic expression, so that it has the given value. */
export const mathPath: SynlogicTask<MathPath> = {
  name: "math_path",
  summary: "Replace each question mark by a digit so that the expression has the given value.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 2, most: 20, meaning: "number of operators" },
    x_prob: { kind: "integer", least: 10, most: 100, meaning: "hidden digits in per cent" },
  },
  levels: {
    tiny: { n: 2, x_prob: 40 },
    easy: { n: 10, x_prob: 50 },
    medium: { n: 10, x_prob: 70 },
    hard: { n: 10, x_prob: 100 },
  },
  attributes: ["n", "x_prob"],
  generate(random, { n, x_prob }, language) {
    for (;;) {
      const { text, digits } = drawExpression(random, n);
      const { value, open } = leftSide(text);
      if (!value || open !== undefined || !isInteger(value)) continue;
      const result = printedFraction(value);
      const hidden = new Set(digits.filter(() => randomBoolean(random, x_prob / 100)));
      if (hidden.size === 0) hidden.add(randomChoice(random, digits));
      const query = [...text].map((char, i) => (hidden.has(i) ? "?" : char)).join("");
      const answer = `${text.replace(/[-+*/%]/g, " $&")} = ${result}`;
      return {
        question: question(compact(query), result, language),
        answer,
        // The question of this generator excludes divisions with a remainder and negative operands of %. The published question does not.
        metadata: { ref_expr: answer, query_expr: `${compact(query)} = ${result}`, n, x_prob, integer_steps: true },
      };
    }
  },
  solve(row) {
    const { query } = queryOf(row);
    for (const stored of [row.answer, row.metadata?.ref_expr]) {
      if (typeof stored === "string" && judgeEquation(row, stored).right) return `[[${stored}]]`;
    }
    // Solutions are so frequent that random digits find one.
    let next = 1;
    for (let i = 0; i < MAX_GUESSES; i++) {
      const filled = query.replace(/\?/g, () => {
        next = (next * 48271) % 2147483647;
        return String(next % 10);
      });
      if (judgeEquation(row, filled).right) return `[[${filled}]]`;
    }
    throw new InputError(`math_path: row: expected a stored solution, got none for ${query}`);
  },
  verify(row, text) {
    const found = lastDoubleBrackets(text);
    return found === undefined ? reject("there is nothing in double square brackets after the reasoning") : judgeEquation(row, found);
  },
  guess: (row, random) => `[[${queryOf(row).query.replace(/\?/g, () => String(randomInteger(random, 0, 9)))}]]`,
  published,
};

function judgeEquation(row: Row, found: string) {
  const { query, result } = queryOf(row);
  const answer = compact(found);
  const shown = answer.slice(0, 200);
  const place = difference(answer, query);
  if (place !== undefined) return reject(place, shown);
  const left = answer.split("=")[0]!;
  const { value, open } = leftSide(left);
  if (!value) return reject("the left side divides by zero", shown);
  const target = printedFraction(result);
  if (open === undefined || row.metadata?.integer_steps === true) {
    if (open !== undefined) return reject(open, shown);
    if (!equals(value, result)) return reject(`the left side is ${printedFraction(value)}, not ${target}`, shown);
    if (/[0-9]\s+[0-9]/.test(found)) return undecided("there is white space within a number", shown);
    return accept(shown, `the left side is ${target}`);
  }
  const other = leftSide(left, true).value;
  if (equals(value, result) || (other && equals(other, result)))
    return undecided(`the question does not say whether this step is allowed: ${open}`, shown);
  return reject(`the left side is ${printedFraction(value)}, not ${target}`, shown);
}

/**
 * Emulates the published verifier. It compares the sequence of digits and of operators with the puzzle. Then it evaluates the text without
 * spaces and with `==` in place of `=`.
 */
function published(row: Row, response: string): PublishedVerdict {
  const text = response
    .split("\n")
    .map((line) => lastDoubleBrackets(line))
    .flatMap((found) => (found === undefined ? [] : [compact(found)]))
    .at(-1);
  if (text === undefined || typeof row.metadata?.query_expr !== "string") return false;
  const operators = (of: string) => of.replace(/[^-+*/%]/g, "");
  const digits = (of: string) => of.replace(/[^0-9?]/g, "");
  const [query, found] = [row.metadata.query_expr, digits(text)];
  if (operators(text) !== operators(query) || difference(found, digits(query)) !== undefined) return false;
  if (/[A-Za-z_]/.test(text)) return "evaluates";
  const [left, right, ...more] = text.split(/[=<>]/);
  if (right === undefined || more.length > 0) return false;
  const [a, b] = [left!, right].map((side) => {
    const expression = parseExpression(side, { operators: ARITHMETIC, signPrecedence: SIGN_PRECEDENCE });
    return expression && evaluate(expression, inDoublePrecision);
  });
  if (a === undefined || b === undefined) return false;
  return text.includes("<") ? a < b : text.includes(">") ? a > b : a === b;
}

/** Draws digits and operators. Up to two pairs of brackets enclose two neighbouring operands each. */
function drawExpression(random: Random, n: number): { readonly text: string; readonly digits: number[] } {
  const operators = Array.from({ length: n }, () => randomChoice(random, OPERATORS));
  const bracketed = new Set<number>();
  for (let i = 0; i < 2; i++) {
    const at = randomInteger(random, 0, n - 1);
    if (randomBoolean(random) && ![at - 1, at, at + 1].some((one) => bracketed.has(one))) bracketed.add(at);
  }
  let text = "";
  const digits: number[] = [];
  for (let i = 0; i <= n; i++) {
    if (bracketed.has(i)) text += "(";
    digits.push(text.length);
    text += randomInteger(random, 0, 9);
    if (bracketed.has(i - 1)) text += ")";
    text += operators[i] ?? "";
  }
  return { text, digits };
}

function question(query: string, result: string, language: Language): string {
  if (language === "zh") {
    return `在等式 ${query} = ${result} 中，每个问号代表 0 到 9 的一个数字。请把每个问号换成一个数字，使等式成立，其余部分（包括括号）保持不变。
先算括号，再从左到右算 *、/、%，最后从左到右算 + 和 -。每一步除法都必须除尽，% 是取余数，两边都不能是负数，不能除以 0，也不能对 0 取余。

请在回答的最后把完整的等式放在 [[ 与 ]] 之间，例如：
[[2 + 4 * 3 - 4 = 10]]`;
  }
  return `In the equation ${query} = ${result}, each question mark stands for a digit from 0 to 9. Replace each by a digit so that the equation holds, and change nothing else, brackets included.
Brackets come first, then *, / and % from left to right, then + and - from left to right. Every division must leave no remainder. a % b is the remainder of a divided by b; neither may be negative. The right operand of / and % must not be 0.

End your answer with the whole equation between [[ and ]], for example
[[2 + 4 * 3 - 4 = 10]]`;
}
