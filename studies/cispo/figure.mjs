// docs/cispo-study.svg: accuracy against updates with the spread of the seeds, in the manner of the report's figure 2, and where tokens were clipped.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

const COLORS = { dapo: "#1c7ed6", cispo: "#e8590c", grpo: "#2f9e44", reinforce: "#ae3ec9", unified: "#7d8590" };
const TITLES = { fork: "T1: a rare token opens the way", brackets: "T2: no such token" };
const [WIDTH, HEIGHT, LEFT, TOP] = [420, 260, 12, 70];

/** @returns SVG that follows the reader's light or dark scheme */
export async function figure(results, verdicts, config) {
  const panels = verdicts.flatMap((verdict, column) => [
    panel(accuracy(results, verdict, config), LEFT + column * (WIDTH + 24), TOP, TITLES[verdict.task]),
    panel(clipped(results, verdict, config), LEFT + column * (WIDTH + 24), TOP + HEIGHT + 44, "Clipped tokens by update of a batch"),
  ]);
  const [width, height] = [LEFT + 2 * (WIDTH + 24), TOP + 2 * (HEIGHT + 44)];
  const keys = Object.keys(config.arms).filter((arm) => arm in COLORS);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Held-out accuracy against updates">`,
    "<style>svg { color: #24292f; } @media (prefers-color-scheme: dark) { svg { color: #e6edf3; } }</style>",
    `<text x="12" y="24" font-size="16" font-weight="600" fill="currentColor">Held-out accuracy against updates, each objective at its best learning rate</text>`,
    ...keys.map(
      (arm, i) =>
        `<line x1="${12 + 100 * i}" x2="${32 + 100 * i}" y1="46" y2="46" stroke="${COLORS[arm]}" stroke-width="2"/><text x="${38 + 100 * i}" y="50" fill="currentColor">${arm}</text>`,
    ),
    ...panels,
    "</svg>\n",
  ].join("\n");
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

function panel(options, x, y, title) {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const node = Plot.plot({ document, width: WIDTH, height: HEIGHT, style: { background: "none", overflow: "visible" }, ...options });
  node.querySelector("style")?.remove();
  node.setAttribute("x", `${x}`);
  node.setAttribute("y", `${y + 18}`);
  const drawn = node.outerHTML.replace(/="[^"]*"/g, (value) => value.replace(/(\d\.\d\d)\d+/g, "$1"));
  return `<text x="${x}" y="${y + 8}" font-weight="600" fill="currentColor">${title}</text>\n${drawn}`;
}
