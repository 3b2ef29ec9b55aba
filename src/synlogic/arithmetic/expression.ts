// Parses and evaluates arithmetic expressions. The caller chooses the infix operators. Long or deeply nested texts are rejected.

import { absolute, add, decimalFraction, divide, type Fraction, modulo, multiply, negate, power, subtract } from "./fraction.js";

export type Expression =
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "negative" | "absolute"; readonly operand: Expression }
  | { readonly kind: "operation"; readonly operator: string; readonly left: Expression; readonly right: Expression };

export interface Operator {
  /** The precedence, an integer. Operators with higher precedence are applied first. */
  readonly precedence: number;
  /** Whether operators of this precedence are right-associative: a ** b ** c is a ** (b ** c). */
  readonly fromRight?: boolean;
}

export interface Grammar {
  readonly operators: Readonly<Record<string, Operator>>;
  /** Names of the variables that an expression may contain (none). */
  readonly names?: readonly string[];
  /**
   * Precedence of a leading minus sign: operators of at least this precedence are applied before the sign. If it is missing, a leading
   * minus sign is a syntax error.
   */
  readonly signPrecedence?: number;
  /** Whether numbers may have a decimal point (false). */
  readonly decimals?: boolean;
}

const MAX_LENGTH = 4000;
const MAX_TOKENS = 500;
const MAX_DEPTH = 40;
const MAX_DIGITS = 15;

/** The operators + - * / % with the usual precedence: * / % before + -. */
export const ARITHMETIC: Readonly<Record<string, Operator>> = {
  "+": { precedence: 1 },
  "-": { precedence: 1 },
  "*": { precedence: 2 },
  "/": { precedence: 2 },
  "%": { precedence: 2 },
};

/**
 * Parses a text as one expression. Returns undefined if the text does not follow the grammar or exceeds 4,000 characters, 500 tokens or 40
 * levels of nesting.
 */
export function parseExpression(text: string, grammar: Grammar): Expression | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const tokens = tokensOf(text, grammar);
  return tokens && new ExpressionParser(tokens, grammar).parse();
}

function tokensOf(text: string, { operators, names = [], decimals = false }: Grammar): string[] | undefined {
  // Longer operators come first, so that `**` is not read as `*` twice.
  const words = [...Object.keys(operators), ...names, "Abs", "(", ")", "-"].sort((a, b) => b.length - a.length);
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const token = words.find((word) => text.startsWith(word, at)) ?? /^[0-9]+(?:\.[0-9]+)?/.exec(text.slice(at, at + 40))?.[0];
    if (token === undefined || tokens.push(token) > MAX_TOKENS) return undefined;
    if (/^[0-9]/.test(token) && (token.length > MAX_DIGITS || /^0[0-9]/.test(token) || (!decimals && token.includes("."))))
      return undefined;
    at += token.length;
  }
  return tokens;
}

class ExpressionParser {
  private at = 0;

  constructor(
    private readonly tokens: readonly string[],
    private readonly grammar: Grammar,
  ) {}

  parse(): Expression | undefined {
    const expression = this.operation(Number.NEGATIVE_INFINITY, 0);
    return this.at === this.tokens.length ? expression : undefined;
  }

  /** Parses operands joined by operators of at least the given precedence. */
  private operation(least: number, depth: number): Expression | undefined {
    if (depth > MAX_DEPTH) return undefined;
    let left = this.operand(depth);
    while (left) {
      const operator = this.tokens[this.at] ?? "";
      const entry = Object.hasOwn(this.grammar.operators, operator) ? this.grammar.operators[operator]! : undefined;
      if (!entry || entry.precedence < least) return left;
      this.at++;
      const right = this.operation(entry.fromRight ? entry.precedence : entry.precedence + 1, depth + 1);
      left = right && { kind: "operation", operator, left, right };
    }
    return undefined;
  }

  private operand(depth: number): Expression | undefined {
    const token = this.tokens[this.at++];
    if (token === undefined) return undefined;
    if (/^[0-9]/.test(token)) return { kind: "number", text: token };
    if (this.grammar.names?.includes(token)) return { kind: "name", name: token };
    if (token === "(") return this.closed(depth);
    if (token === "Abs" && this.tokens[this.at++] === "(") {
      const operand = this.closed(depth);
      return operand && { kind: "absolute", operand };
    }
    if (token === "-" && this.grammar.signPrecedence !== undefined) {
      const operand = this.operation(this.grammar.signPrecedence, depth + 1);
      return operand && { kind: "negative", operand };
    }
    return undefined;
  }

  private closed(depth: number): Expression | undefined {
    const inner = this.operation(Number.NEGATIVE_INFINITY, depth + 1);
    return this.tokens[this.at++] === ")" ? inner : undefined;
  }
}

/** The number type in which an expression is evaluated. An operation returns undefined if it has no value, such as a division by 0. */
export interface Arithmetic<Value> {
  number(text: string): Value;
  name?(name: string): Value | undefined;
  apply(operator: string, left: Value, right: Value): Value | undefined;
  negative(value: Value): Value;
  absolute(value: Value): Value;
}

/** Evaluates an expression. Returns undefined if an operation has no value. */
export function evaluate<Value>(expression: Expression, arithmetic: Arithmetic<Value>): Value | undefined {
  switch (expression.kind) {
    case "number":
      return arithmetic.number(expression.text);
    case "name":
      return arithmetic.name?.(expression.name);
    case "operation": {
      const left = evaluate(expression.left, arithmetic);
      const right = left === undefined ? undefined : evaluate(expression.right, arithmetic);
      return left === undefined || right === undefined ? undefined : arithmetic.apply(expression.operator, left, right);
    }
    default: {
      const operand = evaluate(expression.operand, arithmetic);
      return operand === undefined ? undefined : arithmetic[expression.kind](operand);
    }
  }
}

/** Exact evaluation in fractions, with `+ - * / % **`. */
export const exactly: Arithmetic<Fraction> = {
  number: decimalFraction,
  apply(operator, left, right) {
    switch (operator) {
      case "+":
        return add(left, right);
      case "-":
        return subtract(left, right);
      case "*":
        return multiply(left, right);
      case "/":
        return divide(left, right);
      case "%":
        return modulo(left, right);
      case "**":
        return power(left, right);
      default:
        return undefined;
    }
  },
  negative: negate,
  absolute,
};

/** Evaluation in double precision, with `+ - * / % **`. A non-finite result counts as no value. */
export const inDoublePrecision: Arithmetic<number> = {
  number: Number,
  apply(operator, left, right) {
    const value = doubleOperation(operator, left, right);
    return Number.isFinite(value) ? value : undefined;
  },
  negative: (value) => -value,
  absolute: Math.abs,
};

function doubleOperation(operator: string, left: number, right: number): number {
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    case "%":
      return left - right * Math.floor(left / right);
    case "**":
      return left ** right;
    default:
      return Number.NaN;
  }
}

/** Returns the numbers of an expression, from left to right. */
export function numbersOf(expression: Expression): string[] {
  if (expression.kind === "number") return [expression.text];
  if (expression.kind === "name") return [];
  if (expression.kind === "operation") return [...numbersOf(expression.left), ...numbersOf(expression.right)];
  return numbersOf(expression.operand);
}

/** Returns the operators of an expression, from left to right. A leading minus sign counts as `-`. */
export function operatorsOf(expression: Expression): string[] {
  if (expression.kind === "operation") return [...operatorsOf(expression.left), expression.operator, ...operatorsOf(expression.right)];
  if (expression.kind === "negative") return ["-", ...operatorsOf(expression.operand)];
  return expression.kind === "absolute" ? operatorsOf(expression.operand) : [];
}
