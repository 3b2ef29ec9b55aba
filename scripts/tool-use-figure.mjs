// Draws docs/tool-use.svg from docs/tool-use.json, the results of examples/tool-use.mjs:
//   npm run build && node scripts/tool-use-figure.mjs [RUN]         RUN/results.json replaces docs/tool-use.json first

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawSvg, PALETTE, panelsTop } from "../dist/node/figure.js";

const docs = fileURLToPath(new URL("../docs", import.meta.url));
const [run] = process.argv.slice(2);
if (run) copyFileSync(join(run, "results.json"), join(docs, "tool-use.json"));
const { curve, stages, settings } = JSON.parse(readFileSync(join(docs, "tool-use.json"), "utf8"));

const [WIDTH, HEIGHT] = [760, 340];
const held = curve.filter(({ success }) => success !== undefined);
const before = stages.find(({ stage }) => stage === "before").success;
const notes = [
  `${settings.heldOut} held-out questions, whose numbers never occur in training; bars are 95 % intervals.`,
  `Batch 0 is the model after ${settings.demonstrations} demonstrations. Dotted: the model before them.`,
];
const legend = [
  [
    { mark: "line", color: "currentColor", text: "held out" },
    { mark: "line", color: PALETTE.green, text: "no tool busy" },
    { mark: "line", color: PALETTE.orange, text: "a tool busy at first" },
    { mark: "line", color: PALETTE.grey, text: "sampled for training" },
  ],
];
const y = panelsTop({ notes, legend });
const percent = (share) => `${Math.round(100 * share)} %`;
const line = (Plot, name, stroke) => [
  Plot.lineY(held, { x: "batch", y: name, stroke, strokeWidth: 1.5 }),
  Plot.dot(held, { x: "batch", y: name, fill: stroke, r: 2 }),
];
const svg = await drawSvg({
  ...{ title: "A small model learns to use tools: CISPO over whole episodes", notes, legend, width: WIDTH, height: y + HEIGHT + 30 },
  panels: (Plot) => [
    {
      ...{ title: "share of right answers", x: 12, y },
      options: {
        ...{ width: WIDTH - 24, height: HEIGHT, marginLeft: 48, marginRight: 14, marginTop: 14, marginBottom: 40 },
        x: { label: "batches →", labelAnchor: "right", labelArrow: "none", domain: [0, settings.batches], ticks: 6 },
        y: { label: null, domain: [0, 1], grid: true, ticks: 6, tickFormat: percent },
        marks: [
          Plot.ruleY([0], { stroke: "currentColor" }),
          Plot.ruleY([before], { stroke: "currentColor", strokeDasharray: "2 4" }),
          Plot.lineY(
            curve.filter(({ accuracy }) => accuracy !== undefined),
            { x: "batch", y: "accuracy", stroke: PALETTE.grey, strokeWidth: 1 },
          ),
          ...line(Plot, "successWhenFree", PALETTE.green),
          ...line(Plot, "successWhenBusy", PALETTE.orange),
          Plot.ruleX(held, { x: "batch", y1: ({ interval }) => interval[0], y2: ({ interval }) => interval[1], stroke: "currentColor" }),
          Plot.lineY(held, { x: "batch", y: "success", stroke: "currentColor", strokeWidth: 3 }),
          Plot.dot(held, { x: "batch", y: "success", fill: "currentColor", r: 3.5 }),
        ],
      },
    },
  ],
});
writeFileSync(join(docs, "tool-use.svg"), svg);
