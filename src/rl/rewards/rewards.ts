import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, expectArgument, index, isObjectLike, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { Puzzle } from "../data/puzzle.js";
import type { RewardValue } from "../objectives/advantages.js";
import { type Judgement, judge } from "../tasks/task.js";

/** A response as the input of a reward. Extend it with the fields that your own rewards need. */
export interface Answered {
  /** The question, without the chat format. */
  readonly question: string;
  /** The whole text of the response. */
  readonly text: string;
  /** Length of the response in tokens. */
  readonly tokens: number;
}

/** A response to a puzzle. */
export interface AnsweredPuzzle extends Answered {
  readonly puzzle: Puzzle;
  /** The verdict of the task's verifier, if it was called already. */
  readonly judgement?: Judgement;
}

/**
 * Computes the reward of a response, or null if the response cannot be scored, for example because a sandbox failed. A reward that does not
 * apply to a response returns 0.
 */
export type Reward<R extends Answered = Answered> = (response: R) => RewardValue | Promise<RewardValue>;

/** A total reward with its components. */
export interface Scored {
  /** Sum of the components; null if any of them is null. */
  readonly total: RewardValue;
  readonly components: Readonly<Record<string, RewardValue>>;
}

/**
 * Combines named rewards into their sum, `R = Σ_k R_k`. All components are called concurrently.
 *
 * @returns a function that scores one response. It throws an InputError if a component returns neither a number within ±1e9 nor null
 * @throws {InputError} no components, or a component that is not a function
 */
export function sumOfRewards<R extends Answered = Answered>(
  components: Readonly<Record<string, Reward<R>>>,
): (response: R) => Promise<Scored> {
  const named = Object.entries(components ?? {});
  if (named.length === 0) throw new InputError("sumOfRewards: components: expected at least one reward by name, got none");
  for (const [name, reward] of named) {
    if (typeof reward !== "function") throw new InputError(`sumOfRewards: ${name}: expected a function, got ${typeof reward}`);
  }
  return async (response) => {
    const values = await Promise.all(named.map(async ([name, reward]) => checkReward(await reward(response), `sumOfRewards: ${name}`)));
    const total = values.reduce((sum, value) => (sum === null || value === null ? null : sum + value), 0);
    return { total, components: Object.fromEntries(named.map(([name], k) => [name, values[k]!])) };
  };
}

function checkReward(value: RewardValue, where: string): RewardValue {
  if (value !== null && !(typeof value === "number" && Math.abs(value) <= 1e9)) {
    throw new InputError(
      `${where}: expected a number within [-1e9, 1e9], or null for a response that cannot be scored, got ${printed(value)}`,
    );
  }
  return value;
}

/** Returns 1 if the response has a well-formed answer that the task's verifier accepts, else 0 (M1 report, section 4). */
export function correctnessReward(response: AnsweredPuzzle): number {
  return Number(judgementOf(response, "correctnessReward").correct);
}

/** Returns 1 if the response has a well-formed answer, right or wrong, else 0. The M1 report uses such a reward and gives no weight. */
export function formatReward(response: AnsweredPuzzle): number {
  return Number(judgementOf(response, "formatReward").formatted);
}

function judgementOf(response: AnsweredPuzzle, where: string): Judgement {
  const { puzzle, text, judgement } = response ?? {};
  if (judgement !== undefined && judgement !== null) {
    expectArgument(`${where}: response.judgement`, isObjectLike(judgement), "{ formatted, correct }", judgement);
    return judgement;
  }
  expectArgument(`${where}: response.puzzle`, isObjectLike(puzzle), "a puzzle", puzzle);
  return judge(puzzle.task, puzzle.instance, text);
}

const overlong = v.strictObject({ maxTokens: count, cache: index });

/**
 * Computes DAPO's soft punishment of overlong responses (Yu et al. 2025, eq. 13). Add it to the other rewards. For n tokens, L = maxTokens
 * and C = cache:
 *
 *     P = 0 if n ≤ L − C,   (L − C − n) / C if n ≤ L,   −1 beyond
 *
 * @param tokens length n of the response
 * @param options `maxTokens` and `cache`, in tokens. DAPO uses 20,480 and 4,096. A cache of 0 makes the punishment a step from 0 to −1
 * @throws {InputError} invalid options, a cache larger than maxTokens, or an invalid number of tokens
 */
export function overlongPunishment(tokens: number, options: { maxTokens: number; cache: number }): number {
  const { maxTokens, cache } = parseOptions(overlong, options, "overlongPunishment");
  if (cache > maxTokens)
    throw new InputError(`overlongPunishment: cache: expected at most maxTokens (${maxTokens}), got ${printed(cache)}`);
  if (!(Number.isSafeInteger(tokens) && tokens >= 0)) {
    throw new InputError(`overlongPunishment: tokens: expected an integer of at least 0, got ${printed(tokens)}`);
  }
  const free = maxTokens - cache;
  if (tokens <= free) return 0;
  return tokens <= maxTokens ? (free - tokens) / cache : -1;
}
