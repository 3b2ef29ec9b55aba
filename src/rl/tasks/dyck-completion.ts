import { closers, correctBrackets, read, step } from "./brackets.js";
import { choice, integer, until } from "./draw.js";
import { atLevel, type Task } from "./task.js";

/** The brackets given; some are still open. */
export interface DyckCompletion {
  readonly brackets: readonly string[];
}

/** How many brackets are given. */
const levels = [
  { shortest: 5, longest: 7 },
  { shortest: 7, longest: 9 },
  { shortest: 10, longest: 12 },
];

/**
 * Close all open brackets (SynLogic's `dyck_language`; the answer is only what is missing, which is unique).
 * A step reads one bracket: an opener puts its closer in front of what is owed, a closer takes the first away.
 */
export const dyckCompletion: Task<DyckCompletion> = {
  name: "dyck-completion",
  levels: levels.length,

  generate(random, level) {
    const { shortest, longest } = atLevel(this.name, levels, level);
    const { brackets } = until(
      () => correctBrackets(random, integer(random, shortest, longest)),
      ({ owed }) => owed.length > 0,
    );
    return { brackets };
  },

  question: ({ brackets }) => `Close the open brackets : ${brackets.join(" ")}`,

  solve({ brackets }) {
    let owed: readonly string[] = [];
    const steps = brackets.map((bracket, index) => {
      owed = read(owed, bracket)!;
      return step(bracket, owed, brackets.slice(index + 1));
    });
    return { thinking: steps.join("\n"), answer: owed.join(" ") };
  },

  verify({ brackets }, answer) {
    const owed = brackets.reduce<readonly string[]>((before, bracket) => read(before, bracket)!, []);
    return answer.replace(/\s/g, "") === owed.join("");
  },

  guess: (_, random) => Array.from({ length: integer(random, 1, 3) }, () => choice(random, closers)).join(" "),
};
