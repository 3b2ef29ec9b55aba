/** A fraction as numerator and denominator. */
type Fraction = readonly [number, number];

const operations: Readonly<Record<string, (a: Fraction, b: Fraction) => Fraction | undefined>> = {
  "+": ([a, b], [c, d]) => [a * d + c * b, b * d],
  "-": ([a, b], [c, d]) => [a * d - c * b, b * d],
  "*": ([a, b], [c, d]) => [a * c, b * d],
  "/": ([a, b], [c, d]) => (c === 0 ? undefined : [a * d, b * c]),
};

/** Maximum number of symbols of an expression. No answer needs more, and the limit bounds the depth of the recursion. */
const MAX_EXPRESSION_SYMBOLS = 64;

/** The numbers of an expression of integers, + - * / and parentheses, and its exact value. */
export interface Expression {
  readonly numbers: readonly number[];
  readonly value: Fraction;
}

/**
 * Parses an expression and computes its value. The grammar is `sum = product {("+" | "-") product}`, `product = atom {("*" | "/") atom}`,
 * `atom = number | "(" sum ")"`.
 *
 * Returns undefined for any other text, such as signs, powers, decimals or text before or after the expression, and for a division by zero.
 */
export function parseExpression(text: string): Expression | undefined {
  const symbols = text.match(/\d+|\S/g) ?? [];
  if (symbols.length > MAX_EXPRESSION_SYMBOLS) return undefined;
  const numbers: number[] = [];
  let next = 0;

  const chain = (operators: string, part: () => Fraction | undefined) => (): Fraction | undefined => {
    let value = part();
    while (value && next < symbols.length && operators.includes(symbols[next]!)) {
      const operation = operations[symbols[next++]!]!;
      const right = part();
      value = right && operation(value, right);
    }
    return value;
  };
  const atom = (): Fraction | undefined => {
    const symbol = symbols[next++] ?? "";
    if (/^\d+$/.test(symbol)) {
      numbers.push(Number(symbol));
      return [Number(symbol), 1];
    }
    if (symbol !== "(") return undefined;
    const value = sum();
    return symbols[next++] === ")" ? value : undefined;
  };
  const product = chain("*/", atom);
  const sum = chain("+-", product);

  const value = sum();
  return value && next === symbols.length ? { numbers, value } : undefined;
}
