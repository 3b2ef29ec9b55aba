import type { Expression } from "./ast.ts";
import { callFunction } from "./functions.ts";
import { ExpressionError } from "./lexer.ts";
import { parse } from "./parser.ts";

export type Value = number | string | boolean | null | readonly Value[] | { readonly [key: string]: Value };
export type Scope = Readonly<Record<string, Value>>;

/** Computes an expression, or its source, with the variables of a scope. */
export function evaluate(expression: Expression | string, scope: Scope = {}): Value {
  const tree = typeof expression === "string" ? parse(expression) : expression;
  switch (tree.type) {
    case "literal":
      return tree.value;
    case "name":
      if (!Object.hasOwn(scope, tree.name)) throw new ExpressionError(`unknown name ${tree.name}`, tree.at);
      return scope[tree.name]!;
    case "unary":
      return tree.operator === "!" ? !isTruthy(evaluate(tree.operand, scope)) : -toNumber(evaluate(tree.operand, scope));
    case "binary":
      return binary(tree.operator, tree.left, tree.right, scope);
    case "conditional":
      return evaluate(isTruthy(evaluate(tree.test, scope)) ? tree.yes : tree.no, scope);
    case "call":
      return callFunction(tree.name, tree.args.map((arg) => evaluate(arg, scope)), tree.at);
    case "member":
      return member(evaluate(tree.object, scope), evaluate(tree.key, scope));
    case "list":
      return tree.items.map((item) => evaluate(item, scope));
  }
}

function binary(operator: string, left: Expression, right: Expression, scope: Scope): Value {
  const a = evaluate(left, scope);
  // The right side is computed only if it matters, and the result is one of the operands.
  if (operator === "&&") return isTruthy(a) ? evaluate(right, scope) : a;
  if (operator === "||") return isTruthy(a) ? a : evaluate(right, scope);
  const b = evaluate(right, scope);
  switch (operator) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "+":
      return typeof a === "string" || typeof b === "string" ? String(a) + String(b) : toNumber(a) + toNumber(b);
    case "-":
      return toNumber(a) - toNumber(b);
    case "*":
      return toNumber(a) * toNumber(b);
    case "/":
      return toNumber(a) / toNumber(b);
    case "%":
      return modulo(toNumber(a), toNumber(b));
    case "**":
      return toNumber(a) ** toNumber(b);
    default:
      return compare(operator, a, b);
  }
}

/** The remainder has the sign of the divisor. */
function modulo(a: number, b: number): number {
  const remainder = a % b;
  return remainder !== 0 && remainder < 0 !== b < 0 ? remainder + b : remainder;
}

function compare(operator: string, a: Value, b: Value): boolean {
  const [x, y] = typeof a === "string" && typeof b === "string" ? [a, b] : [toNumber(a), toNumber(b)];
  switch (operator) {
    case "<":
      return x < y;
    case "<=":
      return x <= y;
    case ">":
      return x > y;
    default:
      return x >= y;
  }
}

function member(object: Value, key: Value): Value {
  if (Array.isArray(object) || typeof object === "string") {
    if (key === "length") return object.length;
    const at = toNumber(key);
    // Negative positions count from the end.
    return object[at < 0 ? object.length + at : at] ?? null;
  }
  if (typeof object !== "object" || object === null) throw new TypeError(`no member ${String(key)} of ${String(object)}`);
  const name = String(key);
  return Object.hasOwn(object, name) ? (object as Scope)[name]! : null;
}

/** Everything is true except false, null, 0, the empty text and the empty list. */
export function isTruthy(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== false && value !== null && value !== 0 && value !== "";
}

function toNumber(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  throw new TypeError(`not a number: ${JSON.stringify(value)}`);
}
