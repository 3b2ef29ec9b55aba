import { drawUntil, randomChoice, randomInteger } from "../../base/random-draws.js";
import { levelSettings, type Task } from "./task.js";

/** Numbers and the operators + - *, separated by single spaces. */
export interface ArithmeticChain {
  readonly expression: string;
}

/** Number of operands on each level. */
const levels = [
  { fewest: 3, most: 4 },
  { fewest: 4, most: 5 },
  { fewest: 6, most: 7 },
];

/** Upper bound of all intermediate values; the lower bound is 0. */
const MAX_INTERMEDIATE_VALUE = 20;

const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
};

/** Replaces the first product or, if there is none, the first sum or difference, by its value. */
function computeOnce(expression: string): string {
  const first = expression.includes("*") ? /(\d+) (\*) (\d+)/ : /^(-?\d+) ([+-]) (\d+)/;
  return expression.replace(first, (_, a: string, operator: string, b: string) => String(operations[operator]!(Number(a), Number(b))));
}

/** Returns the expression before and after each reduction step, down to a single number. */
function reductions(expression: string): string[] {
  return expression.includes(" ") ? [expression, ...reductions(computeOnce(expression))] : [expression];
}

const isWithinRange = (symbol: string) => symbol in operations || (Number(symbol) >= 0 && Number(symbol) <= MAX_INTERMEDIATE_VALUE);

/** Compute a chain of + - * step by step, products first. All intermediate values are within [0, 20]. */
export const arithmeticChain: Task<ArithmeticChain> = {
  name: "arithmetic-chain",
  levels: levels.length,

  generate(random, level) {
    const { fewest, most } = levelSettings(this.name, levels, level);
    const count = randomInteger(random, fewest, most);
    const draw = () =>
      Array.from({ length: count - 1 }, () => `${randomInteger(random, 1, 9)} ${randomChoice(random, "++--*")} `).join("") +
      randomInteger(random, 1, 9);
    return { expression: drawUntil(draw, (drawn) => reductions(drawn).every((line) => line.split(" ").every(isWithinRange))) };
  },

  question: ({ expression }) => `Compute ${expression}`,

  solve({ expression }) {
    const lines = reductions(expression);
    return { thinking: lines.join("\n= "), answer: lines.at(-1)! };
  },

  verify: ({ expression }, answer) => answer.trim() === reductions(expression).at(-1),

  guess: (_, random) => String(randomInteger(random, 0, MAX_INTERMEDIATE_VALUE)),
};
