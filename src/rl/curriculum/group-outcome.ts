import { InputError } from "../../base/errors.js";
import { printed } from "../../base/printed.js";

/** What became of the responses to one prompt. */
export type GroupOutcome = "mixed" | "all right" | "all wrong";

/**
 * DAPO's dynamic sampling (Yu et al. 2025, eq. 11, adopted by the M1 report): only groups that are `"mixed"`, with `0 < Σ correct < G`, have anything to teach, and only they are kept. It is to be asked of correctness, not of
 * rewards: differences in a penalty of length would keep groups alive that are all right.
 *
 * @throws {InputError} no responses, or other than booleans
 */
export function groupOutcome(correct: readonly boolean[]): GroupOutcome {
  const right = countCorrect(correct, "groupOutcome");
  return right === 0 ? "all wrong" : right === correct.length ? "all right" : "mixed";
}

/**
 * Whether a prompt is neither hopeless nor solved, from sampled responses to it: `above < Σ correct / G < below`. The report keeps mathematics with `0 < pass@10 < 0.9`, which is the default, and sets the easiest level of
 * its puzzles for rates within (0, 0.5) (section 4.1).
 *
 * @throws {InputError} no responses, or other than booleans, or bounds with nothing between them
 */
export function hasPassRate(correct: readonly boolean[], { above = 0, below = 0.9 }: { above?: number; below?: number } = {}): boolean {
  if (!(above < below)) throw new InputError(`hasPassRate: below: expected a number above ${above}, got ${printed(below)}`);
  const rate = countCorrect(correct, "hasPassRate") / correct.length;
  return above < rate && rate < below;
}

function countCorrect(correct: readonly boolean[], where: string): number {
  if (!Array.isArray(correct) || correct.length === 0) throw new InputError(`${where}: correct: expected at least one response, got none`);
  const wrong = correct.findIndex((one) => typeof one !== "boolean");
  if (wrong >= 0) throw new InputError(`${where}: correct[${wrong}]: expected true or false, got ${printed(correct[wrong])}`);
  return correct.filter(Boolean).length;
}
