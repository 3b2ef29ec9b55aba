// Draws docs/recall-study.svg: accuracy of the three arms against the number of pairs and against the length of the context.

import { drawSvg, PALETTE, panelsTop } from "../../dist/node/figure.js";
import { estimate } from "./verdict.mjs";

const { blue, orange, green } = PALETTE;
const COLORS = { lightning: orange, hybrid: blue, softmax: green };
const NAMES = { lightning: "all lightning", hybrid: "seven lightning, one softmax", softmax: "all softmax" };
const [WIDTH, HEIGHT] = [300, 250];

/** Draws the figure. @returns SVG that adapts to light and dark colour schemes */
export function figure(runs, config) {
  const { training, evaluation, final } = config;
  const { length, lengthPairs } = evaluation;
  const title = "Recall of trained models: pairs and lengths beyond those of the training";
  const notes = [
    `Lines: means over ${final.seeds.length} seeds. Bands: 95 % intervals. Dashed: the most pairs (${training.maxPairs}) and the longest context (${length} tokens) of the training. Dotted: a guess.`,
    `The first panel has ${length} tokens of context, except that 64 pairs need 128.`,
  ];
  const legend = [Object.keys(COLORS).map((arm) => ({ mark: "line", color: COLORS[arm], text: NAMES[arm] }))];
  const y = panelsTop({ notes, legend });
  const panels = [
    { title: "Accuracy against pairs", series: "pairs", x: "pairs", label: "pairs in the context", trained: training.maxPairs },
    { title: `${lengthPairs} pairs in a longer context`, series: "length", x: "context", label: "tokens of the context", trained: length },
    { title: "One pair (a needle), all depths", series: "needle", x: "context", label: "tokens of the context", trained: length },
  ];
  return drawSvg({
    ...{ title, notes, legend, width: 12 + panels.length * (WIDTH + 24), height: y + HEIGHT + 24 },
    panels: (Plot) =>
      panels.map((panel, i) => ({
        ...{ title: panel.title, x: 12 + i * (WIDTH + 24), y },
        options: { width: WIDTH, height: HEIGHT, marginBottom: 42, ...accuracy(Plot, runs, panel, 1 / config.vocabulary.values) },
      })),
  });
}

/** Mean accuracy and interval of each arm at each x. A run has one accuracy at each x, the mean over the depths of a needle. */
function accuracy(Plot, runs, { series, x, label, trained }, chance) {
  const all = runs.flatMap((run) =>
    run.cells.filter((cell) => cell.series === series).map((cell) => ({ ...cell, arm: run.arm, seed: run.seed })),
  );
  const positions = [...new Set(all.map((cell) => cell[x]))];
  const rows = Object.keys(COLORS).flatMap((arm) =>
    positions.map((position) => {
      const cells = all.filter((cell) => cell.arm === arm && cell[x] === position);
      const seeds = [...new Set(cells.map(({ seed }) => seed))];
      const bySeed = seeds.map((seed) => cells.filter((cell) => cell.seed === seed).map((cell) => 100 * cell.accuracy));
      const { mean, interval } = estimate(bySeed.map((own) => own.reduce((sum, x) => sum + x, 0) / own.length));
      return { arm, position, mean, low: Math.max(0, interval[0]), high: Math.min(100, interval[1]) };
    }),
  );
  const stroke = ({ arm }) => COLORS[arm];
  return {
    x: { label, type: "log", base: 2, ticks: positions, tickFormat: "d" },
    y: { label: "right, %", grid: true, domain: [0, 100] },
    marks: [
      Plot.areaY(rows, { x: "position", y1: "low", y2: "high", z: "arm", fill: stroke, fillOpacity: 0.15 }),
      Plot.ruleX([trained], { strokeDasharray: "4 4", strokeOpacity: 0.6 }),
      Plot.ruleY([100 * chance], { strokeDasharray: "1 4", strokeOpacity: 0.6 }),
      Plot.lineY(rows, { x: "position", y: "mean", z: "arm", stroke, strokeWidth: 2 }),
      Plot.dot(rows, { x: "position", y: "mean", fill: stroke, r: 2.5 }),
    ],
  };
}
