import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomChoice, shuffle } from "../../base/random-draws.js";
import { ARITHMETIC, type Expression, evaluate, exactly, numbersOf, operatorsOf, parseExpression } from "../arithmetic/expression.js";
import { equals, type Fraction, fraction, printedFraction } from "../arithmetic/fraction.js";
import type { SynlogicTask } from "../definition.js";
import { metadataInteger, metadataIntegers, metadataStrings } from "../metadata.js";
import { lastCodeBlock } from "../reading/final-text.js";
import { accept, type Language, type Row, reject, undecided } from "../row.js";

type GameOf24 = {
  readonly num_of_numbers: number;
  readonly candidates: readonly number[];
  readonly operators: readonly string[];
  readonly result: number;
};

const OPERATORS = ["+", "-", "*", "/"] as const;
const MAX_DRAWS = 1000;
/** Steps after which the search gives up, each weighted with its number of terms. Five numbers take at most 600,000. */
const MAX_SEARCH_STEPS = 2_000_000;
/** As in Python, a leading minus sign is applied before multiplication. */
const SIGN_PRECEDENCE = 3;

/** A value, and the text of an expression that has this value. */
interface Term {
  readonly value: Fraction;
  readonly text: string;
}

/**
 * Searches for an expression whose value is the target. Repeatedly replaces two terms by one of their results, so that all bracketings are
 * covered.
 */
function reach(terms: readonly Term[], operators: readonly string[], target: Fraction, budget: { steps: number }): string | undefined {
  if (terms.length === 1) return equals(terms[0]!.value, target) ? terms[0]!.text : undefined;
  for (const [i, a] of terms.entries()) {
    for (const [j, b] of terms.entries()) {
      if (i === j) continue;
      for (const operator of operators) {
        // The order of the operands matters for - and / only.
        if (i > j && (operator === "+" || operator === "*")) continue;
        budget.steps -= terms.length;
        if (budget.steps < 0) return undefined;
        const value = exactly.apply(operator, a.value, b.value);
        if (!value) continue;
        const rest = terms.filter((_, k) => k !== i && k !== j);
        const found = reach([...rest, { value, text: `(${a.text} ${operator} ${b.text})` }], operators, target, budget);
        if (found !== undefined) return found;
      }
    }
  }
  return undefined;
}

/** Finds an expression. Returns undefined if there is none, or if none is found within the limit of steps. */
function search(numbers: readonly number[], operators: readonly string[], result: number): string | undefined {
  const terms = numbers.map((number) => ({ value: fraction(number), text: String(number) }));
  return reach(terms, operators, fraction(result), { steps: MAX_SEARCH_STEPS })?.replace(/^\((.*)\)$/, numbers.length > 1 ? "$1" : "$&");
}

/** Returns all solutions that are evaluated from left to right, in the published notation. */
function leftToRight(numbers: readonly number[], operators: readonly string[], result: number): string[] {
  const found = new Set<string>();
  const target = fraction(result);
  function extend(order: readonly number[], signs: readonly string[], value: Fraction, left: readonly number[]) {
    if (left.length === 0) {
      if (equals(value, target)) found.add(`nums: (${order.join(", ")}), ops: (${signs.map((sign) => `'${sign}'`).join(", ")})`);
      return;
    }
    for (const next of new Set(left)) {
      const rest = left.filter((_, i) => i !== left.indexOf(next));
      for (const sign of operators) {
        const extended = exactly.apply(sign, value, fraction(next));
        if (extended) extend([...order, next], [...signs, sign], extended, rest);
      }
    }
  }
  for (const first of new Set(numbers)) {
    extend(
      [first],
      [],
      fraction(first),
      numbers.filter((_, i) => i !== numbers.indexOf(first)),
    );
  }
  return [...found];
}

function parse(text: string): Expression | undefined {
  return parseExpression(text, { operators: ARITHMETIC, signPrecedence: SIGN_PRECEDENCE });
}

/** Describes the rule that an expression breaks. Returns undefined if it breaks none. */
function brokenRule(row: Row, expression: Expression): string | undefined {
  const [numbers, operators] = [metadataIntegers(row, "numbers"), metadataStrings(row, "operators")];
  const sign = operatorsOf(expression).find((one) => !operators.includes(one));
  if (sign !== undefined) return `uses ${sign}, which is not one of the operators ${operators.join(" ")}`;
  const sorted = (values: readonly (number | string)[]) => values.map(Number).sort((a, b) => a - b);
  const used = sorted(numbersOf(expression));
  if (String(used) !== String(sorted(numbers))) return `uses the numbers ${used.join(", ")} instead of ${sorted(numbers).join(", ")}`;
  const value = evaluate(expression, exactly);
  if (!value) return "divides by zero";
  const result = metadataInteger(row, "result");
  return equals(value, fraction(result)) ? undefined : `has the value ${printedFraction(value)}, not ${result}`;
}

/** Combine numbers with + - * / to reach a target. */
export const gameOf24: SynlogicTask<GameOf24> = {
  name: "game_of_24",
  summary: "Combine the given numbers, each exactly once, with + - * / to reach the target.",
  languages: ["en", "zh"],
  parameters: {
    num_of_numbers: { kind: "integer", least: 2, most: 5, meaning: "how many numbers are given" },
    candidates: { kind: "list", of: "integer", meaning: "numbers that are drawn from, with repetition" },
    operators: { kind: "list", of: "string", meaning: "allowed operators: + - * /" },
    result: { kind: "integer", least: -1000, most: 1000, meaning: "the target" },
  },
  levels: {
    tiny: { num_of_numbers: 3, candidates: upTo(12), operators: OPERATORS, result: 24 },
    // This is the only published setting. The higher levels have larger numbers, and `hard` has one more number.
    easy: { num_of_numbers: 4, candidates: upTo(9), operators: OPERATORS, result: 24 },
    medium: { num_of_numbers: 4, candidates: upTo(13), operators: OPERATORS, result: 24 },
    hard: { num_of_numbers: 5, candidates: upTo(13), operators: OPERATORS, result: 24 },
  },
  attributes: ["num_of_numbers", "candidates"],
  generate(random, { num_of_numbers, candidates, operators, result }, language) {
    const unknown = operators.find((one) => !(OPERATORS as readonly string[]).includes(one));
    if (unknown !== undefined) throw new InputError(`game_of_24: operators: expected some of + - * /, got ${JSON.stringify(unknown)}`);
    const large = candidates.find((one) => Math.abs(one) > 1e6 || one < 0);
    if (large !== undefined) throw new InputError(`game_of_24: candidates: expected integers within [0, 1000000], got ${large}`);
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      const numbers = Array.from({ length: num_of_numbers }, () => randomChoice(random, candidates)).sort((a, b) => a - b);
      if (search(numbers, operators, result) === undefined) continue;
      const solutions = leftToRight(numbers, operators, result);
      return {
        question: question(numbers, operators, result, language),
        answer: "",
        metadata: { numbers, solutions, candidates, operators, result, num_of_numbers },
      };
    }
    throw new InputError(
      `game_of_24: expected candidates that can reach ${result}, got none in ${MAX_DRAWS} draws of ${num_of_numbers} numbers. Change candidates or result.`,
    );
  },
  solve(row) {
    const numbers = metadataIntegers(row, "numbers");
    const found = search(numbers, metadataStrings(row, "operators"), metadataInteger(row, "result"));
    if (found === undefined)
      throw new InputError(`game_of_24: row: expected numbers that reach the target, got ${numbers.slice(0, 20).join(", ")}`);
    return block(found);
  },
  verify(row, text) {
    const content = lastCodeBlock(text)?.replace(/#[^\n]*/g, "");
    if (content === undefined) return reject("there is no complete code block after the reasoning");
    const found = content.trim().slice(0, 200);
    const [side = "", target, ...more] = content.split(/==?/);
    const expression = parse(side);
    if (!expression || more.length > 0) return reject("the last code block does not hold exactly one expression", found);
    const broken = brokenRule(row, expression);
    if (broken !== undefined) return reject(`the expression ${broken}`, found);
    if (target === undefined) return accept(found, `each number is used once and the value is ${metadataInteger(row, "result")}`);
    if (target.trim() !== String(metadataInteger(row, "result")))
      return reject("the last code block does not hold exactly one expression", found);
    return undecided("the question asks for an expression, but this is an equation", found);
  },
  guess: (row, random) => block(guessExpression(metadataIntegers(row, "numbers"), metadataStrings(row, "operators"), random)),
  published(row, response) {
    const text = lastCodeBlock(response, ["python"])?.trim();
    if (text === undefined || !/^[-0-9+*/() ]+$/.test(text)) return false;
    const used = (text.match(/[0-9]+/g) ?? []).map(Number).sort((a, b) => a - b);
    const numbers = [...metadataIntegers(row, "numbers")].sort((a, b) => a - b);
    if (String(used) !== String(numbers)) return false;
    // The published verifier compares the value with itself, so every expression that can be evaluated is accepted.
    if (text.includes("**") || text.includes("//")) return "evaluates";
    const expression = parse(text);
    return expression !== undefined && evaluate(expression, exactly) !== undefined;
  },
};

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

const block = (expression: string) => `\`\`\`python\n${expression}\n\`\`\``;

/** Joins the numbers with random operators, in random order. */
function guessExpression(numbers: readonly number[], operators: readonly string[], random: Random): string {
  const [first, ...rest] = shuffle(random, numbers);
  return rest.reduce((text, number, i) => `${i > 0 ? `(${text})` : text} ${randomChoice(random, operators)} ${number}`, String(first));
}

function question(numbers: readonly number[], operators: readonly string[], result: number, language: Language): string {
  const [list, signs] = [numbers.join(", "), operators.join(" ")];
  if (language === "zh") {
    return `用数字 [${list}] 算出 ${result}。每个数字必须恰好使用一次，只能使用运算符 ${signs} 和括号，除法按精确的分数计算，不能把数字连写成更大的数。

请在回答的最后给出一个 \`\`\`python 代码块，其中只写一个表达式，不写等号，例如（此例与题目的数字无关）：
${block("(1 + 2) * 3")}`;
  }
  return `Make ${result} from the numbers [${list}]. Use each of them exactly once. Only the operators ${signs} and brackets are allowed; division is exact, and numbers must not be written together as a larger one.

End your answer with a \`\`\`python code block that holds one expression and no equals sign, for example (with other numbers):
${block("(1 + 2) * 3")}`;
}
