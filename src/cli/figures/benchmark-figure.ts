import { benchmarkModels, benchmarks, scoreOf, standardError } from "../../analysis/index.js";
import { type Figure, type LegendEntry, PALETTE, panelsTop } from "./figure.js";

const WIDTH = 900;

/** Draws the report's table of benchmarks: a dot per score, and bars of two standard errors for the 80k model. */
export function benchmarkFigure(data: object): Figure {
  const highlighted = [
    { name: "MiniMax-M1-80k", color: PALETTE.orange, mark: "dot" },
    { name: "MiniMax-M1-40k", color: PALETTE.orange, mark: "ring" },
    { name: "DeepSeek-R1-0528", color: PALETTE.blue, mark: "dot" },
    { name: "DeepSeek-R1", color: PALETTE.blue, mark: "ring" },
    { name: "Qwen3-235B-A22B", color: PALETTE.green, mark: "dot" },
  ] as const;
  const names = benchmarks.map(({ name }) => name);
  const points = (model: (typeof benchmarkModels)[number]["name"]) =>
    benchmarks.flatMap((row) => {
      const score = scoreOf(row, model);
      return score === undefined ? [] : [{ benchmark: row.name, score }];
    });
  const others = benchmarkModels.filter(({ name }) => !highlighted.some((one) => one.name === name));
  const doubt = benchmarks.flatMap((row) => {
    const score = scoreOf(row, "MiniMax-M1-80k");
    if (score === undefined || row.questions === undefined) return [];
    const two = 2 * standardError(score, row.questions);
    return [{ benchmark: row.name, from: Math.max(0, score - two), to: Math.min(100, score + two) }];
  });
  const notes = [
    "Percent, as reported (arXiv 2506.13585, table 2).",
    "Bars: two standard errors of the 80k model's score, if the number of questions is known.",
  ];
  const legend: LegendEntry[][] = [
    highlighted.map(({ name, color, mark }) => ({ mark, color, text: name })),
    [
      { mark: "dot", color: PALETTE.grey, text: others.map(({ name }) => name).join(", ") },
      { mark: "bar", color: PALETTE.orange, text: "two standard errors" },
    ],
  ];
  const top = panelsTop({ notes, legend });
  const height = 26 * names.length + 34;
  return {
    title: "MiniMax-M1 and others on the report's benchmarks",
    notes,
    legend,
    width: WIDTH,
    height: top + height + 14,
    data,
    panels: (Plot) => [
      {
        title: "",
        x: 12,
        y: top - 26,
        options: {
          width: WIDTH - 24,
          height,
          marginLeft: 190,
          marginRight: 16,
          marginTop: 6,
          marginBottom: 30,
          x: { label: null, domain: [0, 100], grid: true, ticks: 11 },
          y: { label: null, domain: names, tickSize: 0 },
          marks: [
            Plot.ruleY(doubt, { y: "benchmark", x1: "from", x2: "to", stroke: PALETTE.orange, strokeWidth: 8, strokeOpacity: 0.3 }),
            ...others.map(({ name }) => Plot.dot(points(name), { x: "score", y: "benchmark", fill: PALETTE.grey, r: 3 })),
            ...[...highlighted].reverse().map(({ name, color, mark }) =>
              Plot.dot(points(name), {
                x: "score",
                y: "benchmark",
                r: 4.5,
                ...(mark === "dot" ? { fill: color } : { stroke: color, strokeWidth: 2 }),
              }),
            ),
          ],
        },
      },
    ],
  };
}
