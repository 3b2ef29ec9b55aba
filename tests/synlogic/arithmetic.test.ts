import { describe, expect, test } from "vitest";
import { Random } from "../../src/base/random.js";
import {
  ARITHMETIC,
  evaluate,
  exactly,
  inDoublePrecision,
  numbersOf,
  operatorsOf,
  parseExpression,
} from "../../src/synlogic/arithmetic/expression.js";
import { decimalFraction, floor, fraction, modulo, power, printedFraction } from "../../src/synlogic/arithmetic/fraction.js";
import { isNumber, parseNumberAnswer } from "../../src/synlogic/arithmetic/number-answer.js";

const GRAMMAR = { operators: { ...ARITHMETIC, "**": { precedence: 3, fromRight: true } }, signPrecedence: 3 };

function value(text: string) {
  const expression = parseExpression(text, GRAMMAR);
  const result = expression && evaluate(expression, exactly);
  return result && printedFraction(result);
}

describe("fractions", () => {
  test("floor and remainder have Python's signs", () => {
    for (const [a, b, remainder] of [
      [7, 3, "1"],
      [-7, 3, "2"],
      [7, -3, "-2"],
      [-7, -3, "-1"],
      [6, 3, "0"],
      [-6, 3, "0"],
    ] as const) {
      expect(printedFraction(modulo(fraction(a), fraction(b))!)).toBe(remainder);
      expect(Number(floor(fraction(a, b)))).toBe(Math.floor(a / b));
    }
    expect(printedFraction(modulo(decimalFraction("5.5"), fraction(2))!)).toBe("3/2");
    expect(modulo(fraction(1), fraction(0))).toBeUndefined();
  });

  test("powers that are too large, fractional or of zero are refused", () => {
    expect(printedFraction(power(fraction(2, 3), fraction(-3))!)).toBe("27/8");
    expect(printedFraction(power(fraction(-1), fraction(10n ** 30n + 1n))!)).toBe("-1");
    expect(printedFraction(power(fraction(0), fraction(0))!)).toBe("1");
    expect(power(fraction(9), fraction(9 ** 9))).toBeUndefined();
    expect(power(fraction(2), fraction(1, 2))).toBeUndefined();
    expect(power(fraction(0), fraction(-1))).toBeUndefined();
  });
});

describe("expressions", () => {
  test("precedence, signs and brackets", () => {
    expect(value("2 + 3 * 4")).toBe("14");
    expect(value("8 - 3 - 2")).toBe("3");
    expect(value("2 ** 3 ** 2")).toBe("512");
    expect(value("-2 ** 2")).toBe("-4");
    expect(value("2 ** -1")).toBe("1/2");
    expect(value("-(1 - 3) * -4")).toBe("-8");
    expect(value("Abs(2 - 5) % 2")).toBe("1");
    expect(value("6 / 4 * 2")).toBe("3");
    expect(value("1 / (2 - 2)")).toBeUndefined();
  });

  test.each(["", "1 +", "1 2", "(1", "1)", "()", "01", "1.5", "1 // 2", "１ + 1", "x + 1", "1 + 1 = 2", "+1", "2(3)", "1e3", "__import__"])(
    "refuses %j",
    (text) => expect(parseExpression(text, GRAMMAR)).toBeUndefined(),
  );

  test("deep and long texts are refused, not overflowed", () => {
    const nested = (depth: number) => `${"(".repeat(depth)}1${")".repeat(depth)}`;
    expect(value(nested(30))).toBe("1");
    for (const text of [
      nested(100),
      nested(10_000),
      `${"-".repeat(3000)}1`,
      "2**".repeat(1000) + 2,
      "1+".repeat(1900) + 1,
      "9".repeat(16),
    ]) {
      expect(parseExpression(text, GRAMMAR)).toBeUndefined();
    }
  });

  test("both arithmetics agree with JavaScript on random expressions", () => {
    const random = Random.seeded(1);
    const draw = (depth: number): { readonly text: string; readonly expected: number } => {
      if (depth === 0 || random.next() < 0.2) {
        const expected = Math.floor(random.next() * 20);
        return { text: String(expected), expected };
      }
      const [a, b, sign] = [draw(depth - 1), draw(depth - 1), "+-*/"[Math.floor(random.next() * 4)]!];
      const results = {
        "+": a.expected + b.expected,
        "-": a.expected - b.expected,
        "*": a.expected * b.expected,
        "/": a.expected / b.expected,
      };
      return { text: `(${a.text} ${sign} ${b.text})`, expected: results[sign as keyof typeof results] };
    };
    for (let i = 0; i < 300; i++) {
      const { text, expected } = draw(4);
      const expression = parseExpression(text, GRAMMAR)!;
      const [exact, double] = [evaluate(expression, exactly), evaluate(expression, inDoublePrecision)];
      expect(exact !== undefined, text).toBe(double !== undefined);
      if (exact) expect(Number(exact.numerator) / Number(exact.denominator), text).toBeCloseTo(expected, 6);
      expect(numbersOf(expression).join()).toBe(text.match(/[0-9]+/g)!.join());
      expect(operatorsOf(expression).join("")).toBe((text.match(/[-+*/]/g) ?? []).join(""));
    }
  });
});

describe("numbers in answers", () => {
  test.each([
    ["-9", "-9"],
    ["−9", "-9"],
    ["+7", "7"],
    ["1,234,567", "1234567"],
    ["0.50", "1/2"],
    ["22/4", "11/2"],
    ["\\frac{100}{9}", "100/9"],
    ["-\\dfrac{1}{3}", "-1/3"],
    ["\\frac{-1}{3}", "-1/3"],
  ])("reads %j", (text, expected) => expect(printedFraction(parseNumberAnswer(text)!.value)).toBe(expected));

  test.each(["", "nan", "1e5", "9**9", "1/0", "x = 3", "３", "1 2", "--1", "1.", ".5", "9".repeat(5000), "\\frac{1}{2}{3}", "1,23"])(
    "refuses %j",
    (text) => expect(parseNumberAnswer(text)).toBeUndefined(),
  );

  test("rounding is accepted with four decimals, left open with fewer, and never for an integer", () => {
    const is = (text: string, top: number, bottom = 1) => isNumber(parseNumberAnswer(text)!, fraction(top, bottom));
    expect(is("11.1111", 100, 9)).toBe(true);
    expect(is("0.66666", 2, 3)).toBe(true);
    expect(is("0.66667", 2, 3)).toBe(true);
    expect(is("0.66668", 2, 3)).toBe(false);
    expect(is("11.11", 100, 9)).toBeUndefined();
    expect(is("11", 100, 9)).toBe(false);
    expect(is("6.00001", 6)).toBe(false);
    expect(is("6.0", 6)).toBe(true);
    expect(is("-2.5", -5, 2)).toBe(true);
  });
});
