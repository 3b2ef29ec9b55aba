import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike, number, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { expectNumber, isList } from "../arguments.js";
import { correlation, linearRise, mean, subtractMean } from "../statistics.js";

/** A batch of responses, with the reward, the length in tokens and the correctness of each response. */
export interface RewardedLengths {
  readonly rewards: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly correct: ArrayLike<boolean>;
}

/** Thresholds of {@link lengthBias}. The report gives no thresholds. */
export interface LengthBiasOptions {
  /** Maximum correlation of reward and length (0.3). */
  correlation?: number;
  /** Maximum rise of the mean length from the first batch to the last, relative to its mean (0.1). */
  growth?: number;
  /** Minimum rise of the share of right answers that justifies longer answers (0.02). */
  gain?: number;
}

/** Result of {@link lengthBias}. */
export interface LengthBias {
  /**
   * Correlation of reward and length. Right and wrong answers of each batch are centred separately, so that correctness itself has no
   * influence.
   */
  readonly correlation: number;
  /** Rise of the mean length from the first batch to the last, relative to its mean. */
  readonly growth: number;
  /** Rise of the share of right answers from the first batch to the last. */
  readonly gain: number;
  /** Whether correlation and growth are above their thresholds while the gain is below its threshold. */
  readonly biased: boolean;
}

const finite = number("a finite number", Number.isFinite);
const schema = v.strictObject({ correlation: v.optional(finite, 0.3), growth: v.optional(finite, 0.1), gain: v.optional(finite, 0.02) });

/**
 * Detects a reward that prefers long answers. Usually, this is the reward of a model. The M1 report (section 4.2) recalibrates its reward
 * model if lengths grow without a gain in correctness.
 *
 * @param batches the batches of a sliding window, oldest first
 * @throws {InputError} no batches, a batch without responses or with arrays of different lengths, invalid numbers, or invalid options
 */
export function lengthBias(batches: readonly RewardedLengths[], options: LengthBiasOptions = {}): LengthBias {
  const thresholds = parseOptions(schema, options, "lengthBias");
  if (!Array.isArray(batches) || batches.length === 0) throw new InputError("lengthBias: batches: expected at least one batch, got none");
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

function checkRewardedLengths(batch: RewardedLengths, where: string): void {
  expectArgument(where, isObjectLike(batch), "{ rewards, lengths, correct }", batch);
  const { rewards, lengths, correct } = batch;
  for (const [name, values] of Object.entries({ rewards, lengths, correct })) {
    expectArgument(`${where}.${name}`, isList(values), "an array", values);
  }
  if (rewards.length === 0) throw new InputError(`${where}.rewards: expected at least one reward, got none`);
  for (const [name, { length }] of Object.entries({ lengths, correct })) {
    if (length !== rewards.length)
      throw new InputError(`${where}.${name}: expected ${rewards.length} elements, as many as rewards, got ${printed(length)}`);
  }
  for (let i = 0; i < rewards.length; i++) {
    const [reward, length, right] = [rewards[i]!, lengths[i]!, correct[i]!];
    expectNumber(`${where}.rewards[${i}]`, reward, "a number within [-1e9, 1e9]", (x) => Math.abs(x) <= 1e9);
    expectNumber(`${where}.lengths[${i}]`, length, "an integer of at least 0", (x) => Number.isSafeInteger(x) && x >= 0);
    if (typeof right !== "boolean") throw new InputError(`${where}.correct[${i}]: expected true or false, got ${printed(right)}`);
  }
}
