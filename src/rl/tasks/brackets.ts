import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice } from "./random-draws.js";

/** The closer of each opener. */
const closerOf: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

export const openers = Object.keys(closerOf);
export const closers = Object.values(closerOf);

const MAX_BRACKET_DEPTH = 4;

/** The closers that are owed after one more bracket, the next one first; undefined where the bracket is a closer that is not owed next. */
export function readBracket(owed: readonly string[], bracket: string): readonly string[] | undefined {
  const closer = closerOf[bracket];
  if (closer) return [closer, ...owed];
  return owed[0] === bracket ? owed.slice(1) : undefined;
}

/** Brackets without an error, begun where `owed` are owed; with `close`, as many as possible are closed by the end. */
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

/** One step of reading: the bracket, what is owed after it, what is still to be read. */
export function formatStep(bracket: string, owed: readonly string[], rest: readonly string[]): string {
  return [bracket, ":", ...owed, "|", ...rest].join(" ");
}
