import * as v from "valibot";
import type { PolicyMetrics } from "./policy-metrics.js";

/** What a watch has to remember: plain data, kept with the run's progress. */
export const collapseStateSchema = v.strictObject({
  /** Of each source, in groups: right answers and all, moving sums; and the best share of right answers that is beyond doubt. */
  sources: v.record(v.string(), v.strictObject({ right: v.number(), groups: v.number(), best: v.number() })),
  /** Largest entropy of a batch, in nats per token. */
  entropy: v.number(),
  /** Batches in a row that had nothing to learn from. */
  idle: v.number(),
  /** What was told, and still holds. */
  told: v.array(v.string()),
});
export type CollapseState = v.InferOutput<typeof collapseStateSchema>;

export const newCollapseState = (): CollapseState => ({ sources: {}, entropy: 0, idle: 0, told: [] });

// Thresholds. Of the 182 runs of docs/cispo-study 13 ended below half of their best accuracy: those of accuracy and entropy hold in 11 of these, and in none of the 111 runs at the two learning rates that
// stay healthy (by their held-out accuracy, taken for 64 groups). Simulated runs of 150 batches at a constant pass rate of 0.5 are told to fall in at most 4 of 1,000, for 1 to 32 groups a batch.
/** Of the best share of right answers. */
const COLLAPSED_ACCURACY_FRACTION = 0.8;
/** How much of a moving sum a batch leaves, and how many standard errors are doubt. */
const [MOVING_SUM_DECAY, CONFIDENCE_STANDARD_ERRORS] = [0.7, 1.5];
/** Of the largest entropy. */
const COLLAPSED_ENTROPY_FRACTION = 0.05;
/** Above it, certainty is what was wanted. */
const SOLVED_ACCURACY = 0.9;
const MAX_IDLE_BATCHES = 3;
/** Of a batch's tokens, mean over its updates. */
const MIN_EFFECTIVE_FRACTION = 0.25;

/** What a watch looks at. */
type BatchSummary = Pick<PolicyMetrics, "accuracy" | "policy" | "sources" | "updates"> & {
  readonly groupSize: number;
  readonly lr: number;
};

/**
 * Looks for a policy that collapses: accuracy that falls from its best, certainty below full marks, importance weights that a few tokens dominate. Each is told once, until it is over.
 *
 * @returns the state after this batch, and what is to be told
 */
export function detectCollapse(
  state: CollapseState,
  batch: BatchSummary,
): { readonly state: CollapseState; readonly warnings: readonly string[] } {
  const { accuracy, policy, updates, sources, groupSize, lr } = batch;
  const entropy = Math.max(state.entropy, policy?.entropy ?? 0);
  const idle = updates.length === 0 ? state.idle + 1 : 0;
  const remedy = `Start again from the weights before and lower the learning rate (now ${lr}), or take fewer minibatches`;

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
      return `the share of right answers to ${name} fell from ${percent(best)} or more to ${percent(own.right / own.groups)}: the policy is collapsing. ${remedy}.`;
    });
  }
  const certain = policy !== undefined && policy.entropy < COLLAPSED_ENTROPY_FRACTION * entropy && accuracy < SOLVED_ACCURACY;
  holds("entropy", certain, certain, () => {
    return `the entropy fell from ${entropy.toPrecision(2)} to ${policy!.entropy.toPrecision(2)} nats per token with ${percent(accuracy)} of the answers right: the policy is certain of wrong answers and hardly explores. ${remedy}; klCoef with a reference holds it back too.`;
  });
  const stuck = idle >= MAX_IDLE_BATCHES && accuracy < SOLVED_ACCURACY;
  holds("idle", stuck, stuck, () => {
    const why = accuracy === 0 ? "no answer is right" : "the answers to each question are all right or all wrong";
    const fallen = Object.entries(sources).find(([name, { accuracy }]) => accuracy < COLLAPSED_ACCURACY_FRACTION * seen[name]!.best);
    const before = fallen ? `, after ${percent(seen[fallen[0]]!.best)} or more of those to ${fallen[0]}` : "";
    const remedies =
      accuracy === 0 ? "Begin with easier problems or with supervised training" : "Sample larger groups, or lower the learning rate";
    return `${idle} batches in a row had nothing to learn from, because ${why} (${percent(accuracy)} right in all${before}). ${fallen ? `The policy has collapsed. ${remedy}` : remedies}.`;
  });
  const shares = updates.map(({ effectiveSampleSize, tokens }) => (tokens === 0 ? 1 : effectiveSampleSize / tokens));
  const effective = shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  const few = shares.length > 0 && effective < MIN_EFFECTIVE_FRACTION;
  holds("weights", few, few, () => {
    return `the importance weights of a few tokens outweigh the rest: the effective sample size is ${percent(effective)} of the tokens. ${remedy}; a smaller maxWeight bounds them.`;
  });

  return {
    state: { sources: seen, entropy, idle, told: [...found.keys()] },
    warnings: [...found].flatMap(([key, warning]) => (state.told.includes(key) ? [] : [warning])),
  };
}

/** Between what a share is, but for doubt. The answers of a group are much alike, so each group counts once; one right and one wrong are added, so that few are not certain. */
function confidenceInterval({ right, groups }: { readonly right: number; readonly groups: number }): readonly [low: number, high: number] {
  const share = (right + 1) / (groups + 2);
  const error = CONFIDENCE_STANDARD_ERRORS * Math.sqrt((share * (1 - share)) / (groups + 2));
  return [share - error, share + error];
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
