// The charts of the view: what was measured, over what the library predicts.

import * as Plot from "@observablehq/plot";
import { type Cell, chartHeight, type FigureSpec, seriesStyle } from "../../shared/figure.ts";
import { formatBytes, formatInteger, formatNumber } from "../../shared/numbers.ts";
import type { Point } from "./measure.ts";
import { LENGTHS, LONGEST, type ModelName, modelLabels, modelNames } from "./models.ts";
import { ASSUMED_SPEED, lengthLabel, predict, type Quantity } from "./predictions.ts";

const texts: Readonly<Record<Quantity, { title: string; axis: string; file: string; unit: string; format: (value: number) => string }>> = {
  bytes: {
    title: "Memory of the state and the cache of one sequence",
    axis: "memory",
    file: "long-context-memory",
    unit: "bytes",
    format: (value) => formatBytes(value),
  },
  generated: {
    title: "Time of a generated token",
    axis: "milliseconds per token",
    file: "long-context-generated",
    unit: "ms",
    format: (value) => formatNumber(value, 3),
  },
  prompt: {
    title: "Time of a token of the prompt",
    axis: "milliseconds per token",
    file: "long-context-prompt",
    unit: "ms",
    format: (value) => formatNumber(value, 3),
  },
};

export function figureOf(quantity: Quantity, models: readonly ModelName[], points: readonly Point[]): FigureSpec {
  const { title, axis, file, unit, format } = texts[quantity];
  const curves = models.map((model) => {
    const measured = points.filter((point) => point.model === model);
    const predicted = LENGTHS.map((length) => ({ length, value: predict(quantity, model, length, measured) }));
    return {
      model,
      label: modelLabels[model],
      index: modelNames.indexOf(model),
      measured: measured.map((point) => ({ length: point.length, value: point[quantity] })),
      predicted,
    };
  });
  return {
    title: title + assumption(quantity, curves),
    description: `Chart of ${axis} against the context from ${formatInteger(LENGTHS[0]!)} to ${formatInteger(LONGEST)} tokens, both logarithmic, for ${curves.map(({ label }) => label).join("; ") || "no model"}. ${points.length} points are measured; thin lines are predictions. The table below has the same data.`,
    file,
    series: curves,
    chart: (width) => ({
      height: chartHeight(width),
      marginLeft: 60,
      marginRight: 16,
      x: {
        type: "log",
        base: 2,
        domain: [LENGTHS[0]!, LONGEST],
        ticks: width < 480 ? LENGTHS.filter((_, i) => i % 2 === 0) : [...LENGTHS],
        tickFormat: lengthLabel,
        label: "context, tokens",
      },
      y: {
        type: "log",
        ...powers(
          curves.flatMap(({ measured, predicted }) => [...measured, ...predicted]),
          quantity === "bytes" ? 32 : 10,
        ),
        grid: true,
        tickFormat: format,
        label: axis,
      },
      marks: [
        ...curves.map(({ predicted, index }) =>
          Plot.line(predicted, { x: "length", y: "value", strokeWidth: 1, stroke: seriesStyle(index).stroke }),
        ),
        ...curves.map(({ measured, index }) =>
          Plot.line(measured, { x: "length", y: "value", strokeWidth: 2.5, clip: true, ...seriesStyle(index) }),
        ),
        ...curves.map(({ measured, index }) => Plot.dot(measured, { x: "length", y: "value", r: 4, fill: seriesStyle(index).stroke })),
      ],
    }),
    columns: ["tokens", ...curves.flatMap(({ label }) => [`${label}: measured, ${unit}`, `${label}: predicted, ${unit}`])],
    rows: LENGTHS.map((length, i): Cell[] => [
      formatInteger(length),
      ...curves.flatMap(({ measured, predicted }): Cell[] => {
        const shown = (value: number) => (quantity === "bytes" ? formatInteger(value) : format(value));
        const point = measured.find((one) => one.length === length);
        return [point ? shown(point.value) : null, shown(predicted[i]!.value)];
      }),
    ]),
    data: { title, unit, models: Object.fromEntries(curves.map(({ model, measured, predicted }) => [model, { measured, predicted }])) },
  };
}

/** States the speed that times are predicted with as long as a model has not been measured. */
function assumption(quantity: Quantity, curves: readonly { readonly measured: readonly unknown[] }[]): string {
  if (quantity === "bytes" || curves.every(({ measured }) => measured.length > 0)) return "";
  return `; before it is measured, at an assumed ${ASSUMED_SPEED[quantity] / 1e9} billion operations per second`;
}

/** An axis from power to power of a base around all values, so that it changes rarely while points arrive. */
function powers(
  points: readonly { readonly value: number }[],
  base: number,
): { readonly base: number; readonly domain: [number, number]; readonly ticks: number[] } {
  const exponents = points.map(({ value }) => Math.log(value) / Math.log(base));
  const [low, high] = points.length === 0 ? [0, 1] : [Math.floor(Math.min(...exponents)), Math.ceil(Math.max(...exponents))];
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => base ** (low + i));
  return { base, domain: [ticks[0]!, ticks.at(-1)!], ticks };
}
