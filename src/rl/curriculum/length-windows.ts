import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, expectArgument, isObjectLike, number, parseOptions } from "../../base/options.js";
import { printed, printedJson } from "../../base/printed.js";
import { quantiles } from "../statistics.js";

/** The windows of the report (section 5): 40K, 48K, 56K, 64K, 72K and 80K tokens, K being 1,024. */
export const reportWindows: readonly number[] = [40, 48, 56, 64, 72, 80].map((k) => 1024 * k);

/** Where a curriculum of lengths stands: plain data, to be saved. */
export interface WindowState {
  /** Most tokens of a response. */
  readonly tokens: number;
  /** Of the responses to each batch since the window is this one; no more than matter. */
  readonly perplexities: readonly number[];
}

/** When the window becomes longer. The report gives the two criteria in words, and no numbers. */
export interface WindowOptions {
  /** Ascending lengths ({@link reportWindows}). */
  windows?: readonly number[];
  /** So many batches have to agree in perplexity (10), … */
  batches?: number;
  /** … the largest being above the smallest by no more than this share of it (0.02). */
  tolerance?: number;
  /** The 99th percentile of the lengths has to be at least this share of the window (0.95). */
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
 * The state after one more batch of responses, to begin with `{ tokens: 40960, perplexities: [] }`. The window becomes the next one when both hold (M1 report, section 5): perplexity has converged, and the 99th percentile of
 * the lengths is close to the window.
 *
 * @param seen `perplexity`: exp of the mean negative log-probability of the batch's tokens; `lengths`: tokens of each response
 * @throws {InputError} a state whose window is none of those, a perplexity below 1, lengths that are none, or options that do not fit
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
  const all = Array.from(lengths ?? []);
  if (all.length === 0) throw new InputError("nextWindow: lengths: expected at least one, got none");
  const wrong = all.findIndex((length) => !(Number.isSafeInteger(length) && length >= 0));
  if (wrong >= 0) throw new InputError(`nextWindow: lengths[${wrong}]: expected an integer of at least 0, got ${printed(all[wrong])}`);

  const last = [...perplexities, perplexity].slice(-batches);
  const converged = last.length === batches && Math.max(...last) <= (1 + tolerance) * Math.min(...last);
  const [longest] = quantiles(all, [0.99] as const);
  const next = windows[stage + 1];
  return converged && longest >= near * tokens && next !== undefined ? { tokens: next, perplexities: [] } : { tokens, perplexities: last };
}

function isPerplexity(x: number): boolean {
  return x >= 1 && x < Number.POSITIVE_INFINITY;
}
