// Computes the verdict from raw results, by rules that were fixed before any run (README.md).

const of = (results, { task, arm, lr, seed }) =>
  results.find((run) => run.task === task && run.arm === arm && run.lr === lr && run.seed === seed);

const has = (results, { seeds, ...cell }) => seeds.every((seed) => of(results, { ...cell, seed }));

/** The runs of one task, arm, learning rate and stage, ordered by seed. */
function select(results, { task, arm, lr, seeds }) {
  return seeds.map((seed) => {
    const found = of(results, { task, arm, lr, seed });
    if (!found)
      throw new Error(`study: expected a result of ${task}, ${arm}, ${lr}, seed ${seed}, got none (npm run study:cispo -- --run)`);
    return found;
  });
}

const mean = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;
const geometricMean = (values) => Math.exp(mean(values.map(Math.log)));

/** Mean accuracy over the last tenth of the evaluations. */
const plateau = ({ curves: { accuracy } }) => mean(accuracy.slice(-Math.max(1, Math.round(accuracy.length / 10))));

/** Number of updates until the running mean of three evaluations reaches a goal. `censored` if it does not within the run. */
export function stepsTo({ curves: { accuracy, batch } }, goal, updatesPerBatch) {
  for (let i = 1; i < accuracy.length - 1; i++) {
    if ((accuracy[i - 1] + accuracy[i] + accuracy[i + 1]) / 3 >= goal) return { steps: batch[i] * updatesPerBatch, censored: false };
  }
  return { steps: batch.at(-1) * updatesPerBatch, censored: true };
}

/** The learning rate whose pilot runs have the highest accuracy averaged over all evaluations: a fast, high and stable one. */
export function bestRate(results, task, arm, { learningRates, pilot }) {
  const score = (lr) => mean(select(results, { task, arm, lr, seeds: pilot.seeds }).map(({ curves }) => mean(curves.accuracy)));
  return learningRates.reduce((best, lr) => (score(lr) > score(best) ? lr : best));
}

/** A seeded random number generator, so that intervals are reproducible. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The 95 % interval of the geometric mean, by percentile bootstrap over seeds. */
export function interval(ratios, draws = 10_000) {
  const next = generator(1);
  const means = Array.from({ length: draws }, () => geometricMean(ratios.map(() => ratios[Math.floor(next() * ratios.length)])));
  means.sort((a, b) => a - b);
  return [means[Math.floor(0.025 * draws)], means[Math.ceil(0.975 * draws) - 1]];
}

/** The ratio of the updates that two arms need to reach a goal, over paired seeds. */
export function compare(runs, others, goal, updatesPerBatch) {
  const [own, other] = [runs, others].map((list) => list.map((run) => stepsTo(run, goal, updatesPerBatch)));
  const ratios = own.map(({ steps }, i) => steps / other[i].steps);
  return {
    steps: own.map(({ steps }) => steps),
    ratio: geometricMean(ratios),
    interval: interval(ratios),
    censored: [own, other].map((list) => list.filter(({ censored }) => censored).length),
  };
}

/** Kaplan-Meier median: the updates after which half of the runs have reached the goal. Undefined if fewer do. */
export function medianSteps(list) {
  const sorted = list.toSorted((a, b) => a.steps - b.steps || a.censored - b.censored);
  let surviving = 1;
  for (const [i, { steps, censored }] of sorted.entries()) {
    if (!censored) surviving *= 1 - 1 / (sorted.length - i);
    if (surviving <= 0.5) return steps;
  }
  return undefined;
}

/** Whether a run collapsed: final accuracy 20 points below its peak, or hardly any entropy while below the goal. */
export function collapsed(run, goal) {
  const { accuracy, entropy } = run.curves;
  const end = plateau(run);
  return Math.max(...accuracy) - end > 0.2 || ((entropy.findLast((x) => x !== null) ?? 1) < 0.01 && end < goal);
}

/** Share of tokens that DAPO clips in its off-policy updates. */
const clippedShare = (runs) => mean(runs.flatMap(({ clip }) => clip.all.slice(1).filter((x) => x !== null)));

/** Intermediate goals, as shares of the gain from the warm start to the goal. */
const SHARES = [0.5, 0.75, 0.9, 1];

/** Computes all conclusions about one task. */
export function judge(results, task, config) {
  const { final, pilot, learningRates, run, arms } = config;
  const updates = run.minibatches;
  const complete = (arm) =>
    learningRates.every((lr) => has(results, { task, arm, lr, seeds: pilot.seeds })) &&
    has(results, { task, arm, lr: bestRate(results, task, arm, config), seeds: final.seeds });
  // The two compared arms must be complete: `select` reports missing runs.
  const known = Object.keys(arms).filter((arm) => arm === "dapo" || arm === "cispo" || complete(arm));
  const rates = Object.fromEntries(known.map((arm) => [arm, bestRate(results, task, arm, config)]));
  const finals = Object.fromEntries(known.map((arm) => [arm, select(results, { task, arm, lr: rates[arm], seeds: final.seeds })]));
  const start = mean(finals.dapo.map(({ curves }) => curves.accuracy[0]));
  const goal = mean(finals.dapo.map(plateau));
  const matched = Object.fromEntries(
    learningRates.map((lr) => {
      const [cispo, dapo] = ["cispo", "dapo"].map((arm) => select(results, { task, arm, lr, seeds: pilot.seeds }));
      const goal = mean(dapo.map(plateau));
      return [lr, { goal, clipped: clippedShare(dapo), ratio: compare(cispo, dapo, goal, updates).ratio }];
    }),
  );
  const headline = compare(finals.cispo, finals.dapo, goal, updates);
  /** Ratio of each arm to DAPO, at each intermediate goal. */
  const sweep = Object.fromEntries(
    known
      .filter((arm) => arm !== "dapo")
      .map((arm) => [
        arm,
        Object.fromEntries(SHARES.map((share) => [share, compare(finals[arm], finals.dapo, start + share * (goal - start), updates)])),
      ]),
  );
  const fallen = (arm) => finals[arm].map((one) => collapsed(one, goal));
  const collapses = Object.fromEntries(known.map((arm) => [arm, fallen(arm).filter(Boolean).length]));
  /** Number of seeds in which CISPO collapses and DAPO does not. */
  const alone = fallen("cispo").filter((one, i) => one && !fallen("dapo")[i]).length;
  const valid = clippedShare(finals.dapo) >= 0.01;
  return {
    ...{ task, start, goal, rates, valid, clipped: clippedShare(finals.dapo), seeds: final.seeds.length },
    headline,
    plateau: plateauOf(headline, finals.dapo, goal, updates),
    medians: Object.fromEntries(known.map((arm) => [arm, medianSteps(finals[arm].map((one) => stepsTo(one, goal, updates))) ?? null])),
    ...{ sweep, matched, collapses },
    reinforce: finals.reinforce && compare(finals.reinforce, finals.cispo, goal, updates),
    verdict: verdictOf({ ...headline, collapses: { cispo: collapses.cispo, alone }, valid }),
  };
}

/**
 * Returns whether the comparison at the goal can distinguish a slower arm from an equal one. The goal is DAPO's own final accuracy, so DAPO
 * reaches it near the end of its budget. An arm that does not reach it counts with all of its updates, so that no ratio beyond budget /
 * DAPO's updates can be observed. Added after the first verdict; the rules below do not use it.
 */
export function plateauOf({ interval: [low, high], censored: [own] }, dapo, goal, updatesPerBatch) {
  const largest = geometricMean(dapo.map((run) => (run.curves.batch.at(-1) * updatesPerBatch) / stepsTo(run, goal, updatesPerBatch).steps));
  return { largest, conclusive: high < 1 || low > 1 || (own === 0 && largest >= LARGEST_TO_TELL) };
}

/** Smallest ratio of a slower arm that the comparison must be able to observe. */
const LARGEST_TO_TELL = 1.5;

/** Applies the rules of README.md. */
export function verdictOf({ ratio, interval: [low, high], collapses, valid }) {
  if (!valid) return "not tested: DAPO clips next to nothing";
  if (collapses.alone >= 2 || low > 1) return "contradicted";
  if (ratio <= 0.55 && high < 0.75 && collapses.cispo === 0) return "reproduced";
  if (high < 1) return "directionally reproduced";
  return "not reproduced";
}
