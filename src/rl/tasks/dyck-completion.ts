import { drawUntil, randomChoice, randomInteger } from "../../base/random-draws.js";
import { closers, correctBrackets, formatStep, readBracket } from "./brackets.js";
import { levelSettings, type Task } from "./task.js";

/** The given brackets. Some of them are still open. */
export interface DyckCompletion {
  readonly brackets: readonly string[];
}

/** Number of given brackets on each level. */
const levels = [
  { shortest: 5, longest: 7 },
  { shortest: 7, longest: 9 },
  { shortest: 10, longest: 12 },
];

/**
 * Close all open brackets (SynLogic's `dyck_language`; the answer contains only the missing closers and is unique).
 * Each step reads one bracket. An opener adds its closer to the front of the pending closers; a closer removes the first of them.
 */
export const dyckCompletion: Task<DyckCompletion> = {
  name: "dyck-completion",
  levels: levels.length,

  generate(random, level) {
    const { shortest, longest } = levelSettings(this.name, levels, level);
    const { brackets } = drawUntil(
      () => correctBrackets(random, randomInteger(random, shortest, longest)),
      ({ pending }) => pending.length > 0,
    );
    return { brackets };
  },

  question: ({ brackets }) => `Close the open brackets : ${brackets.join(" ")}`,

  solve({ brackets }) {
    let pending: readonly string[] = [];
    const steps = brackets.map((bracket, index) => {
      pending = readBracket(pending, bracket)!;
      return formatStep(bracket, pending, brackets.slice(index + 1));
    });
    return { thinking: steps.join("\n"), answer: pending.join(" ") };
  },

  verify({ brackets }, answer) {
    const pending = brackets.reduce<readonly string[]>((before, bracket) => readBracket(before, bracket)!, []);
    return answer.replace(/\s/g, "") === pending.join("");
  },

  guess: (_, random) => Array.from({ length: randomInteger(random, 1, 3) }, () => randomChoice(random, closers)).join(" "),
};
