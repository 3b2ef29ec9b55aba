import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, expectArgument, isObjectLike, number, parseOptions } from "../../base/options.js";
import { printed, printedJson } from "../../base/printed.js";
import { isList } from "../arguments.js";
import { quantiles } from "../statistics.js";

/** The windows of the M1 report (section 5) in tokens: 40K, 48K, 56K, 64K, 72K and 80K, with K = 1,024. */
export const reportWindows: readonly number[] = [40, 48, 56, 64, 72, 80].map((k) => 1024 * k);

/** The state of a length curriculum: plain data that can be saved as JSON. */
export interface WindowState {
  /** The current window: the maximum number of tokens of a response. */
  readonly tokens: number;
  /** Perplexity of each batch since the window began, limited to the latest batches that the criterion needs. */
  readonly perplexities: readonly number[];
}

/** Criteria for advancing to a longer window. The M1 report states the criteria without numbers. */
export interface WindowOptions {
  /** The windows in tokens, ascending ({@link reportWindows}). */
  windows?: readonly number[];
  /** Number of most recent batches whose perplexities must agree (10). */
  batches?: number;
  /** Maximum difference of the largest and the smallest of these perplexities, as a share of the smallest (0.02). */
  tolerance?: number;
  /** Minimum 99th percentile of the response lengths, as a share of the window (0.95). */
  near?: number;
}

const share = number("a number within (0, 1]", (x) => x > 0 && x <= 1);
const schema = v.strictObject({
  windows: v.optional(
    v.custom<readonly number[]>(
      (x) => Array.isArray(x) && x.length > 0 && x.every((tokens, i) => Number.isSafeInteger(tokens) && tokens > (i > 0 ? x[i - 1] : 0)),
      "ascending numbers of tokens",
    ),
    reportWindows,
  ),
  batches: v.optional(count, 10),
  tolerance: v.optional(share, 0.02),
  near: v.optional(share, 0.95),
});

/**
 * Returns the state after one more batch of responses. The window advances to the next one if perplexity has converged and the 99th
 * percentile of the lengths is close to the window (M1 report, section 5). The initial state is `{ tokens: 40960, perplexities: [] }`.
 *
 * @param batch `perplexity`: exp of the mean negative log-probability of the batch's tokens; `lengths`: tokens of each response
 * @throws {InputError} a state with an unknown window, a perplexity below 1, invalid lengths, or invalid options
 */
export function nextWindow(
  state: WindowState,
  batch: { perplexity: number; lengths: ArrayLike<number> },
  options: WindowOptions = {},
): WindowState {
  expectArgument("nextWindow: state", isObjectLike(state), "{ tokens, perplexities }", state);
  expectArgument("nextWindow: batch", isObjectLike(batch), "{ perplexity, lengths }", batch);
  const { tokens, perplexities } = state;
  const { perplexity, lengths } = batch;
  const { windows, batches, tolerance, near } = parseOptions(schema, options, "nextWindow");
  const stage = windows.indexOf(tokens);
  if (stage < 0) throw new InputError(`nextWindow: tokens: expected one of the windows ${windows.join(", ")}, got ${printed(tokens)}`);
  if (!Array.isArray(perplexities) || !perplexities.every(isPerplexity)) {
    throw new InputError(`nextWindow: perplexities: expected an array of numbers of at least 1, got ${printedJson(perplexities)}`);
  }
  if (!isPerplexity(perplexity))
    throw new InputError(`nextWindow: perplexity: expected a finite number of at least 1, got ${printed(perplexity)}`);
  expectArgument("nextWindow: lengths", isList(lengths), "an array of numbers", lengths);
  // Reads by index, because the iterator of a detached typed array throws.
  const all = Array.from({ length: lengths.length }, (_, i) => lengths[i]!);
  if (all.length === 0) throw new InputError("nextWindow: lengths: expected at least one length, got none");
  const wrong = all.findIndex((length) => !(Number.isSafeInteger(length) && length >= 0));
  if (wrong >= 0) throw new InputError(`nextWindow: lengths[${wrong}]: expected an integer of at least 0, got ${printed(all[wrong])}`);

  const last = [...perplexities, perplexity].slice(-batches);
  const converged = last.length === batches && Math.max(...last) <= (1 + tolerance) * Math.min(...last);
  const [longest] = quantiles(all, [0.99] as const);
  const next = windows[stage + 1];
  return converged && longest >= near * tokens && next !== undefined ? { tokens: next, perplexities: [] } : { tokens, perplexities: last };
}

function isPerplexity(x: unknown): boolean {
  return typeof x === "number" && x >= 1 && x < Number.POSITIVE_INFINITY;
}
