// Bracket sequences, for the three tasks on the Dyck language.

import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice } from "../../base/random-draws.js";

/** The four bracket pairs, each with its opener and its closer. A task with n types uses the first n, or draws n of them. */
export const BRACKET_PAIRS = ["()", "[]", "{}", "<>"] as const;

export const isOpener = (bracket: string): boolean => BRACKET_PAIRS.some((pair) => pair[0] === bracket);

/** Returns the closer of an opener. */
export const closerOf = (opener: string): string => BRACKET_PAIRS.find((pair) => pair[0] === opener)![1]!;

/** The open brackets of a sequence, and its first error. */
export interface BracketScan {
  /** The openers that are still open at the first error or at the end, with the outermost first. */
  readonly open: readonly string[];
  /** The 0-based offset of the first wrong closer, or of the first character that is not a bracket. Undefined if there is no error. */
  readonly error: number | undefined;
}

/** Scans a sequence from left to right. */
export function scanBrackets(sequence: string): BracketScan {
  const open: string[] = [];
  for (const [at, bracket] of [...sequence].entries()) {
    if (isOpener(bracket)) open.push(bracket);
    else if (open.length > 0 && closerOf(open.at(-1)!) === bracket) open.pop();
    else return { open, error: at };
  }
  return { open, error: undefined };
}

/** Returns the closers for the open brackets, with the innermost first. */
export const closersOf = (open: readonly string[]): string => [...open].reverse().map(closerOf).join("");

export const isBalanced = (sequence: string): boolean => {
  const { open, error } = scanBrackets(sequence);
  return error === undefined && open.length === 0;
};

/**
 * Draws a sequence without wrong closers. The shape is drawn uniformly among those with the given length and number of open brackets.
 *
 * @param open number of brackets that stay open. It is at most the length and has the same parity
 * @param depth nesting depth that the sequence must reach
 * @returns undefined if no such sequence exists
 */
export function drawBrackets(random: Random, pairs: readonly string[], length: number, open: number, depth = 0): string | undefined {
  // ways[0] counts the continuations if the depth was already reached, ways[1] those if it was not. Both are indexed by [left][height].
  const ways = [true, false].map((reached) => countWays(length, open, reached ? 0 : depth));
  const waysFrom = (left: number, height: number, reached: boolean) => ways[reached || height >= depth ? 0 : 1]![left]![height] ?? 0;
  if (!(waysFrom(length, 0, depth === 0) > 0)) return undefined;
  let sequence = "";
  let reached = depth === 0;
  const stack: string[] = [];
  for (let left = length - 1; left >= 0; left--) {
    const up = waysFrom(left, stack.length + 1, reached);
    const down = stack.length > 0 ? waysFrom(left, stack.length - 1, reached) : 0;
    if (randomBoolean(random, up / (up + down))) {
      const pair = randomChoice(random, pairs);
      stack.push(pair);
      sequence += pair[0];
    } else sequence += stack.pop()![1];
    reached ||= stack.length >= depth;
  }
  return sequence;
}

/**
 * Counts the walks from each height with each number of remaining brackets. A walk ends at `open`, never goes below 0, and touches `depth`.
 * The result is indexed by [remaining][height].
 */
function countWays(length: number, open: number, depth: number): number[][] {
  const free: number[][] = [Array.from({ length: length + 2 }, (_, height) => (height === open ? 1 : 0))];
  const bound: number[][] = [Array.from({ length: length + 2 }, (_, height) => (height === open && height >= depth ? 1 : 0))];
  for (let left = 1; left <= length; left++) {
    const step = (before: readonly number[]) =>
      before.map((_, height) => (before[height + 1] ?? 0) + (height > 0 ? before[height - 1]! : 0));
    free.push(step(free[left - 1]!));
    bound.push(step(bound[left - 1]!).map((count, height) => (height >= depth ? free[left]![height]! : count)));
  }
  return bound;
}
