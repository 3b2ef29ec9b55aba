import * as v from "valibot";
import type { PolicyMetrics } from "./policy-metrics.js";

/** State of the collapse detection, as plain data. It is saved with the progress of a run. */
export const collapseStateSchema = v.strictObject({
  /**
   * For each source: decaying sums of the right answers (`right`) and of all answers (`groups`), both divided by the group size, and the
   * highest lower confidence bound of the accuracy so far (`best`).
   */
  sources: v.record(v.string(), v.strictObject({ right: v.number(), groups: v.number(), best: v.number() })),
  /** Largest entropy of any batch so far, in nats per token. */
  entropy: v.number(),
  /** Number of consecutive batches without an update. */
  idle: v.number(),
  /** Keys of the warnings that were issued and whose cause still exists. */
  told: v.array(v.string()),
});
export type CollapseState = v.InferOutput<typeof collapseStateSchema>;

export const newCollapseState = (): CollapseState => ({ sources: {}, entropy: 0, idle: 0, told: [] });

// The thresholds come from the 182 runs of docs/cispo-study. There, held-out accuracy took the place of batch accuracy and counted as 64
// groups. 13 of the runs ended below half of their best accuracy. The thresholds of accuracy and entropy detect 11 of these 13, and raise
// no alarm in the 111 runs at the two stable learning rates. For the rate of false alarms, runs of 150 batches were simulated at a constant
// pass rate of 0.5, with 1 to 32 groups per batch. At most 4 of 1,000 of these raise an alarm.

/** Accuracy has collapsed if it is below this share of its best value. */
const COLLAPSED_ACCURACY_FRACTION = 0.8;
/** Factor by which the moving sums decay per batch. */
const MOVING_SUM_DECAY = 0.7;
/** Half-width of a confidence interval, in standard errors. */
const CONFIDENCE_STANDARD_ERRORS = 1.5;
/** Entropy has collapsed if it is below this share of its largest value. */
const COLLAPSED_ENTROPY_FRACTION = 0.05;
/** Accuracy at or above which low entropy and missing updates are expected. */
const SOLVED_ACCURACY = 0.9;
/** Number of consecutive batches without an update that raises a warning. */
const MAX_IDLE_BATCHES = 3;
/** Minimum effective sample size, as a share of the tokens of an update. It is compared with the mean over the updates of a batch. */
const MIN_EFFECTIVE_FRACTION = 0.25;

/** The metrics of a batch that the detection uses. */
type BatchSummary = Pick<PolicyMetrics, "accuracy" | "policy" | "sources" | "updates"> & {
  readonly groupSize: number;
  readonly lr: number;
};

/**
 * Detects a collapsing policy after each batch. Four signs count:
 *
 * - the accuracy on a source falls below its best value
 * - the entropy is low although the accuracy is not high
 * - several consecutive batches have no update
 * - a few tokens dominate the importance ratios
 *
 * Each warning is issued once. It is repeated only if its cause disappeared and came back.
 *
 * @returns the state after this batch, and its new warnings
 */
export function detectCollapse(
  state: CollapseState,
  batch: BatchSummary,
): { readonly state: CollapseState; readonly warnings: readonly string[] } {
  const { accuracy, policy, updates, sources, groupSize, lr } = batch;
  const entropy = Math.max(state.entropy, policy?.entropy ?? 0);
  const idle = updates.length === 0 ? state.idle + 1 : 0;
  const remedy = `Restart from earlier weights with a lower learning rate (now ${lr}) or fewer minibatches`;

  const found = new Map<string, string>();
  const holds = (key: string, begins: boolean, persists: boolean, warning: () => string) => {
    if (begins || (persists && state.told.includes(key))) found.set(key, warning());
  };
  const seen = { ...state.sources };
  for (const [name, { accuracy: share, responses }] of Object.entries(sources)) {
    const before = Object.hasOwn(seen, name) ? seen[name]! : { right: 0, groups: 0, best: 0 };
    const own = {
      right: MOVING_SUM_DECAY * before.right + (share * responses) / groupSize,
      groups: MOVING_SUM_DECAY * before.groups + responses / groupSize,
    };
    const [low, high] = confidenceInterval(own);
    const best = Math.max(before.best, low);
    seen[name] = { ...own, best };
    holds(`accuracy ${name}`, high < COLLAPSED_ACCURACY_FRACTION * best, low < COLLAPSED_ACCURACY_FRACTION * best, () => {
      return `the accuracy on ${name} fell from at least ${percent(best)} to ${percent(own.right / own.groups)}: the policy is collapsing. ${remedy}.`;
    });
  }
  const certain = policy !== undefined && policy.entropy < COLLAPSED_ENTROPY_FRACTION * entropy && accuracy < SOLVED_ACCURACY;
  holds("entropy", certain, certain, () => {
    return `the entropy fell from ${entropy.toPrecision(2)} to ${policy!.entropy.toPrecision(2)} nats per token at an accuracy of ${percent(accuracy)}: the policy is confident in wrong answers and hardly explores. ${remedy}, or add a KL penalty (klCoef and a reference).`;
  });
  const stuck = idle >= MAX_IDLE_BATCHES && accuracy < SOLVED_ACCURACY;
  holds("idle", stuck, stuck, () => {
    const why = accuracy === 0 ? "no answer is right" : "the answers to each question are all right or all wrong";
    const fallen = Object.entries(sources).find(([name, { accuracy }]) => accuracy < COLLAPSED_ACCURACY_FRACTION * seen[name]!.best);
    const before = fallen ? `; it was at least ${percent(seen[fallen[0]]!.best)} on ${fallen[0]}` : "";
    const remedies =
      accuracy === 0 ? "Start with easier problems or with supervised training" : "Sample larger groups, or lower the learning rate";
    return `${idle} consecutive batches had no update, because ${why} (accuracy ${percent(accuracy)}${before}). ${fallen ? `The policy has collapsed. ${remedy}` : remedies}.`;
  });
  const shares = updates.map(({ effectiveSampleSize, tokens }) => (tokens === 0 ? 1 : effectiveSampleSize / tokens));
  const effective = shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  const few = shares.length > 0 && effective < MIN_EFFECTIVE_FRACTION;
  holds("weights", few, few, () => {
    return `a few tokens with large importance ratios dominate the updates: the effective sample size is ${percent(effective)} of the tokens. ${remedy}, or lower maxWeight to clip the ratios.`;
  });

  return {
    state: { sources: seen, entropy, idle, told: [...found.keys()] },
    warnings: [...found].flatMap(([key, warning]) => (state.told.includes(key) ? [] : [warning])),
  };
}

/**
 * Returns a confidence interval of an accuracy. Each group counts as one observation, because answers within a group are strongly
 * correlated. One right and one wrong observation are added, so that the interval does not vanish for few observations.
 */
function confidenceInterval({ right, groups }: { readonly right: number; readonly groups: number }): readonly [low: number, high: number] {
  const share = (right + 1) / (groups + 2);
  const error = CONFIDENCE_STANDARD_ERRORS * Math.sqrt((share * (1 - share)) / (groups + 2));
  return [share - error, share + error];
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
