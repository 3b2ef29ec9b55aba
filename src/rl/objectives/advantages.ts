import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number, oneOf, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { mean } from "../statistics.js";

export interface AdvantageOptions {
  /** The standard deviation divides by n − ddof: 1 as PyTorch's, 0 for that of the group itself (1). */
  ddof?: 0 | 1;
  /** ε, added to the standard deviation (1e-6). */
  eps?: number;
}

/** Nothing here is as large, and within it no square overflows. */
const MAX_REWARD_MAGNITUDE = 1e9;

const entries = {
  ddof: v.optional(
    v.custom<0 | 1>((x) => x === 0 || x === 1, "0 or 1"),
    1,
  ),
  eps: v.optional(
    number("a number within [0, 1e9]", (x) => x >= 0 && x <= MAX_REWARD_MAGNITUDE),
    1e-6,
  ),
};

/** Rewards that differ by no more than this share of the largest are the same: what float32 makes of equal ones, and no standard deviation to divide by. */
const EQUAL_REWARDS_TOLERANCE = 1e-6;

/** And so are rewards that differ by no more than this: their squares are no numbers to divide by. */
const MIN_REWARD_SPREAD = 1e-100;

/** A response's reward; null if it cannot be scored. */
export type RewardValue = number | null;

const schema = v.strictObject({ ...entries, scale: v.optional(oneOf("group", "none"), "group") });

/**
 * Group-relative advantages of the responses to one prompt (GRPO; M1 report, eq. 2, which names neither ddof nor ε):
 *
 *     A_i = (R_i − mean R) / (std R + ε)
 *
 * A reward of null has advantage 0 and no part in mean and deviation. If all rewards are the same, or there is only one, all advantages are exactly 0.
 *
 * @param options `scale: "none"` leaves out the division (Dr. GRPO)
 * @throws {InputError} no rewards, or one that is neither a number nor null
 */
export function groupAdvantages(
  rewards: ArrayLike<RewardValue>,
  options: AdvantageOptions & { scale?: "group" | "none" } = {},
): Float64Array {
  const { scale, ddof, eps } = parseOptions(schema, options, "groupAdvantages");
  checkRewards(rewards, "groupAdvantages: rewards");
  const centred = subtractGroupMean(rewards);
  return scale === "none" ? centred : divideNonZero(centred, standardDeviation(scoredRewards(rewards), ddof) + eps);
}

const batchSchema = v.strictObject(entries);

/**
 * Advantages of all groups of a batch, over the standard deviation of the batch's rewards:
 *
 *     A_i = (R_i − mean of its group) / (std of all R + ε)
 *
 * Groups without a difference have advantages of exactly 0, as in {@link groupAdvantages}.
 *
 * @throws {InputError} no rewards, or one that is neither a number nor null
 */
export function batchAdvantages(groups: readonly ArrayLike<RewardValue>[], options: AdvantageOptions = {}): Float64Array[] {
  const { ddof, eps } = parseOptions(batchSchema, options, "batchAdvantages");
  if (!Array.isArray(groups)) throw new InputError(`batchAdvantages: groups: expected an array of arrays of rewards, got ${typeof groups}`);
  for (const [i, rewards] of groups.entries()) checkRewards(rewards, `batchAdvantages: groups[${i}]`);
  const std = standardDeviation(groups.flatMap(scoredRewards), ddof);
  return groups.map((rewards) => divideNonZero(subtractGroupMean(rewards), std + eps));
}

/** R − mean R; 0 for null, and for all if there is no difference. */
function subtractGroupMean(rewards: ArrayLike<RewardValue>): Float64Array {
  const values = scoredRewards(rewards);
  const [least, most] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  const same = Math.max(MIN_REWARD_SPREAD, EQUAL_REWARDS_TOLERANCE * Math.max(Math.abs(least), Math.abs(most)));
  if (values.length === 0 || most - least <= same) return new Float64Array(rewards.length);
  const middle = mean(values);
  return Float64Array.from(rewards, (reward) => (reward === null ? 0 : reward - middle));
}

/** Zeros stay zeros, whatever the divisor. */
function divideNonZero(x: Float64Array, divisor: number): Float64Array {
  return x.map((value) => (value === 0 ? 0 : value / divisor));
}

function standardDeviation(values: readonly number[], ddof: number): number {
  if (values.length <= 1) return 0;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (values.length - ddof));
}

function scoredRewards(rewards: ArrayLike<RewardValue>): number[] {
  return Array.from(rewards).filter((reward) => reward !== null);
}

function checkRewards(rewards: ArrayLike<RewardValue>, where: string): void {
  const list = Array.isArray(rewards) || (ArrayBuffer.isView(rewards) && !(rewards instanceof DataView));
  if (!list) throw new InputError(`${where}: expected an array of rewards, got ${rewards === null ? "null" : typeof rewards}`);
  if (rewards.length === 0) throw new InputError(`${where}: expected at least one reward, got none`);
  for (const [i, reward] of Array.from(rewards).entries()) {
    if (reward !== null && !(typeof reward === "number" && Math.abs(reward) <= MAX_REWARD_MAGNITUDE)) {
      throw new InputError(
        `${where}[${i}]: expected a number within [-1e9, 1e9], or null for what cannot be scored, got ${printed(reward)}`,
      );
    }
  }
}
