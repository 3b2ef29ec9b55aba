import { InputError } from "../base/errors.js";
import { expectArgument } from "../base/options.js";
import { printed } from "../base/printed.js";
import { passHat } from "../rl/index.js";
import { checkTrace, type Trace, totalReward } from "./trace.js";

/**
 * Computes pass^k, the metric of τ-bench: the probability that k episodes of a task are all right, as the mean over the tasks. Episodes
 * that could not be judged are left out, and so are tasks with fewer than k others.
 *
 * @param isRight whether an episode counts as right (a total reward of at least 1)
 * @returns null if no task has k judged episodes
 * @throws {InputError} values that are not traces, or k below 1
 */
export function passHatK(
  traces: readonly Trace[],
  k: number,
  isRight: (trace: Trace) => boolean = (trace) => (totalReward(trace) ?? 0) >= 1,
): number | null {
  expectArgument("passHatK: traces", Array.isArray(traces), "an array of traces", traces);
  if (!(Number.isSafeInteger(k) && k >= 1)) throw new InputError(`passHatK: k: expected an integer of at least 1, got ${printed(k)}`);
  expectArgument("passHatK: isRight", typeof isRight === "function", "a function", isRight);
  const byTask = new Map<string, boolean[]>();
  for (const [i, trace] of traces.entries()) {
    checkTrace(trace, `passHatK: traces[${i}]`);
    if (totalReward(trace) === null) continue;
    byTask.set(trace.task.hash, [...(byTask.get(trace.task.hash) ?? []), isRight(trace)]);
  }
  const estimates = [...byTask.values()]
    .filter((episodes) => episodes.length >= k)
    .map((episodes) => passHat(k, episodes.length, episodes.filter(Boolean).length));
  return estimates.length === 0 ? null : estimates.reduce((sum, x) => sum + x, 0) / estimates.length;
}
