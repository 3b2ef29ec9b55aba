import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { expectNumber } from "../arguments.js";

/** Whether the responses to one prompt are all right, all wrong, or mixed. */
export type GroupOutcome = "mixed" | "all right" | "all wrong";

/**
 * Classifies a group of responses for DAPO's dynamic sampling (Yu et al. 2025, eq. 11, adopted by the M1 report). Only `"mixed"` groups,
 * with `0 < Σ correct < G`, have advantages other than 0, and only they are kept.
 *
 * Pass the correctness of the responses, not their rewards: with a length penalty, rewards differ even if all responses are right.
 *
 * @param correct whether each response is right
 * @throws {InputError} no responses, or elements that are not booleans
 */
export function groupOutcome(correct: readonly boolean[]): GroupOutcome {
  const right = countCorrect(correct, "groupOutcome");
  return right === 0 ? "all wrong" : right === correct.length ? "all right" : "mixed";
}

/**
 * Returns whether the pass rate of a prompt is within bounds: `above < Σ correct / G < below`. Such a prompt is neither unsolvable nor
 * already solved. The default bounds are the report's rule for mathematics, `0 < pass@10 < 0.9`. For the easiest level of its puzzles, the
 * report requires pass rates within (0, 0.5) (M1 report, section 4.1).
 *
 * @param correct whether each sampled response is right
 * @throws {InputError} no responses, elements that are not booleans, or bounds in the wrong order
 */
export function hasPassRate(correct: readonly boolean[], options: { above?: number; below?: number } = {}): boolean {
  expectArgument("hasPassRate: options", isObjectLike(options), "{ above, below }", options);
  const { above = 0, below = 0.9 } = options;
  expectNumber("hasPassRate: above", above, "a number", (x) => !Number.isNaN(x));
  expectNumber("hasPassRate: below", below, `a number above ${above}`, (x) => x > above);
  const rate = countCorrect(correct, "hasPassRate") / correct.length;
  return above < rate && rate < below;
}

function countCorrect(correct: readonly boolean[], where: string): number {
  if (!Array.isArray(correct) || correct.length === 0) throw new InputError(`${where}: correct: expected at least one response, got none`);
  const wrong = correct.findIndex((one) => typeof one !== "boolean");
  if (wrong >= 0) throw new InputError(`${where}: correct[${wrong}]: expected true or false, got ${printed(correct[wrong])}`);
  return correct.filter(Boolean).length;
}
