import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { correlation, linearRise, mean, subtractMean } from "../statistics.js";

/** A batch of responses: for each its reward, its tokens, and whether a verifier found it right. */
export interface RewardedLengths {
  readonly rewards: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly correct: ArrayLike<boolean>;
}

/** Beyond these a reward is suspected; the report gives none. */
export interface LengthBiasOptions {
  /** Correlation of reward and length at equal correctness (0.3). */
  correlation?: number;
  /** Growth of the mean length over the batches, relative to its mean (0.1). */
  growth?: number;
  /** Gain of the share of right answers over the batches (0.02): less is none. */
  gain?: number;
}

/** What the batches show. */
export interface LengthBias {
  /** Of reward and length, right answers among themselves and wrong ones among themselves. */
  readonly correlation: number;
  /** By how much the mean length rises from the first batch to the last, relative to its mean. */
  readonly growth: number;
  /** By how much the share of right answers does. */
  readonly gain: number;
  /** Whether longer answers are rewarded and become longer, and not better. */
  readonly biased: boolean;
}

const finite = number("a finite number", Number.isFinite);
const schema = v.strictObject({ correlation: v.optional(finite, 0.3), growth: v.optional(finite, 0.1), gain: v.optional(finite, 0.02) });

/**
 * Watches for a reward, usually a model's, that prefers long answers (M1 report, section 4.2: lengths that grow without a gain are a reason to calibrate it anew).
 *
 * @param batches those of a sliding window, oldest first
 * @throws {InputError} no batches, batches without responses or with arrays of different lengths, numbers that are none, or options that do not fit
 */
export function lengthBias(batches: readonly RewardedLengths[], options: LengthBiasOptions = {}): LengthBias {
  const thresholds = parseOptions(schema, options, "lengthBias");
  if (!Array.isArray(batches) || batches.length === 0) throw new InputError("lengthBias: batches: expected at least one, got none");
  for (const [i, batch] of batches.entries()) checkRewardedLengths(batch, `lengthBias: batches[${i}]`);

  const [rewards, lengths]: [number[], number[]] = [[], []];
  for (const batch of batches) {
    for (const right of [true, false]) {
      const members = Array.from(batch.correct, (_, i) => i).filter((i) => batch.correct[i] === right);
      rewards.push(...subtractMean(members.map((i) => batch.rewards[i]!)));
      lengths.push(...subtractMean(members.map((i) => batch.lengths[i]!)));
    }
  }
  const meanLengths = batches.map((batch) => mean(batch.lengths));
  const found = {
    correlation: correlation(rewards, lengths),
    growth: linearRise(meanLengths) / Math.max(1, mean(meanLengths)),
    gain: linearRise(batches.map(({ correct }) => mean(Array.from(correct, Number)))),
  };
  return {
    ...found,
    biased: found.correlation > thresholds.correlation && found.growth > thresholds.growth && found.gain < thresholds.gain,
  };
}

function checkRewardedLengths({ rewards, lengths, correct }: RewardedLengths, where: string): void {
  if (rewards.length === 0) throw new InputError(`${where}.rewards: expected at least one, got none`);
  for (const [name, { length }] of Object.entries({ lengths, correct })) {
    if (length !== rewards.length)
      throw new InputError(`${where}.${name}: expected ${rewards.length}, as rewards has, got ${printed(length)}`);
  }
  for (let i = 0; i < rewards.length; i++) {
    const [reward, length, right] = [rewards[i]!, lengths[i]!, correct[i]!];
    if (!(Math.abs(reward) <= 1e9))
      throw new InputError(`${where}.rewards[${i}]: expected a number within [-1e9, 1e9], got ${printed(reward)}`);
    if (!(Number.isSafeInteger(length) && length >= 0)) {
      throw new InputError(`${where}.lengths[${i}]: expected an integer of at least 0, got ${printed(length)}`);
    }
    if (typeof right !== "boolean") throw new InputError(`${where}.correct[${i}]: expected true or false, got ${printed(right)}`);
  }
}
