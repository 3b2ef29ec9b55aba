// Statistics of judged responses.

import { InputError } from "../../base/errors.js";
import { expectArgument } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { RowResult } from "./evaluate-rows.js";
import { expectResult } from "./expect-rows.js";

/**
 * Estimates the probability that at least one of k responses is right, from n responses of which c are right. The estimate is unbiased:
 *
 *     pass@k = 1 − C(n − c, k) / C(n, k)
 *
 * Source: Chen et al., "Evaluating Large Language Models Trained on Code", arXiv 2107.03374.
 *
 * @throws {InputError} k above n, or c above n
 */
export function passAt(k: number, n: number, c: number): number {
  expectCounts("passAt", k, n, c);
  return 1 - shareOfDraws(k, n, n - c);
}

/**
 * Estimates the probability that all of k responses are right, from n responses of which c are right. The estimate is unbiased:
 *
 *     pass^k = C(c, k) / C(n, k)
 *
 * Source: Yao et al., "τ-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains", arXiv 2406.12045.
 *
 * @throws {InputError} k above n, or c above n
 */
export function passHat(k: number, n: number, c: number): number {
  expectCounts("passHat", k, n, c);
  return shareOfDraws(k, n, c);
}

function expectCounts(where: string, k: number, n: number, c: number): void {
  const valid = [k, n, c].every((x) => Number.isSafeInteger(x) && x >= 0) && k >= 1 && k <= n && c <= n;
  if (!valid) throw new InputError(`${where}: expected 1 ≤ k ≤ n and 0 ≤ c ≤ n, got k ${printed(k)}, n ${printed(n)}, c ${printed(c)}`);
}

/** C(m, k) / C(n, k): the share of all choices of k among n things that only contain things of m given ones. */
function shareOfDraws(k: number, n: number, m: number): number {
  let share = 1;
  for (let i = 0; i < k; i++) share *= Math.max(m - i, 0) / (n - i);
  return share;
}

/** Statistics of a group of rows. */
export interface PassRates {
  /** Name of the group. */
  readonly group: string;
  readonly rows: number;
  /** Number of responses per row. If the rows differ, this is the smallest number. */
  readonly samples: number;
  /** Mean share of right responses (pass@1). Null if no response of the group has a verdict. */
  readonly mean: number | null;
  /** Mean of pass@k with k = `samples`. Null if no row has at least k responses with a verdict. */
  readonly passAtSamples: number | null;
  /** Number of responses without a verdict. */
  readonly undecided: number;
  /** Mean number of tokens of a response. */
  readonly tokens: number;
}

/**
 * Computes pass rates for groups of rows, in the order in which the groups first occur. Every row has the same weight. Responses without a
 * verdict are left out.
 *
 * @param groupOf returns the name of a row's group. By default this is its task
 */
export function passRates(results: readonly RowResult[], groupOf: (result: RowResult) => string = ({ task }) => task): PassRates[] {
  expectArgument("passRates: results", Array.isArray(results), "an array of results", results);
  for (const [i, result] of results.entries()) expectResult(`passRates: results[${i}]`, result);
  expectArgument("passRates: groupOf", typeof groupOf === "function", "a function", groupOf);
  const groups = new Map<string, RowResult[]>();
  // Results can complete in any order, so they are sorted by row.
  for (const result of [...results].sort((a, b) => a.index - b.index)) {
    const group = groupOf(result);
    groups.set(group, [...(groups.get(group) ?? []), result]);
  }
  return [...groups].map(([group, rows]) => statistics(group, rows));
}

function statistics(group: string, rows: readonly RowResult[]): PassRates {
  const samples = Math.min(...rows.map((row) => row.samples.length));
  const decided = rows.map((row) => row.samples.filter(({ right }) => right !== null));
  const judged = decided.filter(({ length }) => length > 0);
  const full = decided.filter(({ length }) => length >= samples && samples > 0);
  const right = (list: RowResult["samples"]) => list.filter((sample) => sample.right).length;
  const all = rows.flatMap((row) => row.samples);
  return {
    group,
    rows: rows.length,
    samples,
    mean: meanOf(judged.map((list) => right(list) / list.length)),
    passAtSamples: meanOf(full.map((list) => passAt(samples, list.length, right(list)))),
    undecided: all.filter((sample) => sample.right === null).length,
    tokens: meanOf(all.map(({ tokens }) => tokens)) ?? 0,
  };
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, x) => sum + x, 0) / values.length;
}
