import type { Value } from "./evaluate.ts";
import { ExpressionError } from "./lexer.ts";

type Fn = (...args: never[]) => Value;

const FUNCTIONS: Readonly<Record<string, { readonly run: Fn; readonly least: number; readonly most: number }>> = {
  abs: { run: (x: number) => Math.abs(x), least: 1, most: 1 },
  min: { run: (...xs: number[]) => Math.min(...xs), least: 1, most: Infinity },
  max: { run: (...xs: number[]) => Math.max(...xs), least: 1, most: Infinity },
  /** Rounds half away from zero, to a number of digits. */
  round: { run: (x: number, digits = 0) => (Math.sign(x) * Math.round(Math.abs(x) * 10 ** digits)) / 10 ** digits, least: 1, most: 2 },
  clamp: { run: (x: number, low: number, high: number) => Math.min(Math.max(x, low), high), least: 3, most: 3 },
  sum: { run: (list: number[]) => list.reduce((a, b) => a + b, 0), least: 1, most: 1 },
  mean: { run: (list: number[]) => (list.length === 0 ? null : list.reduce((a, b) => a + b, 0) / list.length), least: 1, most: 1 },
  upper: { run: (text: string) => text.toUpperCase(), least: 1, most: 1 },
  contains: { run: (list: string | Value[], item: string) => list.includes(item), least: 2, most: 2 },
  join: { run: (list: Value[], separator = ",") => list.join(separator), least: 1, most: 2 },
};

export function callFunction(name: string, args: readonly Value[], at: number): Value {
  if (!Object.hasOwn(FUNCTIONS, name)) throw new ExpressionError(`unknown function ${name}`, at);
  const { run, least, most } = FUNCTIONS[name]!;
  if (args.length < least || args.length > most) {
    const expected = least === most ? `${least}` : most === Infinity ? `at least ${least}` : `${least} to ${most}`;
    throw new ExpressionError(`${name}: expected ${expected} arguments, got ${args.length}`, at);
  }
  return run(...(args as never[]));
}
