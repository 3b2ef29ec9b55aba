import { InputError } from "../../base/errors.js";
import { expectArgument } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { correlation, subtractMean } from "../statistics.js";

/** How far two computations of the same probabilities agree. */
export interface Agreement {
  /** Pearson's r of the two probabilities of every token; 0 where one of them does not vary. */
  readonly correlation: number;
  /** The largest difference of the two probabilities of a token. */
  readonly largest: number;
}

/**
 * Whether the policy that samples and the policy that is trained are one: the probabilities of sampled tokens, token by token against all at once. The report found 0.987 of correlation with a
 * head in bf16 and 0.997 in float32 (section 3.2, figure 3), and no growth of the reward with the first.
 *
 * @param sampled log-probability of each token of each response, as it was drawn
 * @param trained the same tokens' in the form of training
 * @throws {InputError} another shape of the two, or what is no log-probability
 */
export function agreement(sampled: readonly Float64Array[], trained: readonly Float64Array[]): Agreement {
  expectArgument("agreement: sampled", Array.isArray(sampled), "an array of log-probabilities per response", sampled);
  expectArgument("agreement: trained", Array.isArray(trained), "an array of log-probabilities per response", trained);
  for (const [i, row] of sampled.entries()) {
    const other = trained[i];
    if (row.length !== other?.length)
      throw new InputError(`agreement: trained[${i}]: expected ${row.length} numbers, got ${other?.length}`);
    const wrong = row.findIndex((l, t) => !(l <= 0 && other[t]! <= 0));
    if (wrong >= 0) {
      throw new InputError(`agreement: [${i}][${wrong}]: expected two log-probabilities, got ${printed(row[wrong])} and ${other[wrong]}`);
    }
  }
  const [x, y] = [sampled, trained].map((rows) => rows.flatMap((row) => Array.from(row, Math.exp))) as [number[], number[]];
  const largest = x.reduce((most, p, i) => Math.max(most, Math.abs(p - y[i]!)), 0);
  return { correlation: correlation(subtractMean(x), subtractMean(y)), largest };
}
