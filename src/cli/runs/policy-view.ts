import { meanAccuracy, type PolicyMetrics } from "../../rl/index.js";
import type { HeldOut } from "../figures/policy-figure.js";
import type { LabelledValue, MetricsDisplay } from "./run-view.js";

/** A line of metrics: the metrics of a batch, or only the held-out accuracy before the first batch. */
export type PolicyLine = (PolicyMetrics | { readonly batch: 0 }) & { readonly heldOut?: readonly HeldOut[] };

/** Returns a function that converts successive lines of metrics for display. It repeats the latest held-out accuracy. */
export function policyView(): (line: PolicyLine) => MetricsDisplay {
  let latest: number | undefined;
  return (line) => {
    const tested = line.heldOut && meanAccuracy(line.heldOut);
    latest = tested ?? latest;
    const own = "step" in line ? valuesOf(line) : [];
    const heldOut = (share: number | undefined): LabelledValue[] => (share === undefined ? [] : [["held out", percent(share)]]);
    return {
      values: [...heldOut(latest), ...own],
      line: [...heldOut(tested), ...own].map((entry) => entry.join(" ")),
      ...("step" in line && { warnings: line.warnings }),
    };
  };
}

function valuesOf({ accuracy, rewards, length, policy, updates, tokensPerSecond }: PolicyMetrics): LabelledValue[] {
  const { total } = rewards;
  const mean = (of: (update: (typeof updates)[number]) => number) => updates.reduce((sum, update) => sum + of(update), 0) / updates.length;
  return [
    ["right", percent(accuracy)],
    ...(total === undefined ? [] : [["reward", total.toFixed(3)] as const]),
    ["length", `${length.mean.toFixed(0)} (p99 ${length.p99.toFixed(0)})`],
    ...(length.truncated > 0 ? [["cut off", percent(length.truncated)] as const] : []),
    ...(policy ? [["entropy", policy.entropy.toFixed(3)] as const] : []),
    ...(updates.length === 0
      ? []
      : [
          ["clipped", percent(mean(({ clipFraction }) => clipFraction.all))] as const,
          ...(updates[0]!.klRef === undefined ? [] : [["KL to reference", mean(({ klRef }) => klRef!).toPrecision(3)] as const]),
          ["gradient", mean(({ gradNorm }) => gradNorm).toPrecision(3)] as const,
        ]),
    ...(policy?.agreement ? [["agreement", policy.agreement.correlation.toFixed(5)] as const] : []),
    ["tokens/s", tokensPerSecond.toFixed(0)],
  ];
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
