// Parses and evaluates the options of boolean_expressions.

import { ARITHMETIC, evaluate, exactly, parseExpression } from "../arithmetic/expression.js";
import { compare, type Fraction } from "../arithmetic/fraction.js";
import { type Comparison, comparisonOf, numberOperatorOf } from "./boolean-expressions-text.js";

/** A logical expression. `word` of a comparison is the text between its two terms, such as "is greater than". */
export type Logic =
  | { readonly kind: "constant"; readonly value: boolean }
  | { readonly kind: "fact"; readonly text: string }
  | { readonly kind: "comparison"; readonly left: Fraction; readonly word: string; readonly right: Fraction }
  | { readonly kind: "not"; readonly operand: Logic }
  | { readonly kind: "and" | "or"; readonly operands: readonly Logic[] };

/** The truth value of an expression. Undefined if it depends on something without a truth value. */
export type Truth = boolean | undefined;

const MAX_DEPTH = 40;
/** The words between two operands of a logical operator. */
const JOINT = /^(?:and|or)(?:\s+not)*$/i;
const SIGN_PRECEDENCE = 3;

/** Evaluates an arithmetic term. Returns undefined if the text is not a term or divides by 0. */
export function valueOfTerm(text: string): Fraction | undefined {
  const expression = parseExpression(text, { operators: ARITHMETIC, signPrecedence: SIGN_PRECEDENCE });
  return expression && evaluate(expression, exactly);
}

/**
 * Splits a text at its outermost brackets. Even entries are the texts between brackets, odd entries the contents of brackets. Returns
 * undefined if the brackets are not balanced.
 */
function splitAtBrackets(text: string): string[] | undefined {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "(" && depth++ === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    } else if (char === ")" && --depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
    if (depth < 0 || depth > MAX_DEPTH) return undefined;
  }
  return depth === 0 ? [...parts, text.slice(from).trim()] : undefined;
}

/** Parses an option. Text that is neither a constant, a comparison nor an operation counts as a fact. */
export function parseLogic(text: string): Logic {
  const parts = splitAtBrackets(text.trim());
  if (!parts || parts.length === 1) return atom(text.trim());
  if (parts.at(-1) !== "") return { kind: "fact", text };
  if (parts.length === 5 && parts[0] === "" && !JOINT.test(parts[2]!)) {
    const [left, right] = [valueOfTerm(parts[1]!), valueOfTerm(parts[3]!)];
    return left && right ? { kind: "comparison", left, word: parts[2]!.toLowerCase(), right } : { kind: "fact", text };
  }
  // "not" binds more tightly than "and", and "and" more tightly than "or".
  const alternatives: Logic[][] = [[]];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const words = parts[i]!.toLowerCase().split(/\s+/).filter(Boolean);
    const joint = i === 0 ? undefined : words.shift();
    if ((i > 0 && joint !== "and" && joint !== "or") || words.some((word) => word !== "not")) return { kind: "fact", text };
    if (joint === "or") alternatives.push([]);
    alternatives.at(-1)!.push(negated(parseLogic(parts[i + 1]!), words.length));
  }
  const conjunctions = alternatives.map((operands): Logic => (operands.length === 1 ? operands[0]! : { kind: "and", operands }));
  return conjunctions.length === 1 ? conjunctions[0]! : { kind: "or", operands: conjunctions };
}

function atom(text: string): Logic {
  const [, nots = "", rest = ""] = /^((?:not\s+)*)([\s\S]*)$/.exec(text) ?? [];
  const constant = /^(?:true|false)$/i.exec(rest)?.[0]?.toLowerCase();
  const inner: Logic = constant === undefined ? { kind: "fact", text: rest } : { kind: "constant", value: constant === "true" };
  return negated(inner, nots.split("not").length - 1);
}

function negated(operand: Logic, times: number): Logic {
  return times === 0 ? operand : { kind: "not", operand: negated(operand, times - 1) };
}

/** Determines the truth value of a fact, and of a number that stands in the place of a truth value. */
export interface Reading {
  fact(text: string): Truth;
  number(left: Fraction, word: string, right: Fraction): Truth;
}

/** Evaluates an expression with Kleene's three-valued logic: true, false, and undefined for no truth value. */
export function truthOf(logic: Logic, reading: Reading): Truth {
  switch (logic.kind) {
    case "constant":
      return logic.value;
    case "fact":
      return reading.fact(logic.text);
    case "comparison": {
      const comparison = numberOperatorOf(logic.word) === undefined ? comparisonOf(logic.word) : undefined;
      if (comparison === undefined) return reading.number(logic.left, logic.word, logic.right);
      return compares(compare(logic.left, logic.right), comparison);
    }
    case "not": {
      const operand = truthOf(logic.operand, reading);
      return operand === undefined ? undefined : !operand;
    }
    default: {
      const values = logic.operands.map((operand) => truthOf(operand, reading));
      const decisive = logic.kind === "or";
      if (values.includes(decisive)) return decisive;
      return values.includes(undefined) ? undefined : !decisive;
    }
  }
}

function compares(order: number, comparison: Comparison): boolean {
  switch (comparison) {
    case ">":
      return order > 0;
    case "<":
      return order < 0;
    case ">=":
      return order >= 0;
    case "<=":
      return order <= 0;
    case "=":
      return order === 0;
    default:
      return order !== 0;
  }
}

export function factsIn(logic: Logic): string[] {
  if (logic.kind === "fact") return [logic.text];
  if (logic.kind === "not") return factsIn(logic.operand);
  return logic.kind === "and" || logic.kind === "or" ? logic.operands.flatMap(factsIn) : [];
}

export function comparesNumbers(logic: Logic): boolean {
  if (logic.kind === "not") return comparesNumbers(logic.operand);
  return logic.kind === "comparison" || ((logic.kind === "and" || logic.kind === "or") && logic.operands.some(comparesNumbers));
}
