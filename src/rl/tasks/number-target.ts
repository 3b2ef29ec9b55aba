import { drawUntil, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import { parseExpression } from "./parse-expression.js";
import { levelSettings, type Task } from "./task.js";

/** The numbers to combine, and the target. */
export interface NumberTarget {
  readonly numbers: readonly number[];
  readonly target: number;
}

/** Per level: the number of given numbers, and the maximum number of lines of the search. */
const levels = [
  { count: 3, fewest: 1, most: 4 },
  { count: 3, fewest: 5, most: 12 },
  { count: 4, fewest: 1, most: 15 },
];

/** Given numbers are within [1, 12], targets within [10, 60]. */
const MAX_GIVEN_NUMBER = 12;
const MIN_TARGET = 10;
const MAX_TARGET = 60;

interface Search {
  /** The attempts of the search, one per line. */
  readonly lines: readonly string[];
  /** The solution: an expression whose value is the target, and its evaluation with one line per operation. */
  readonly found?: { readonly expression: string; readonly check: readonly string[] };
}

/** Whether the search continues from an intermediate value. The steps write x for all other values. */
const isUseful = (value: number) => Number.isInteger(value) && value >= 0 && value < 100;
const formatValue = (value: number) => (isUseful(value) ? String(value) : "x");

/** Returns the results of the four operations on two numbers. The larger number is the left operand. */
function results(a: number, b: number): { text: string; value: number }[] {
  const [large, small] = a >= b ? [a, b] : [b, a];
  const values = { "+": large + small, "-": large - small, "*": large * small, "/": large / small };
  return Object.entries(values).map(([operator, value]) => ({ text: `${large} ${operator} ${small}`, value }));
}

/** Returns the values that give the target if `last` is added to, subtracted from, or multiplied with them. */
function neededValues(target: number, last: number) {
  return [
    { text: `${target} / ${last}`, value: target / last, operator: "*" },
    { text: `${target} - ${last}`, value: target - last, operator: "+" },
    { text: `${target} + ${last}`, value: target + last, operator: "-" },
  ];
}

/**
 * Searches backwards from the target. Takes each number as the last operand, and searches the other numbers for the value that is needed
 * before the last operation.
 */
function search(numbers: readonly number[], target: number): Search {
  const lines: string[] = [];
  for (const [index, last] of numbers.entries()) {
    const others = numbers.toSpliced(index, 1);
    const pair = others.length === 2 ? results(others[0]!, others[1]!) : undefined;
    lines.push(`last ${last} : ${others.join(" ")}${pair ? ` : ${pair.map(({ value }) => formatValue(value)).join(" ")}` : ""}`);
    for (const { text, value, operator } of neededValues(target, last)) {
      const match = pair?.find((result) => isUseful(value) && result.value === value);
      const inner = pair || !isUseful(value) ? undefined : search(others, value);
      lines.push(`${text} = ${formatValue(value)}${match ? " yes" : inner ? "" : " no"}`, ...(inner?.lines ?? []));
      const found = match ? { expression: match.text, check: [`${match.text} = ${value}`] } : inner?.found;
      if (found) {
        const expression = `( ${found.expression} ) ${operator} ${last}`;
        return { lines, found: { expression, check: [...found.check, `${value} ${operator} ${last} = ${target}`] } };
      }
    }
  }
  return { lines };
}

/**
 * Make a target from all numbers, each used once, with + - * / (SynLogic's `game_of_24`, whose published verifier does not check the
 * target). A backward search from the target solves every instance within a few lines. Any right expression is accepted.
 */
export const numberTarget: Task<NumberTarget> = {
  name: "number-target",
  levels: levels.length,

  generate(random, level) {
    const { count, fewest, most } = levelSettings(this.name, levels, level);
    return drawUntil(
      () => ({
        numbers: Array.from({ length: count }, () => randomInteger(random, 1, MAX_GIVEN_NUMBER)),
        target: randomInteger(random, MIN_TARGET, MAX_TARGET),
      }),
      ({ numbers, target }) => {
        const { lines, found } = search(numbers, target);
        return found !== undefined && lines.length >= fewest && lines.length <= most;
      },
    );
  },

  question: ({ numbers, target }) => `Make ${target} from ${numbers.join(" ")}`,

  solve({ numbers, target }) {
    const { lines, found } = search(numbers, target);
    return { thinking: [...lines, ...(found?.check ?? [])].join("\n"), answer: found?.expression ?? "none" };
  },

  verify({ numbers, target }, answer) {
    const given = parseExpression(answer);
    const inOrder = (list: readonly number[]) => list.toSorted((a, b) => a - b).join(" ");
    return given !== undefined && inOrder(given.numbers) === inOrder(numbers) && given.value[0] === target * given.value[1];
  },

  guess({ numbers }, random) {
    const [first, ...others] = shuffle(random, numbers);
    return others.reduce(
      (inner, number, index) => `${index === 0 ? inner : `( ${inner} )`} ${randomChoice(random, "+-*/")} ${number}`,
      String(first),
    );
  },
};
