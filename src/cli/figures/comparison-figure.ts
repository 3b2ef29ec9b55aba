import { type Comparison, type ComparisonRule, comparisonRules, figurePoints, ratioToDeepSeekR1 } from "../../analysis/index.js";
import { type Figure, type FigurePanel, type LegendEntry, PALETTE, type PlotLibrary, panelsTop } from "./figure.js";

const WIDTH = 900;

/** Maximum context of DeepSeek-R1 and Qwen3. */
const PUBLISHED_CONTEXT = 131_072;

/** Draws figure 1 (right) of the report: FLOPs of generating n tokens up to 128K and 1M, and their ratio to DeepSeek-R1's. */
export function comparisonFigure(comparison: Comparison): Figure {
  const { series, readings, claims } = comparison;
  const colors = [PALETTE.blue, PALETTE.green, PALETTE.orange];
  const own = series.at(-1)!;
  const notes = [
    "Two FLOPs per multiply-add of matmuls and attention, head included; DeepSeek-R1's attention is expanded unless stated otherwise.",
    "Bands span from the causal rule (existing pairs only, solid) to the square rule (all n² pairs, dashed).",
  ];
  const legend: LegendEntry[][] = [
    [
      ...series.map(({ model }, i) => ({ mark: "band" as const, color: colors[i]!, text: model })),
      ...(readings.length > 0 ? [{ mark: "ring" as const, color: "currentColor", text: "read off the report's figure" }] : []),
    ],
  ];
  const top = panelsTop({ notes, legend });
  const [height, below] = [310, top + 340];
  // A log scale separates values that would lie on a linear axis.
  const small = ratioToDeepSeekR1(own.cost, 128_000, "square") < 0.02;
  const scale = small ? "log" : "linear";
  const axis = (Plot: PlotLibrary) => (small ? [] : [Plot.ruleY([0], { stroke: "currentColor" })]);

  function operations(Plot: PlotLibrary, x: number, most: number, marked: Comparison["readings"], width: number): FigurePanel {
    const lengths = Array.from({ length: 33 }, (_, i) => Math.round(small ? 1000 * (most / 1000) ** (i / 32) : (i * most) / 32));
    const points = figurePoints(series, lengths);
    const common = { x: "tokens", stroke: "model", strokeWidth: 2 };
    return {
      title: `FLOPs of generating n tokens, to ${most === 1e6 ? "1M" : "128K"}`,
      x,
      y: top,
      options: {
        width,
        height,
        marginLeft: 56,
        marginRight: 14,
        marginTop: 14,
        marginBottom: 40,
        x: {
          label: "tokens n →",
          labelAnchor: "right",
          labelArrow: "none",
          domain: [small ? 1000 : 0, most],
          type: scale,
          ticks: 5,
          tickFormat: (n: number) => thousands(n),
        },
        y: { type: scale, label: null, grid: true, ticks: 6, tickFormat: (y: number) => exponential(y) },
        color: { domain: series.map(({ model }) => model), range: colors },
        marks: [
          Plot.areaY(points, { x: "tokens", y1: "causal", y2: "square", fill: "model", fillOpacity: 0.18 }),
          Plot.lineY(points, { ...common, y: "causal" }),
          Plot.lineY(points, { ...common, y: "square", strokeDasharray: "5 4" }),
          Plot.dot(marked, { x: "tokens", y: "flops", fill: "model", stroke: "currentColor", strokeWidth: 1.5, r: 5 }),
          ...(most > PUBLISHED_CONTEXT ? beyond(Plot) : []),
          ...axis(Plot),
        ],
      },
    };
  }

  /** Marks the maximum context of the other two models. */
  function beyond(Plot: PlotLibrary) {
    return [
      Plot.ruleX([PUBLISHED_CONTEXT], { stroke: "currentColor", strokeDasharray: "2 3" }),
      Plot.text(["R1 and Qwen3 are\npublished for 128K"], {
        x: PUBLISHED_CONTEXT,
        frameAnchor: small ? "bottom" : "top",
        dx: small ? -6 : 6,
        dy: small ? -10 : 6,
        fill: "currentColor",
        textAnchor: small ? "end" : "start",
      }),
    ];
  }

  function ratios(Plot: PlotLibrary): FigurePanel {
    const lengths = Array.from({ length: 61 }, (_, i) => Math.round(10 ** (3 + i / 20)));
    const rules = Object.keys(comparisonRules) as ComparisonRule[];
    const points = rules.flatMap((rule) => lengths.map((tokens) => ({ rule, tokens, ratio: ratioToDeepSeekR1(own.cost, tokens, rule) })));
    const of = (rule: ComparisonRule) => points.filter((point) => point.rule === rule);
    const line = (rule: ComparisonRule) =>
      Plot.lineY(of(rule), {
        x: "tokens",
        y: "ratio",
        stroke: comparisonRules[rule].form === "expanded" ? PALETTE.orange : PALETTE.purple,
        strokeWidth: 2,
        ...(comparisonRules[rule].rule === "square" && { strokeDasharray: "5 4" }),
      });
    const highest = Math.ceil(5 * Math.max(...points.map(({ ratio }) => ratio))) / 5;
    return {
      title: `${own.model} / DeepSeek-R1`,
      x: 12,
      y: below,
      options: {
        width: WIDTH - 290,
        height: 270,
        marginLeft: 56,
        marginRight: 14,
        marginTop: 14,
        marginBottom: 40,
        x: {
          type: "log",
          label: "tokens n →",
          labelAnchor: "right",
          labelArrow: "none",
          domain: [1000, 1e6],
          ticks: 4,
          tickFormat: (n: number) => thousands(n),
        },
        y: {
          type: scale,
          label: null,
          grid: true,
          ticks: 6,
          tickFormat: (y: number) => `${Number((100 * y).toPrecision(3))} %`,
          ...(!small && { domain: [0, highest] }),
        },
        marks: [
          ...rules.map(line),
          Plot.dot(claims, { x: "tokens", y: "claimed", symbol: "diamond2", fill: "currentColor", r: 5 }),
          ...axis(Plot),
        ],
      },
    };
  }

  const half = (WIDTH - 36) / 2;
  return {
    title: `Theoretical FLOPs of generating text: ${series.map(({ model }) => model).join(", ")}`,
    notes,
    legend,
    aside: {
      x: WIDTH - 262,
      y: below + 40,
      keys: [
        { mark: "line", color: PALETTE.orange, text: "causal, R1 expanded" },
        { mark: "dashed", color: PALETTE.orange, text: "square, R1 expanded" },
        { mark: "line", color: PALETTE.purple, text: "causal, R1 absorbed" },
        { mark: "dashed", color: PALETTE.purple, text: "square, R1 absorbed" },
        ...(claims.length > 0 ? CLAIM_LEGEND : []),
      ],
    },
    width: WIDTH,
    height: below + 300,
    panels: (Plot) => [operations(Plot, 12, 128_000, readings, half), operations(Plot, 24 + half, 1e6, [], half), ratios(Plot)],
    data: { ...comparison, points: figurePoints(series, LENGTHS) },
  };
}

const CLAIM_LEGEND: readonly LegendEntry[] = [
  { mark: "diamond", color: "currentColor", text: "said in the report:" },
  { mark: "none", color: "", text: "below 50 % at 64K tokens," },
  { mark: "none", color: "", text: "25 % at 100K" },
];

/** Lengths of the points in the JSON data. */
const LENGTHS = [1, 2, 4, 8, 16, 32, 64, 96, 128, 256, 512, 768, 1000].map((thousand) => 1000 * thousand);

function thousands(n: number): string {
  return n >= 1e6 ? `${n / 1e6}M` : n >= 1000 ? `${n / 1000}K` : `${n}`;
}

function exponential(value: number): string {
  return value === 0 ? "0" : value.toExponential().replace("e+", "e");
}
