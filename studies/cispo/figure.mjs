// docs/cispo-study.svg: accuracy against updates with the spread of the seeds, in the manner of the report's figure 2, and where tokens were clipped.

import * as Plot from "@observablehq/plot";
import { picture } from "../picture.mjs";

const COLORS = { dapo: "#1c7ed6", cispo: "#e8590c", grpo: "#2f9e44", reinforce: "#ae3ec9", unified: "#7d8590" };
const TITLES = { fork: "T1: a rare token opens the way", brackets: "T2: no such token" };

export function figure(results, verdicts, config) {
  return picture({
    ...{ title: "Held-out accuracy against updates, each objective at its best learning rate", width: 420, height: 260 },
    keys: Object.keys(config.arms).flatMap((arm) => (arm in COLORS ? [{ text: arm, color: COLORS[arm] }] : [])),
    rows: [
      verdicts.map((verdict) => ({ title: TITLES[verdict.task], ...accuracy(results, verdict, config) })),
      verdicts.map((verdict) => ({ title: "Clipped tokens by update of a batch", ...clipped(results, verdict, config) })),
    ],
  });
}

function finals(results, { task, rates }, { final }) {
  return results.filter((run) => run.task === task && run.arm in COLORS && run.lr === rates[run.arm] && final.seeds.includes(run.seed));
}

/** Mean over the seeds, and their lowest and highest. */
function accuracy(results, verdict, config) {
  const runs = finals(results, verdict, config);
  const rows = Object.keys(COLORS).flatMap((arm) => {
    const own = runs.filter((run) => run.arm === arm);
    return (own[0]?.curves.batch ?? []).map((batch, i) => {
      const values = own.map(({ curves }) => 100 * curves.accuracy[i]);
      return {
        arm,
        updates: batch * config.run.minibatches,
        mean: values.reduce((a, b) => a + b, 0) / values.length,
        low: Math.min(...values),
        high: Math.max(...values),
      };
    });
  });
  return {
    x: { label: "updates" },
    y: { label: "right, %", grid: true, domain: [0, 100] },
    marks: [
      Plot.areaY(rows, { x: "updates", y1: "low", y2: "high", z: "arm", fill: ({ arm }) => COLORS[arm], fillOpacity: 0.12 }),
      Plot.ruleY([100 * verdict.goal], { strokeDasharray: "4 4", strokeOpacity: 0.6 }),
      Plot.lineY(rows, { x: "updates", y: "mean", z: "arm", stroke: ({ arm }) => COLORS[arm], strokeWidth: 2 }),
    ],
  };
}

function clipped(results, verdict, config) {
  const runs = finals(results, verdict, config);
  const rows = Object.keys(COLORS).flatMap((arm) => {
    const own = runs.filter((run) => run.arm === arm);
    return Array.from({ length: own.length > 0 ? config.run.minibatches : 0 }, (_, i) => ({
      arm,
      place: i + 1,
      share: (100 * own.reduce((sum, { clip }) => sum + (clip.all[i] ?? 0), 0)) / own.length,
    }));
  });
  return {
    x: { label: "update within its batch", ticks: [1, 4, 8, 12, 16] },
    y: { label: "clipped, %", grid: true },
    marks: [Plot.lineY(rows, { x: "place", y: "share", z: "arm", stroke: ({ arm }) => COLORS[arm], strokeWidth: 2 })],
  };
}
