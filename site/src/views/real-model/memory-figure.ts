// The memory of keys, values and states against the context, for a model and for the same model with one kind of attention in all layers.

import * as Plot from "@observablehq/plot";
import type { Graph } from "lightning-m1";
import { chartHeight, type FigureSpec, seriesStyle } from "../../shared/figure.ts";
import { formatBytes, formatInteger, formatNumber } from "../../shared/numbers.ts";
import { cacheCurves, type Demand } from "./requirements.ts";

const CURVE_POINTS = 61;
const MIN_CONTEXT = 1024;
const MAX_CONTEXT = 2 ** 20;
const CURVES = [
  { key: "hybrid", label: "this model", index: 0 },
  { key: "softmax", label: "softmax attention in every layer", index: 1 },
  { key: "lightning", label: "lightning attention in every layer", index: 2 },
] as const;

/** Context lengths for the curves, the same number per octave. */
function curveContexts(context: number): number[] {
  const max = Math.max(MAX_CONTEXT, context);
  return Array.from({ length: CURVE_POINTS }, (_, i) => Math.round(MIN_CONTEXT * (max / MIN_CONTEXT) ** (i / (CURVE_POINTS - 1))));
}

/** The chart of memory against context. The chosen context is marked. */
export function memoryFigure(graph: Graph, model: string, { context, users, kv }: Demand): FigureSpec {
  const points = cacheCurves(graph, curveContexts(context), users, kv);
  const gib = (bytes: number) => bytes / 2 ** 30;
  const tableRows = points.filter((_, i) => i % 6 === 0);
  const last = points.at(-1)!;
  return {
    title: `Memory of keys, values and states for ${users === 1 ? "one user" : `${formatInteger(users)} users`}`,
    description:
      `Line chart with logarithmic axes: memory in GiB against tokens of context, for ${model}, for softmax attention in every ` +
      `layer and for lightning attention in every layer. At ${formatInteger(last.context)} tokens they take ${formatBytes(last.hybrid)}, ` +
      `${formatBytes(last.softmax)} and ${formatBytes(last.lightning)}. The table below has the same data.`,
    file: "memory-against-context",
    series: CURVES,
    chart: (width) => ({
      height: chartHeight(width),
      marginLeft: 52,
      marginRight: 16,
      x: {
        type: "log",
        base: 2,
        domain: [MIN_CONTEXT, last.context],
        ticks: Array.from({ length: 30 }, (_, i) => MIN_CONTEXT * 4 ** i).filter(
          (tick, i) => tick <= last.context && (width >= 480 || i % 2 === 0),
        ),
        tickFormat: shortTokens,
        label: "tokens of context",
      },
      y: { type: "log", grid: true, label: "GiB", ticks: width < 480 ? 4 : 6, tickFormat: (value: number) => formatNumber(value, 2) },
      marks: [
        ...(context >= MIN_CONTEXT ? [Plot.ruleX([context], { stroke: "currentColor", strokeDasharray: "2 4" })] : []),
        ...CURVES.map(({ key, index }) =>
          Plot.line(
            points.filter((point) => point[key] > 0).map((point) => ({ context: point.context, memory: gib(point[key]) })),
            { x: "context", y: "memory", strokeWidth: 2.5, ...seriesStyle(index) },
          ),
        ),
      ],
    }),
    columns: ["tokens", ...CURVES.map(({ label }) => `${label} (GiB)`)],
    rows: tableRows.map((point) => [formatInteger(point.context), ...CURVES.map(({ key }) => gib(point[key]))]),
    data: { model, users, keysAndValues: kv, bytes: points },
  };
}

const shortTokens = (tokens: number) => (tokens >= 2 ** 20 ? `${formatNumber(tokens / 2 ** 20)}Mi` : `${formatNumber(tokens / 1024)}Ki`);
