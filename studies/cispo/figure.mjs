// Draws docs/cispo-study.svg: accuracy over updates with the range of the seeds, as in figure 2 of the M1 report, and shares of clipped tokens.

import { drawSvg, PALETTE, panelsTop } from "../../dist/node/figure.js";

const { blue, orange, green, purple, grey } = PALETTE;
const COLORS = { dapo: blue, cispo: orange, grpo: green, reinforce: purple, unified: grey };
const TITLES = { fork: "T1: a rare token opens the way", brackets: "T2: no such token" };
const [WIDTH, HEIGHT] = [420, 260];

/** Draws the figure. @returns SVG that adapts to light and dark colour schemes */
export function figure(results, verdicts, config) {
  const title = "Held-out accuracy against updates, each objective at its best learning rate";
  const gains = [0.5, 0.75].map((share) => 100 * share);
  const notes = [
    `Means over ${config.final.seeds.length} seeds, and their lowest and highest. Dotted: ${gains.join(" and ")} % of DAPO's gain. Dashed: its plateau, the mean of its last evaluations.`,
  ];
  const judged = Object.keys(COLORS).filter((arm) => verdicts.every(({ rates }) => arm in rates));
  const legend = [judged.map((arm) => ({ mark: "line", color: COLORS[arm], text: arm }))];
  const top = panelsTop({ notes, legend });
  const at = (column, row) => ({ x: 12 + column * (WIDTH + 24), y: top + row * (HEIGHT + 44) });
  return drawSvg({
    ...{ title, notes, legend, width: at(verdicts.length, 0).x, height: at(0, 2).y },
    panels: (Plot) =>
      verdicts.flatMap((verdict, column) => [
        { title: TITLES[verdict.task], ...at(column, 0), options: { ...size, ...accuracy(Plot, results, verdict, config) } },
        {
          title: "Clipped tokens by update of a batch",
          ...at(column, 1),
          options: { ...size, ...clipped(Plot, results, verdict, config) },
        },
      ]),
  });
}

const size = { width: WIDTH, height: HEIGHT, marginBottom: 42 };

function finals(results, { task, rates }, { final }) {
  return results.filter((run) => run.task === task && run.arm in COLORS && run.lr === rates[run.arm] && final.seeds.includes(run.seed));
}

/** Mean, minimum and maximum over the seeds. */
function accuracy(Plot, results, verdict, config) {
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
      Plot.ruleY(
        [0.5, 0.75].map((share) => 100 * (verdict.start + share * (verdict.goal - verdict.start))),
        { strokeDasharray: "1 4", strokeOpacity: 0.6 },
      ),
      Plot.ruleY([100 * verdict.goal], { strokeDasharray: "4 4", strokeOpacity: 0.6 }),
      Plot.lineY(rows, { x: "updates", y: "mean", z: "arm", stroke: ({ arm }) => COLORS[arm], strokeWidth: 2 }),
    ],
  };
}

function clipped(Plot, results, verdict, config) {
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
