import type { Random } from "../../base/random.js";
import { drawUntil, randomChoice, randomInteger } from "../../base/random-draws.js";
import { closers, correctBrackets, formatStep, readBracket } from "./brackets.js";
import { levelSettings, type Task } from "./task.js";

/** The brackets to check. */
export interface BracketError {
  readonly brackets: readonly string[];
}

/** Number of brackets on each level. */
const levels = [
  { shortest: 6, longest: 8 },
  { shortest: 8, longest: 10 },
  { shortest: 10, longest: 12 },
];

/**
 * Draws brackets whose first error is a wrong closer at the given position. The brackets after the error close all brackets that are open.
 */
function drawWithErrorAt(random: Random, position: number, length: number): string[] {
  const before = correctBrackets(random, position - 1);
  const wrong = randomChoice(
    random,
    closers.filter((closer) => closer !== before.pending[0]),
  );
  const after = correctBrackets(random, length - position, { pending: before.pending.slice(1), close: true });
  return [...before.brackets, wrong, ...after.brackets];
}

/**
 * Returns the position of the first wrong bracket, counted from 1. Returns "end" if brackets are left open, and "none" if there is no
 * error.
 */
function firstError(brackets: readonly string[]): string {
  let pending: readonly string[] | undefined = [];
  for (const [index, bracket] of brackets.entries()) {
    pending = readBracket(pending, bracket);
    if (!pending) return String(index + 1);
  }
  return pending.length > 0 ? "end" : "none";
}

/**
 * Find the first bracket error (SynLogic's `dyck_language_errors`, which uses length + 1 and −1 for "end" and "none"). One instance in five
 * has no error, and one in five leaves brackets open. In the others, the error's position is distributed uniformly.
 */
export const bracketError: Task<BracketError> = {
  name: "bracket-error",
  levels: levels.length,

  generate(random, level) {
    const { shortest, longest } = levelSettings(this.name, levels, level);
    const length = randomInteger(random, shortest, longest);
    const kind = randomChoice(random, ["none", "end", "wrong", "wrong", "wrong"]);
    if (kind === "none") return { brackets: correctBrackets(random, length - (length % 2), { close: true }).brackets };
    if (kind === "wrong") return { brackets: drawWithErrorAt(random, randomInteger(random, 1, length), length) };
    const { brackets } = drawUntil(
      () => correctBrackets(random, length),
      ({ pending }) => pending.length > 0,
    );
    return { brackets };
  },

  question: ({ brackets }) => `Find the first bracket error , its position or end or none : ${brackets.join(" ")}`,

  solve({ brackets }) {
    const steps: string[] = [];
    let pending: readonly string[] | undefined = [];
    for (const [index, bracket] of brackets.entries()) {
      pending = readBracket(pending, bracket);
      steps.push(pending ? `${index + 1} ${formatStep(bracket, pending, brackets.slice(index + 1))}` : `${index + 1} ${bracket} is wrong`);
      if (!pending) break;
    }
    return { thinking: steps.join("\n"), answer: firstError(brackets) };
  },

  verify: ({ brackets }, answer) => answer.trim() === firstError(brackets),

  guess({ brackets }, random) {
    const position = String(randomInteger(random, 1, brackets.length));
    return randomChoice(random, ["none", "end", position, position, position]);
  },
};
