import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { oneOf } from "../../base/options.js";
import type { Minibatch } from "./policy-batch.js";

/**
 * The weight of a token in the loss. With G responses, n_i tokens in response i and N tokens in total, each token of response i weighs:
 *
 * - `"token"`: 1 / N. All tokens weigh the same (CISPO, DAPO).
 * - `"sequence"`: 1 / (G n_i). All responses weigh the same (GRPO).
 * - `{ constant: L }`: 1 / (G L). The weight does not depend on the length of the response (Dr. GRPO). L = 1 gives the mean over responses
 *   of the sums over tokens.
 * - `{ mix: λ }`: λ / (G n_i) + (1 − λ) / N. The M1 report (section 5) describes a "combined sample-level loss and token-level
 *   normalisation" without a formula; this is our interpretation of it.
 */
export type Aggregation = "token" | "sequence" | { readonly constant: number } | { readonly mix: number };

/** How an objective averages over the tokens of a minibatch. */
export interface AggregationOptions {
  /** The weight of each token. The default depends on the objective. */
  aggregation?: Aggregation;
  /**
   * The set over which N and G are counted. `"minibatch"` (default) is the whole minibatch. `"group"` is each group separately, followed by
   * the mean over groups; the batch must have `groups`.
   */
  scope?: "minibatch" | "group";
  /**
   * Whether responses without unmasked tokens count. With `"count"` (default, as in TRL), they count in G, and groups that consist only of
   * them count in the mean over groups. With `"skip"` (as in verl), neither counts.
   */
  empty?: "count" | "skip";
}

const EXPECTED_AGGREGATION = '"token", "sequence", { constant: above 0 } or { mix: within [0, 1] }';

function isAggregation(x: unknown): x is Aggregation {
  if (x === "token" || x === "sequence") return true;
  if (typeof x !== "object" || x === null || Object.keys(x).length !== 1) return false;
  const { constant, mix } = x as { constant?: unknown; mix?: unknown };
  if (typeof constant === "number") return constant > 0 && Number.isFinite(constant);
  return typeof mix === "number" && mix >= 0 && mix <= 1;
}

export const aggregationEntries = {
  aggregation: v.optional(v.custom<Aggregation>(isAggregation, EXPECTED_AGGREGATION)),
  scope: v.optional(oneOf("minibatch", "group")),
  empty: v.optional(oneOf("count", "skip")),
};

/**
 * Computes the weight w_i of each token of response i in the loss.
 *
 * @returns one weight per response of the minibatch; 0 for a response without unmasked tokens
 * @throws {InputError} scope "group" without `groups`
 */
export function responseWeights(
  { mask, groups }: Minibatch,
  { aggregation, scope = "minibatch", empty = "count" }: AggregationOptions & { aggregation: Aggregation },
  where: string,
): Float64Array {
  if (scope === "group" && groups === undefined) {
    throw new InputError(`${where}: groups: expected one number per response, because scope is "group", got none`);
  }
  const lengths = mask.map(countTokens);
  const counts = (i: number) => empty === "count" || lengths[i]! > 0;
  const scopes = new Map<number, number[]>();
  for (const i of lengths.keys()) {
    if (!counts(i)) continue;
    const key = scope === "group" ? groups![i]! : 0;
    const members = scopes.get(key);
    if (members) members.push(i);
    else scopes.set(key, [i]);
  }
  const weights = new Float64Array(mask.length);
  for (const members of scopes.values()) {
    const tokens = members.reduce((sum, i) => sum + lengths[i]!, 0);
    for (const i of members) {
      if (lengths[i]! > 0) weights[i] = tokenWeight(aggregation, lengths[i]!, tokens, members.length) / scopes.size;
    }
  }
  return weights;
}

function tokenWeight(aggregation: Aggregation, length: number, tokens: number, responses: number): number {
  if (aggregation === "token") return 1 / tokens;
  if (aggregation === "sequence") return 1 / (responses * length);
  if ("constant" in aggregation) return 1 / (responses * aggregation.constant);
  return aggregation.mix / (responses * length) + (1 - aggregation.mix) / tokens;
}

/** Computes n_i = Σ_t m_it, the number of unmasked tokens of a response. */
export function countTokens(mask: ArrayLike<number>): number {
  let tokens = 0;
  for (let t = 0; t < mask.length; t++) tokens += mask[t]!;
  return tokens;
}
