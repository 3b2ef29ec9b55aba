// Computes the verdict from the runs, by rules that were fixed before the final runs (README.md).

/** Lowest mean accuracy of the softmax arm within the training distribution with which the study counts as tested. */
const LEARNED = 0.8;
/** Lowest mean accuracy of all lightning with two pairs, with which it has learned to compare keys. A guess is right in half of the cases. */
const COMPARES = 0.75;
/** Smallest difference that counts as one. */
const RELEVANT = 0.05;
/** Smallest part of the gap that the hybrid must close. */
const CLOSED = 0.5;

const mean = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;

/** 97.5 % quantiles of Student's t distribution, by degrees of freedom. */
const T_QUANTILES = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** The mean, and its 95 % interval by Student's t distribution. */
export function estimate(values) {
  const centre = mean(values);
  const n = values.length;
  if (n < 2 || n > T_QUANTILES.length + 1) throw new Error(`study: expected 2 to ${T_QUANTILES.length + 1} seeds, got ${n}`);
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - centre) ** 2, 0) / (n - 1));
  const margin = (T_QUANTILES[n - 2] * deviation) / Math.sqrt(n);
  return { mean: centre, interval: [centre - margin, centre + margin] };
}

/** The measures of a run: each is the mean accuracy over some cells. */
export function measures({ evaluation: { length }, training: { maxPairs } }) {
  const of = (series, fits) => (run) =>
    mean(run.cells.filter((cell) => cell.series === series && fits(cell)).map(({ accuracy }) => accuracy));
  return {
    two: of("pairs", ({ pairs }) => pairs === 2),
    learned: of("pairs", ({ pairs }) => pairs <= maxPairs),
    pairs: of("pairs", ({ pairs, context }) => pairs > maxPairs && context === length),
    length: of("length", ({ context }) => context > length),
    needle: of("needle", ({ context }) => context > length),
  };
}

/** The learning rate with the lowest training loss over the last quarter of the pilot runs, averaged over seeds. */
export function bestRate(runs, arm, { learningRates, pilot }) {
  const score = (lr) =>
    mean(
      pilot.seeds.map((seed) => {
        const { losses } = find(runs, { stage: "pilot", arm, lr, seed });
        return mean(losses.slice(-Math.ceil(losses.length / 4)));
      }),
    );
  return learningRates.reduce((best, lr) => (score(lr) < score(best) ? lr : best));
}

/** The run with the given keys. */
export function find(runs, wanted) {
  const found = runs.find((run) => Object.entries(wanted).every(([key, value]) => run[key] === value));
  if (!found) throw new Error(`study: expected a run ${JSON.stringify(wanted)}, got none (npm run study:recall -- --run)`);
  return found;
}

/** Applies the rules of README.md to one measure. */
export function verdictOf({ gap, gain }) {
  if (gap.interval[1] < 0) return "reversed";
  if (gap.interval[0] <= 0 || gap.mean < RELEVANT) return "no gap";
  if (gain.interval[0] <= 0) return "not restored";
  return gain.mean >= CLOSED * gap.mean ? "restored" : "partly restored";
}

/** Computes all conclusions. */
export function judge(runs, config) {
  const arms = Object.keys(config.arms);
  const finals = Object.fromEntries(arms.map((arm) => [arm, config.final.seeds.map((seed) => find(runs, { stage: "final", arm, seed }))]));
  const judged = Object.entries(measures(config)).map(([name, measure]) => {
    const values = Object.fromEntries(arms.map((arm) => [arm, finals[arm].map(measure)]));
    // Differences are paired: the runs of one seed learn from the same sequences.
    const difference = (arm, other) => estimate(values[arm].map((x, i) => x - values[other][i]));
    const differences = {
      gap: difference("softmax", "lightning"),
      gain: difference("hybrid", "lightning"),
      rest: difference("softmax", "hybrid"),
    };
    const accuracy = Object.fromEntries(arms.map((arm) => [arm, estimate(values[arm])]));
    return [name, { accuracy, ...differences, verdict: verdictOf(differences) }];
  });
  const byMeasure = Object.fromEntries(judged);
  const tested = byMeasure.learned.accuracy.softmax.mean >= LEARNED && byMeasure.two.accuracy.lightning.mean >= COMPARES;
  return {
    rates: Object.fromEntries(arms.map((arm) => [arm, finals[arm][0].lr])),
    parameters: Object.fromEntries(arms.map((arm) => [arm, finals[arm][0].parameters])),
    seeds: config.final.seeds.length,
    measures: byMeasure,
    verdict: tested ? byMeasure.pairs.verdict : "not tested",
  };
}
