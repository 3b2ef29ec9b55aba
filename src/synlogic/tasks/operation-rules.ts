// The definitions of the signs in the operation task, and the value of an expression under them.

import { isObject } from "../../base/json.js";
import {
  type Arithmetic,
  type Expression,
  evaluate,
  exactly,
  type Grammar,
  inDoublePrecision,
  parseExpression,
} from "../arithmetic/expression.js";
import { compare, type Fraction, isInteger } from "../arithmetic/fraction.js";
import { metadataError, metadataObject } from "../metadata.js";
import type { Json, Row } from "../row.js";

/** A condition on x and y, and the formula that applies if the condition holds. */
export interface Branch {
  readonly condition: Condition | undefined;
  readonly formula: string;
}

export interface Definition {
  readonly branches: readonly Branch[];
  readonly otherwise: string;
  readonly precedence: number;
}
export type Definitions = ReadonlyMap<string, Definition>;

/** The content of a condition: the order of x and y, or the remainder of x, of y, of both, of one of them, or of their sum. */
export type Condition =
  | { readonly kind: "order"; readonly holds: (order: number) => boolean }
  | {
      readonly kind: "remainder";
      readonly of: "x" | "y" | "both" | "either" | "sum";
      readonly divisor: bigint;
      readonly remainder: bigint;
    };

const ORDERS: readonly (readonly [RegExp, (order: number) => boolean])[] = [
  [/不等于|≠|!=|notequal/, (order) => order !== 0],
  [/大于等于|大于或等于|不小于|>=|≥|atleast/, (order) => order >= 0],
  [/小于等于|小于或等于|不大于|<=|≤|atmost/, (order) => order <= 0],
  [/大于|>|greater/, (order) => order > 0],
  [/小于|<|less/, (order) => order < 0],
  [/等于|=|equal/, (order) => order === 0],
];

/** Parses a condition in Chinese, as in the published metadata, or in English. Returns undefined if it is unknown. */
export function conditionOf(text: string): Condition | undefined {
  const plain = text.replace(/\s+/g, "").toLowerCase();
  const [, ...divisors] = /([0-9]{1,9})(?:的倍数|整除)|(?:multipleof|divisibleby)([0-9]{1,9})/.exec(plain) ?? [];
  const divisor = divisors.find((one) => one !== undefined) ?? (/[奇偶]|even|odd/.test(plain) ? "2" : undefined);
  if (divisor === undefined || Number(divisor) === 0) {
    const order = ORDERS.find(([pattern]) => pattern.test(plain))?.[1];
    return order && { kind: "order", holds: order };
  }
  const remainder = /奇|odd/.test(plain) ? 1n : 0n;
  const of = /x\+y|之和|的和|sum/.test(plain)
    ? "sum"
    : /x.*y/.test(plain)
      ? /或|or(?!d)|either/.test(plain.replace("odd", ""))
        ? "either"
        : "both"
      : plain.includes("x")
        ? "x"
        : "y";
  return { kind: "remainder", of, divisor: BigInt(divisor), remainder };
}

/** A number type in which conditions can be tested. */
interface Numbers<Value> extends Arithmetic<Value> {
  compare(a: Value, b: Value): number;
  /** Converts a value to an integer. Returns undefined if it is not an integer. */
  integer(value: Value): bigint | undefined;
}

export const FRACTIONS: Numbers<Fraction> = { ...exactly, compare, integer: (value) => (isInteger(value) ? value.numerator : undefined) };

const DOUBLES: Numbers<number> = {
  ...inDoublePrecision,
  compare: (a, b) => (Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a)) ? 0 : a - b),
  integer: (value) => (Math.abs(value - Math.round(value)) < 1e-9 && Math.abs(value) < 2 ** 53 ? BigInt(Math.round(value)) : undefined),
};

function holds<Value>(condition: Condition, x: Value, y: Value, numbers: Numbers<Value>): boolean {
  if (condition.kind === "order") return condition.holds(numbers.compare(x, y));
  const { of, divisor, remainder } = condition;
  const fits = (value: Value | undefined) => {
    const integer = value === undefined ? undefined : numbers.integer(value);
    return integer !== undefined && ((integer % divisor) + divisor) % divisor === remainder;
  };
  if (of === "sum") return fits(numbers.apply("+", x, y));
  if (of === "both") return fits(x) && fits(y);
  if (of === "either") return fits(x) || fits(y);
  return fits(of === "x" ? x : y);
}

const POWER_PRECEDENCE = 3;
/** Maximum number of applications of signs in one evaluation. A formula may use other signs, so the number can grow quickly. */
const MAX_APPLICATIONS = 2000;
const MAX_NESTED = 30;

/** Returns the grammar of expressions with signs. @param fromRight whether chains of operators at the level of ** are right-associative */
function grammarOf(definitions: Definitions, fromRight: boolean): Grammar {
  const level = (precedence: number) => ({ precedence, fromRight: fromRight && precedence === POWER_PRECEDENCE });
  const signs = [...definitions].map(([sign, { precedence }]) => [sign, level(precedence)] as const);
  return {
    operators: {
      ...{ "+": level(1), "-": level(1), "*": level(2), "/": level(2), "%": level(2), "**": level(POWER_PRECEDENCE) },
      ...Object.fromEntries(signs),
    },
    names: ["x", "y"],
    signPrecedence: POWER_PRECEDENCE,
    decimals: true,
  };
}

/** Returns the formula that applies for two operands. */
export function formulaFor<Value>(definition: Definition, x: Value, y: Value, numbers: Numbers<Value>): string {
  return definition.branches.find(({ condition }) => condition && holds(condition, x, y, numbers))?.formula ?? definition.otherwise;
}

export function parseOperation(text: string, definitions: Definitions, fromRight = false): Expression | undefined {
  return parseExpression(text, grammarOf(definitions, fromRight));
}

/** Evaluates an expression with signs. Returns undefined if the text is not an expression, has no value, or is too large. */
export function operationValue<Value>(
  text: string,
  definitions: Definitions,
  numbers: Numbers<Value>,
  fromRight = false,
): Value | undefined {
  let applications = 0;
  const parsed = new Map<string, Expression | undefined>();
  function value(of: string, names: { readonly x?: Value; readonly y?: Value }, depth: number): Value | undefined {
    if (depth > MAX_NESTED) return undefined;
    if (!parsed.has(of)) parsed.set(of, parseOperation(of, definitions, fromRight));
    const expression = parsed.get(of);
    return (
      expression &&
      evaluate(expression, {
        ...numbers,
        name: (name) => names[name as "x" | "y"],
        apply(operator, x, y) {
          const definition = definitions.get(operator);
          if (!definition) return numbers.apply(operator, x, y);
          return ++applications > MAX_APPLICATIONS ? undefined : value(formulaFor(definition, x, y, numbers), { x, y }, depth + 1);
        },
      })
    );
  }
  return value(text, {}, 0);
}

/** Evaluates an expression exactly, or in double precision if a power is irrational. */
export function exactOrDouble(text: string, definitions: Definitions, fromRight: boolean): Fraction | number | undefined {
  return operationValue(text, definitions, FRACTIONS, fromRight) ?? operationValue(text, definitions, DOUBLES, fromRight);
}

/** Reads the definitions of a row. The condition of a branch is undefined if it is unknown. */
export function definitionsOf(row: Row): Definitions {
  const entries = Object.entries(metadataObject(row, "symbol_definitions"));
  const error = () => metadataError(row, "symbol_definitions", "signs with conditions, default_operation and precedence");
  const definitions = entries.map(([sign, value]): [string, Definition] => {
    if (!isObject(value) || sign === "" || /[\sA-Za-z0-9()+\-*/%]/.test(sign)) throw error();
    const { conditions = [], default_operation, precedence } = value as Record<string, Json>;
    if (typeof default_operation !== "string" || !Number.isSafeInteger(precedence) || !Array.isArray(conditions)) throw error();
    const branches = conditions.map((one: Json): Branch => {
      const { condition, operation } = (isObject(one) ? one : {}) as Record<string, Json>;
      if (typeof condition !== "string" || typeof operation !== "string") throw error();
      return { condition: conditionOf(condition), formula: operation };
    });
    return [sign, { branches, otherwise: default_operation, precedence: precedence as number }];
  });
  return new Map(definitions);
}
