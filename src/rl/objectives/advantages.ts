import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { expectArgument, number, oneOf, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { isList } from "../arguments.js";
import { mean } from "../statistics.js";

export interface AdvantageOptions {
  /**
   * Delta degrees of freedom (1). The standard deviation divides by n − ddof. PyTorch uses 1; 0 gives the standard deviation of a
   * population.
   */
  ddof?: 0 | 1;
  /** ε, added to the standard deviation (1e-6). At most 1e9. */
  eps?: number;
}

/** Maximum absolute value of a reward, so that no square overflows. */
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

/** Maximum difference of equal rewards, as a share of the largest reward. Rounding to float32 causes such differences. */
const EQUAL_REWARDS_TOLERANCE = 1e-6;

/** Maximum absolute difference of equal rewards. The square of a smaller difference would underflow. */
const MIN_REWARD_SPREAD = 1e-100;

/** The reward of a response, or null if it cannot be scored. */
export type RewardValue = number | null;

const schema = v.strictObject({ ...entries, scale: v.optional(oneOf("group", "none"), "group") });

/**
 * Computes the group-relative advantages of the responses to one prompt:
 *
 *     A_i = (R_i − mean R) / (std R + ε)
 *
 * A null reward gets the advantage 0 and is excluded from mean and standard deviation. If all rewards are equal, or if there is only one,
 * all advantages are exactly 0.
 *
 * Source: GRPO (Shao et al. 2024); M1 report, eq. 2, which specifies neither ddof nor ε.
 *
 * @param rewards one per response, within ±1e9 or null
 * @param options `scale: "none"` omits the division (Dr. GRPO)
 * @returns one advantage per response
 * @throws {InputError} no rewards, a reward that is neither a number nor null, or invalid options
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
 * Computes the advantages of all groups of a batch, divided by the standard deviation of all rewards of the batch:
 *
 *     A_i = (R_i − mean of its group) / (std of all R + ε)
 *
 * A group whose rewards are all equal gets advantages of exactly 0, as in {@link groupAdvantages}.
 *
 * @param groups the rewards of each group, within ±1e9 or null
 * @returns one array per group, one advantage per response
 * @throws {InputError} a group without rewards, a reward that is neither a number nor null, or invalid options
 */
export function batchAdvantages(groups: readonly ArrayLike<RewardValue>[], options: AdvantageOptions = {}): Float64Array[] {
  const { ddof, eps } = parseOptions(batchSchema, options, "batchAdvantages");
  expectArgument("batchAdvantages: groups", Array.isArray(groups), "an array of arrays of rewards", groups);
  for (const [i, rewards] of groups.entries()) checkRewards(rewards, `batchAdvantages: groups[${i}]`);
  const std = standardDeviation(groups.flatMap(scoredRewards), ddof);
  return groups.map((rewards) => divideNonZero(subtractGroupMean(rewards), std + eps));
}

/** Computes R − mean R. The result is 0 for null rewards, and exactly 0 if all rewards are equal. */
function subtractGroupMean(rewards: ArrayLike<RewardValue>): Float64Array {
  const values = scoredRewards(rewards);
  const [least, most] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  const same = Math.max(MIN_REWARD_SPREAD, EQUAL_REWARDS_TOLERANCE * Math.max(Math.abs(least), Math.abs(most)));
  if (values.length === 0 || most - least <= same) return new Float64Array(rewards.length);
  const middle = mean(values);
  return Float64Array.from(rewards, (reward) => (reward === null ? 0 : reward - middle));
}

/** Computes x / divisor. A zero stays 0 even if the divisor is 0. */
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
  expectArgument(where, isList(rewards), "an array of rewards", rewards);
  if (rewards.length === 0) throw new InputError(`${where}: expected at least one reward, got none`);
  for (const [i, reward] of Array.from(rewards).entries()) {
    if (reward !== null && !(typeof reward === "number" && Math.abs(reward) <= MAX_REWARD_MAGNITUDE)) {
      throw new InputError(
        `${where}[${i}]: expected a number within [-1e9, 1e9], or null for a response that cannot be scored, got ${printed(reward)}`,
      );
    }
  }
}
