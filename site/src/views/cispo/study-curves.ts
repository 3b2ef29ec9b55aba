// The curves of the CISPO study, from its committed results. Computed when the site is built.

/** What is read of a line of results.jsonl: a run of one arm with one seed. */
interface StudyRun {
  readonly task: string;
  readonly arm: string;
  readonly lr: number;
  readonly seed: number;
  readonly curves: { readonly batch: readonly number[]; readonly accuracy: readonly number[] };
}

/** What is read of verdict.json. */
interface StudyVerdict {
  readonly task: string;
  /** Accuracy before the runs, and DAPO's at their end. */
  readonly start: number;
  readonly goal: number;
  /** The best learning rate of each arm. */
  readonly rates: Readonly<Record<string, number>>;
  readonly sweep: Readonly<Record<string, Readonly<Record<string, Comparison>>>>;
}

interface StudyConfig {
  readonly run: { readonly minibatches: number };
  readonly final: { readonly seeds: readonly number[] };
}

/** The updates of an arm divided by those of DAPO, to a share of the gain. */
export interface Comparison {
  readonly ratio: number;
  /** The 95 % interval. */
  readonly interval: readonly number[];
  /** Numbers of seeds in which the arm, and DAPO, do not reach the goal. */
  readonly censored: readonly number[];
}

/** Accuracy on held-out puzzles against updates: the mean over the seeds, their lowest and their highest. */
export interface StudyCurve {
  readonly arm: string;
  readonly updates: readonly number[];
  readonly mean: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
}

export interface StudyTask {
  readonly task: string;
  readonly seeds: number;
  readonly start: number;
  readonly goal: number;
  readonly curves: readonly StudyCurve[];
  /** By arm and share of the gain. */
  readonly comparisons: StudyVerdict["sweep"];
}

/** @param results the text of results.jsonl */
export function studyTasks(results: string, verdicts: readonly unknown[], config: StudyConfig): StudyTask[] {
  const runs = results
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as StudyRun);
  return (verdicts as readonly StudyVerdict[]).map(({ task, start, goal, rates, sweep }) => ({
    ...{ task, start, goal, seeds: config.final.seeds.length },
    curves: Object.entries(rates).map(([arm, lr]) => {
      const isOwn = (run: StudyRun) => run.task === task && run.arm === arm && run.lr === lr && config.final.seeds.includes(run.seed);
      return studyCurve(arm, runs.filter(isOwn), config.run.minibatches);
    }),
    comparisons: Object.fromEntries(
      Object.entries(sweep).map(([arm, byShare]) => [
        arm,
        Object.fromEntries(Object.entries(byShare).map(([share, { ratio, interval, censored }]) => [share, { ratio, interval, censored }])),
      ]),
    ),
  }));
}

function studyCurve(arm: string, runs: readonly StudyRun[], updatesPerBatch: number): StudyCurve {
  const batches = runs[0]?.curves.batch ?? [];
  const at = batches.map((_, i) => runs.map(({ curves }) => curves.accuracy[i]!));
  return {
    arm,
    updates: batches.map((batch) => batch * updatesPerBatch),
    mean: at.map((values) => Number((values.reduce((sum, value) => sum + value, 0) / values.length).toPrecision(4))),
    low: at.map((values) => Math.min(...values)),
    high: at.map((values) => Math.max(...values)),
  };
}
