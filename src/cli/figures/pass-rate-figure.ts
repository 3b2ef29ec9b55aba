import type { PassRates } from "../../rl/index.js";
import { type Figure, type LegendEntry, PALETTE, panelsTop } from "./figure.js";

const WIDTH = 900;

/** Draws pass@1 of each task, and pass@k if there are several responses for each row. @param model name of the model */
export function passRateFigure(rates: readonly PassRates[], model?: string): Figure {
  const samples = Math.min(...rates.map((rate) => rate.samples));
  const several = samples > 1;
  const tasks = rates.map(({ group }) => group);
  const points = rates.map(({ group, mean, passAtSamples }) => ({ task: group, one: 100 * (mean ?? 0), any: 100 * (passAtSamples ?? 0) }));
  const notes = [`Share of right answers in percent, ${samples} ${several ? "responses" : "response"} for each row.`];
  const legend: LegendEntry[][] = [
    [
      { mark: "dot", color: PALETTE.blue, text: "pass@1" },
      ...(several ? [{ mark: "ring" as const, color: PALETTE.orange, text: `pass@${samples}` }] : []),
    ],
  ];
  const top = panelsTop({ notes, legend });
  const height = 22 * tasks.length + 44;
  return {
    title: `Pass rates by task${model === undefined ? "" : `: ${model.slice(0, 60)}`}`,
    notes,
    legend,
    width: WIDTH,
    height: top + height + 14,
    data: rates,
    panels: (Plot) => [
      {
        title: "",
        x: 12,
        y: top - 26,
        options: {
          width: WIDTH - 24,
          height,
          marginLeft: 220,
          marginRight: 16,
          marginTop: 6,
          marginBottom: 30,
          x: { label: null, domain: [0, 100], grid: true, ticks: 11 },
          y: { label: null, domain: tasks, tickSize: 0 },
          marks: [
            ...(several ? [Plot.ruleY(points, { y: "task", x1: "one", x2: "any", stroke: PALETTE.grey })] : []),
            Plot.dot(points, { x: "one", y: "task", fill: PALETTE.blue, r: 5 }),
            ...(several ? [Plot.dot(points, { x: "any", y: "task", stroke: PALETTE.orange, strokeWidth: 2, r: 5 })] : []),
          ],
        },
      },
    ],
  };
}
