import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, index, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { Puzzle } from "../data/puzzle.js";
import type { RewardValue } from "../objectives/advantages.js";
import { type Judgement, judge } from "../tasks/task.js";

/** A response as rewards see it. Data sets of your own add what they need. */
export interface Answered {
  /** What was asked. */
  readonly question: string;
  /** All that was answered. */
  readonly text: string;
  /** Its tokens. */
  readonly tokens: number;
}

/** A response to a puzzle. */
export interface AnsweredPuzzle extends Answered {
  readonly puzzle: Puzzle;
  /** What the task's verifier says, if it was asked already. */
  readonly judgement?: Judgement;
}

/**
 * What a response is worth, or null if that cannot be told: a sandbox that broke down, a judge without an answer. A reward that has nothing to say about a response answers 0.
 */
export type Reward<R extends Answered = Answered> = (response: R) => RewardValue | Promise<RewardValue>;

/** A reward with what it is made of. */
export interface Scored {
  /** The sum; null if one of the components is. */
  readonly total: RewardValue;
  readonly components: Readonly<Record<string, RewardValue>>;
}

/**
 * Adds up rewards that have names: `R = Σ_k R_k`. All are asked at the same time.
 *
 * @returns a function that scores one response. It throws an InputError if a component answers other than a number within ±1e9 or null
 * @throws {InputError} no components, or one that is no function
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
    throw new InputError(`${where}: expected a number within [-1e9, 1e9], or null for what cannot be scored, got ${printed(value)}`);
  }
  return value;
}

/** 1 if the response has the form and its answer is right, which the task's verifier decides (M1 report, section 4), else 0. */
export function correctnessReward(response: AnsweredPuzzle): number {
  return Number(judgementOf(response).correct);
}

/** 1 if the response has an answer where one belongs, else 0. The report adds such a reward, with a weight that it does not give. */
export function formatReward(response: AnsweredPuzzle): number {
  return Number(judgementOf(response).formatted);
}

function judgementOf({ puzzle: { task, instance }, text, judgement }: AnsweredPuzzle): Judgement {
  return judgement ?? judge(task, instance, text);
}

const overlong = v.strictObject({ maxTokens: count, cache: index });

/**
 * DAPO's soft punishment of overlong responses (Yu et al. 2025, eq. 13), to be added to other rewards. For n tokens, L = maxTokens and C = cache:
 *
 *     P = 0 if n ≤ L − C,   (L − C − n) / C if n ≤ L,   −1 beyond
 *
 * @param options DAPO takes 20,480 and 4,096. A cache of 0 is a step from 0 to −1
 * @throws {InputError} options that are no such numbers, a cache larger than maxTokens, or a number of tokens that is none
 */
export function overlongPunishment(tokens: number, options: { maxTokens: number; cache: number }): number {
  const { maxTokens, cache } = parseOptions(overlong, options, "overlongPunishment");
  if (cache > maxTokens) throw new InputError(`overlongPunishment: cache: expected at most maxTokens, ${maxTokens}, got ${printed(cache)}`);
  if (!(Number.isSafeInteger(tokens) && tokens >= 0)) {
    throw new InputError(`overlongPunishment: tokens: expected an integer of at least 0, got ${printed(tokens)}`);
  }
  const free = maxTokens - cache;
  if (tokens <= free) return 0;
  return tokens <= maxTokens ? (free - tokens) / cache : -1;
}
