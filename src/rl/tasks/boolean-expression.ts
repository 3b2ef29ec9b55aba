import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, randomChoice, randomInteger } from "../../base/random-draws.js";
import { levelSettings, type Task } from "./task.js";

/** Three expressions of T, F, and, or, not. At least one of them is true. */
export interface BooleanExpression {
  readonly options: readonly string[];
}

const letters = ["A", "B", "C"] as const;

/** Number of operators per expression on each level. */
const levels = [
  { fewest: 1, most: 2 },
  { fewest: 2, most: 3 },
  { fewest: 3, most: 4 },
];

/** Draws an expression whose binary operations are all in parentheses. */
function drawBracketed(random: Random, operators: number): string {
  if (operators === 0) return randomChoice(random, ["T", "F"]);
  if (randomBoolean(random, 0.3)) return `not ${drawBracketed(random, operators - 1)}`;
  const left = randomInteger(random, 0, operators - 1);
  return `( ${drawBracketed(random, left)} ${randomChoice(random, ["and", "or"])} ${drawBracketed(random, operators - 1 - left)} )`;
}

function drawExpression(random: Random, operators: number): string {
  const text = drawBracketed(random, operators);
  return text.startsWith("(") ? text.slice(2, -2) : text;
}

/** Replaces the first operation on truth values by its result. */
export function reduceOnce(text: string): string {
  return text.replace(/\( ([TF]) (and|or) ([TF]) \)|not ([TF])|^([TF]) (and|or) ([TF])$/, (part) => {
    const truths = part.match(/T/g)?.length ?? 0;
    if (part.startsWith("not")) return truths ? "F" : "T";
    return truths === 2 || (truths === 1 && part.includes("or")) ? "T" : "F";
  });
}

/** Returns the expression before and after each reduction step, down to a single value. */
function reductions(text: string): string[] {
  return text.length === 1 ? [text] : [text, ...reductions(reduceOnce(text))];
}

const isTrue = (text: string) => reductions(text).at(-1) === "T";

const trueLetters = ({ options }: BooleanExpression) => letters.filter((_, index) => isTrue(options[index]!));

/**
 * Find which of three expressions are true (SynLogic's `boolean_expressions`, symbols only). Each expression is true with the same
 * probability, so that the seven answers have similar probabilities.
 */
export const booleanExpression: Task<BooleanExpression> = {
  name: "boolean-expression",
  levels: levels.length,

  generate(random, level) {
    const { fewest, most } = levelSettings(this.name, levels, level);
    const truths = drawUntil(
      () => letters.map(() => randomBoolean(random)),
      (drawn) => drawn.includes(true),
    );
    const options = truths.map((truth) =>
      drawUntil(
        () => drawExpression(random, randomInteger(random, fewest, most)),
        (drawn) => isTrue(drawn) === truth,
      ),
    );
    return { options };
  },

  question: ({ options }) => `Which are true ? ${letters.map((letter, index) => `${letter} : ${options[index]}`).join(" ; ")}`,

  solve(instance) {
    const lines = letters.map((letter, index) => `${letter} : ${reductions(instance.options[index]!).join(" = ")}`);
    return { thinking: lines.join("\n"), answer: trueLetters(instance).join(" ") };
  },

  verify(instance, answer) {
    const given = answer.replace(/[\s,]/g, "");
    return given.length <= letters.length && [...given].sort().join("") === trueLetters(instance).join("");
  },

  guess: (_, random) =>
    drawUntil(
      () => letters.filter(() => randomBoolean(random)),
      (drawn) => drawn.length > 0,
    ).join(" "),
};
