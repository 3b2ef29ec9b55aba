import { drawUntil, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import { parseExpression } from "./parse-expression.js";
import { levelSettings, type Task } from "./task.js";

/** An expression of digits, blanks `_` and the operators + - *, separated by single spaces, and its value. */
export interface MathPath {
  readonly expression: string;
  readonly value: number;
}

/** Per level: the number of operators and of hidden digits, and the maximum number of lines of the solution. */
const levels = [
  { operators: 2, hidden: 1, lines: 4 },
  { operators: 3, hidden: 2, lines: 12 },
  { operators: 4, hidden: 2, lines: 14 },
];

const MAX_VALUE = 60;

const evaluate = (expression: string) => parseExpression(expression)!.value[0];

/**
 * Simplifies an equation with one blank by one step: multiplies known factors, adds known terms at the front, moves the last or the first
 * term to the right, or divides.
 *
 * @returns the simpler equation; the equation itself if it has the form `_ = digit`; undefined if no digit solves it
 */
function simplify(equation: string): string | undefined {
  const [left, right] = equation.split(" = ") as [string, string];
  const value = Number(right);
  if (left === "_") return value >= 1 && value <= 9 ? equation : undefined;
  const known = /\d+ \* \d+/.exec(left)?.[0] ?? /^\d+ [-+] \d+\b(?! \*)/.exec(left)?.[0];
  if (known) return `${left.replace(known, String(evaluate(known)))} = ${right}`;
  const last = /^(.*_.*) ([-+]) (\d+)$/.exec(left);
  if (last) return `${last[1]} = ${last[2] === "+" ? value - Number(last[3]) : value + Number(last[3])}`;
  const first = /^(\d+) ([-+]) (.*)$/.exec(left);
  if (first) return `${first[3]} = ${first[2] === "+" ? value - Number(first[1]) : Number(first[1]) - value}`;
  const [, before, rest, after] = /^(?:(\d+) \* )?(.*?)(?: \* (\d+))?$/.exec(left)!;
  const factor = Number(before ?? after);
  if (value % factor !== 0) return undefined;
  return `${before !== undefined && after !== undefined ? `${rest} * ${after}` : rest} = ${value / factor}`;
}

/** Returns the equations from one with a single blank down to `_ = digit`. The last line is "no" if no digit solves it. */
function solveBlank(equation: string): string[] {
  const next = simplify(equation);
  if (next === equation) return [equation];
  return [equation, ...(next === undefined ? ["no"] : solveBlank(next))];
}

interface Search {
  readonly lines: readonly string[];
  /** The expression with all digits filled in. Undefined if there is no solution. */
  readonly found: string | undefined;
}

/** Tries digits for all blanks except the last one, whose digit follows from the value. */
function search({ expression, value }: MathPath): Search {
  const blanks = expression.split("_").length - 1;
  if (blanks === 1) {
    const lines = solveBlank(`${expression} = ${value}`);
    const digit = lines.at(-1)!.slice("_ = ".length);
    return { lines, found: lines.at(-1) === "no" ? undefined : expression.replace("_", digit) };
  }
  const lines: string[] = [];
  for (let digit = 1; digit <= 9; digit++) {
    const inner = search({ expression: expression.replace("_", String(digit)), value });
    lines.push(...inner.lines);
    if (inner.found !== undefined) return { lines, found: inner.found };
  }
  return { lines, found: undefined };
}

/**
 * Find the hidden digits of an expression with a known value (SynLogic's `math_path`, with the operators + - * and the digits 1 to 9). The
 * steps try the digits of the first blank, and simplify the equation until the last blank stands alone.
 */
export const mathPath: Task<MathPath> = {
  name: "math-path",
  levels: levels.length,

  generate(random, level) {
    const { operators, hidden, lines } = levelSettings(this.name, levels, level);
    const draw = (): MathPath => {
      const digits = Array.from({ length: operators + 1 }, () => randomInteger(random, 1, 9));
      const signs = Array.from({ length: operators }, () => randomChoice(random, "+-*"));
      const blanks = shuffle(random, digits.keys()).slice(0, hidden);
      const write = (show: (digit: number, index: number) => string) =>
        digits.map((digit, index) => (index === 0 ? show(digit, index) : `${signs[index - 1]} ${show(digit, index)}`)).join(" ");
      return {
        expression: write((digit, index) => (blanks.includes(index) ? "_" : String(digit))),
        value: evaluate(write(String)),
      };
    };
    return drawUntil(draw, (drawn) => {
      if (drawn.value < 0 || drawn.value > MAX_VALUE) return false;
      const found = search(drawn);
      // The notation allows neither negative numbers nor numbers of three digits.
      return found.found !== undefined && found.lines.length <= lines && !/-\d|\d{3}/.test(found.lines.join("\n"));
    });
  },

  question: ({ expression, value }) => `Fill the blanks with 1 to 9 : ${expression} = ${value}`,

  solve(instance) {
    const { lines, found } = search(instance);
    return { thinking: lines.join("\n"), answer: found === undefined ? "none" : `${found} = ${instance.value}` };
  },

  /** Accepts all digits that give the value. */
  verify({ expression, value }, answer) {
    const given = answer.replace(/\s/g, "");
    const pattern = `${expression.replaceAll(" ", "")}=${value}`;
    if (given.length !== pattern.length) return false;
    const matches = [...pattern].every((symbol, index) => (symbol === "_" ? /[1-9]/.test(given[index]!) : given[index] === symbol));
    return matches && evaluate(given.split("=")[0]!) === value;
  },

  guess: ({ expression, value }, random) => `${expression.replace(/_/g, () => String(randomInteger(random, 1, 9)))} = ${value}`,
};
