import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice } from "./random-draws.js";

/** The closer of each opener. */
const closerOf: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

export const openers = Object.keys(closerOf);
export const closers = Object.values(closerOf);

const MAX_BRACKET_DEPTH = 4;

/** Returns the pending closers after one more bracket, the next one first. Undefined if the bracket is a wrong closer. */
export function readBracket(owed: readonly string[], bracket: string): readonly string[] | undefined {
  const closer = closerOf[bracket];
  if (closer) return [closer, ...owed];
  return owed[0] === bracket ? owed.slice(1) : undefined;
}

/** Draws correct brackets that continue from the pending closers `owed`. With `close`, as many as possible are closed at the end. */
export function correctBrackets(random: Random, length: number, { owed = [] as readonly string[], close = false } = {}) {
  const brackets: string[] = [];
  for (let left = length; left > 0; left--) {
    const mustClose = owed.length >= MAX_BRACKET_DEPTH || (close && owed.length >= left);
    const opens = owed.length === 0 || (!mustClose && randomBoolean(random, 0.55));
    const bracket = opens ? randomChoice(random, openers) : owed[0]!;
    brackets.push(bracket);
    owed = readBracket(owed, bracket)!;
  }
  return { brackets, owed };
}

/** Formats one step of reading: the bracket, the closers pending after it, and the brackets that remain. */
export function formatStep(bracket: string, owed: readonly string[], rest: readonly string[]): string {
  return [bracket, ":", ...owed, "|", ...rest].join(" ");
}
