// The computing of the view "CISPO", without a browser.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { rewardOf, type Step, sortingRun } from "../../src/views/cispo/sorting-run.ts";
import { studyTasks } from "../../src/views/cispo/study-curves.ts";

const study = (file: string) => readFileSync(new URL(`../../../docs/cispo-study/${file}`, import.meta.url), "utf8");

test("the study's curves are means and ranges over the five seeds of the best learning rate", () => {
  const verdicts = JSON.parse(study("verdict.json"));
  const tasks = studyTasks(study("results.jsonl"), verdicts, JSON.parse(study("config.json")));
  expect(tasks.map(({ task }) => task)).toEqual(["fork", "brackets"]);
  const runs = study("results.jsonl")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const [t, { task, curves, comparisons }] of tasks.entries()) {
    expect(curves.length).toBe(7);
    expect(comparisons).toMatchObject({ cispo: { 0.5: { ratio: verdicts[t].sweep.cispo["0.5"].ratio } } });
    const { arm, updates, mean, low, high } = curves.find((curve) => curve.arm === "dapo")!;
    expect(updates.length).toBe(31);
    expect(updates.at(-1)).toBe(960);
    const own = runs.filter((run) => run.task === task && run.arm === arm && run.lr === verdicts[t].rates.dapo && run.seed <= 5);
    expect(own.length).toBe(5);
    const last = own.map(({ curves }) => curves.accuracy[30]).sort();
    expect([low[30], high[30]]).toEqual([last[0], last[4]]);
    expect(mean[30]).toBeCloseTo(last.reduce((sum, value) => sum + value, 0) / 5, 3);
  }
});

test("the reward is the share of digits in their right places", () => {
  expect(rewardOf([7, 2, 5], [2, 5, 7])).toBe(1);
  expect(rewardOf([7, 2, 5], [2, 7, 5])).toBeCloseTo(1 / 3);
  expect(rewardOf([7, 2, 5], [])).toBe(0);
  expect(rewardOf([4, 4, 1], [1, 4, 4])).toBe(1);
});

async function stepsOf(choice: Parameters<typeof sortingRun>[0], batches: number): Promise<Step[]> {
  const steps: Step[] = [];
  for await (const step of sortingRun(choice)) {
    steps.push(step);
    if (steps.length === batches) break;
  }
  return steps;
}

const meanReward = (steps: readonly Step[]) => steps.reduce((sum, { reward }) => sum + reward, 0) / steps.length;

test("the mean reward rises from that of random answers, and the seed determines the run", async () => {
  const steps = await stepsOf({ objective: "cispo", seed: 3 }, 10);
  const [start, end] = [meanReward(steps.slice(0, 3)), meanReward(steps.slice(-3))];
  // A random token of eight is right in an eighth of the cases.
  expect(start).toBeLessThan(0.2);
  expect(end).toBeGreaterThan(2 * start);
  expect(await stepsOf({ objective: "cispo", seed: 3 }, 2)).toEqual(steps.slice(0, 2));
  expect(steps.map(({ batch }) => batch)).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
  for (const { sample } of steps) expect(sample.question.length).toBe(3);
});
