import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice } from "../../base/random-draws.js";

/** The closer of each opener. */
const closerOf: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

export const openers = Object.keys(closerOf);
export const closers = Object.values(closerOf);

const MAX_BRACKET_DEPTH = 4;

/**
 * Returns the pending closers after one more bracket, with the next expected closer first. Returns undefined if the bracket is a wrong
 * closer.
 */
export function readBracket(pending: readonly string[], bracket: string): readonly string[] | undefined {
  const closer = closerOf[bracket];
  if (closer) return [closer, ...pending];
  return pending[0] === bracket ? pending.slice(1) : undefined;
}

/**
 * Draws brackets without an error, as a continuation of a text with the pending closers `pending`. With `close`, the last brackets close as
 * many open brackets as possible.
 */
export function correctBrackets(random: Random, length: number, { pending = [] as readonly string[], close = false } = {}) {
  const brackets: string[] = [];
  for (let left = length; left > 0; left--) {
    const mustClose = pending.length >= MAX_BRACKET_DEPTH || (close && pending.length >= left);
    const opens = pending.length === 0 || (!mustClose && randomBoolean(random, 0.55));
    const bracket = opens ? randomChoice(random, openers) : pending[0]!;
    brackets.push(bracket);
    pending = readBracket(pending, bracket)!;
  }
  return { brackets, pending };
}

/** Formats one step of reading brackets: the current bracket, the closers pending after it, and the remaining brackets. */
export function formatStep(bracket: string, pending: readonly string[], rest: readonly string[]): string {
  return [bracket, ":", ...pending, "|", ...rest].join(" ");
}
