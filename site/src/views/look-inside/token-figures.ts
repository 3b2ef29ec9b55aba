// Charts of what the model did with one token.

import * as Plot from "@observablehq/plot";
import type { Config } from "lightning-m1";
import { chartHeight, type FigureSpec, seriesStyle } from "../../shared/figure.ts";
import { formatNumber, formatPercent } from "../../shared/numbers.ts";
import { remaining } from "./heads.ts";
import { type TokenTrace, visibleText } from "./trace.ts";

/** A token of a run, with what surrounds it. */
export interface ChosenToken {
  readonly tokens: readonly TokenTrace[];
  readonly index: number;
  readonly layer: number;
  readonly head: number;
}

/** The name of a token in titles: 57 “4”. */
export const tokenName = (tokens: readonly TokenTrace[], index: number) => `${index + 1} “${visibleText(tokens[index]!.text)}”`;

/** How much of each token so far a head uses: its share in the state, or its attention. */
export function contextFigure({ tokens, index, layer, head }: ChosenToken, shares: readonly number[], isLightning: boolean): FigureSpec {
  const name = tokenName(tokens, index);
  const points = shares.map((share, i) => ({ position: i + 1, share }));
  return {
    title: isLightning
      ? `What the state of layer ${layer + 1}, head ${head + 1} consists of after token ${name}`
      : `Attention of layer ${layer + 1}, head ${head + 1} at token ${name}`,
    description: `Bar chart of one share per token so far; they add up to 100%. The table below has the same data.`,
    file: `context-token-${index + 1}-layer-${layer + 1}-head-${head + 1}`,
    chart: (width) => ({
      height: 220,
      marginLeft: 52,
      marginRight: 12,
      x: { domain: [0.5, tokens.length + 0.5], label: "token", ticks: width < 480 ? 4 : 8, tickFormat: (value: number) => String(value) },
      y: { grid: true, tickFormat: (value: number) => formatPercent(value, 2), label: isLightning ? "share in the state" : "attention" },
      marks: [
        Plot.ruleX(points, {
          x: "position",
          y: "share",
          stroke: seriesStyle(isLightning ? 0 : 1).stroke,
          strokeWidth: Math.max(1.5, (0.7 * (width - 64)) / tokens.length),
        }),
        Plot.ruleY([0]),
      ],
    }),
    columns: ["token", "text", isLightning ? "share" : "attention"],
    rows: points.map(({ position, share }) => [position, visibleText(tokens[position - 1]!.text), formatPercent(share)]),
    data: {
      token: index + 1,
      layer: layer + 1,
      head: head + 1,
      kind: isLightning ? "share in the state" : "softmax attention",
      tokens: tokens.slice(0, index + 1).map(({ text }) => text),
      shares,
    },
  };
}

/** Characters of a label, and the width of one. */
const MAX_LABEL = 18;
const LABEL_PIXELS = 6.5;
const shortened = (label: string) => (label.length > MAX_LABEL ? `${label.slice(0, MAX_LABEL - 1)}…` : label);

/** The most probable next tokens. The one that came is marked. */
export function nextFigure({ tokens, index }: ChosenToken): FigureSpec {
  const { next } = tokens[index]!;
  const came = tokens[index + 1]?.id;
  // Different tokens may look the same: with and without a space before them.
  const bars = next.map(({ id, text, probability }, rank) => ({ id, label: visibleText(text), probability, rank: rank + 1 }));
  return {
    title: `The most probable tokens after token ${tokenName(tokens, index)}`,
    description: `Bar chart of the probabilities of the ${next.length} most probable next tokens, computed from the output of the last layer.`,
    file: `next-after-token-${index + 1}`,
    chart: () => ({
      height: 264,
      marginTop: 12,
      marginLeft: 24 + LABEL_PIXELS * Math.max(...bars.map(({ label }) => shortened(label).length)),
      marginRight: 56,
      x: { domain: [0, 1], tickFormat: "%", label: "probability", grid: true },
      y: { domain: bars.map(({ rank }) => rank), tickFormat: (rank: number) => shortened(bars[rank - 1]!.label), label: null },
      marks: [
        Plot.barX(bars, { x: "probability", y: "rank", fill: seriesStyle(2).stroke, fillOpacity: ({ id }) => (id === came ? 1 : 0.5) }),
        Plot.text(bars, {
          x: "probability",
          y: "rank",
          text: ({ probability }) => formatPercent(probability, 2),
          textAnchor: "start",
          dx: 6,
        }),
      ],
    }),
    columns: ["next token", "probability", "came"],
    rows: bars.map(({ id, label, probability }) => [label, formatPercent(probability), id === came ? "yes" : ""]),
    data: { token: index + 1, next },
  };
}

/** The chosen experts of every layer. */
export function expertsFigure({ tokens, index }: ChosenToken, { numLocalExperts: experts, attnTypeList }: Config): FigureSpec {
  const layers = tokens[index]!.experts;
  const chosen = layers.flatMap((choices, layer) =>
    choices.map(({ expert, weight }) => ({ layer: layer + 1, expert: expert + 1, weight })),
  );
  const all = layers.flatMap((_, layer) => Array.from({ length: experts }, (_, expert) => ({ layer: layer + 1, expert: expert + 1 })));
  return {
    title: `Experts of each layer for token ${tokenName(tokens, index)}`,
    description: `Heat map: in each of ${layers.length} layers, ${layers[0]!.length} of ${experts} experts compute this token. The table below has their weights.`,
    file: `experts-token-${index + 1}`,
    chart: () => ({
      height: 264,
      marginTop: 12,
      marginLeft: 44,
      padding: 0.06,
      x: { label: "layer", domain: layers.map((_, layer) => layer + 1) },
      y: { label: "expert", domain: Array.from({ length: experts }, (_, expert) => expert + 1) },
      marks: [
        Plot.cell(all, { x: "layer", y: "expert", fill: "currentColor", fillOpacity: 0.06 }),
        Plot.cell(chosen, { x: "layer", y: "expert", fill: seriesStyle(4).stroke, fillOpacity: ({ weight }) => 0.1 + 0.45 * weight }),
        Plot.text(chosen, {
          x: "layer",
          y: "expert",
          text: ({ weight }) => (weight < 0.01 ? "<1" : formatNumber(100 * weight, 2)),
          fill: "currentColor",
        }),
      ],
    }),
    columns: ["layer", "attention", ...layers[0]!.flatMap((_, i) => [`expert ${i + 1}`, `weight ${i + 1}`])],
    rows: layers.map((choices, layer) => [
      layer + 1,
      attnTypeList[layer] === 0 ? "lightning" : "softmax",
      ...choices.flatMap(({ expert, weight }) => [expert + 1, formatPercent(weight)]),
    ]),
    data: { token: index + 1, experts: layers.map((choices) => choices.map(({ expert, weight }) => ({ expert: expert + 1, weight }))) },
  };
}

/**
 * What the state of a head still holds of the chosen token, after each later token of the run.
 *
 * @param shares the share of the token in the state after each token of the run
 */
export function laterFigure({ tokens, index, layer, head }: ChosenToken, shares: readonly number[], slope: number): FigureSpec {
  const points = shares.slice(index).map((share, later) => ({ later, share, left: remaining(slope, later) }));
  const series = [
    { key: "left", label: "left of what the token added", index: 0 },
    { key: "share", label: "its share in the whole state", index: 1 },
  ] as const;
  const last = points.length - 1;
  const rows = points.filter(({ later }) => later < 10 || later % 10 === 0 || later === last);
  return {
    title: `What the state of layer ${layer + 1}, head ${head + 1} still holds of token ${tokenName(tokens, index)}`,
    description:
      `Line chart against the number of tokens since. What the token added falls from 100% to ${formatPercent(points[last]!.left)} ` +
      `after ${last} tokens. Its share in the whole state falls from ${formatPercent(points[0]!.share)} to ${formatPercent(points[last]!.share)}, ` +
      "because later tokens are added to the same state. The table below has the same data.",
    file: `token-${index + 1}-in-layer-${layer + 1}-head-${head + 1}`,
    series,
    chart: (width) => ({
      height: chartHeight(width),
      marginLeft: 52,
      marginRight: 12,
      x: { label: "tokens later", domain: [0, Math.max(1, last)], ticks: width < 480 ? 4 : 8 },
      y: { grid: true, tickFormat: "%", label: "held" },
      marks: [
        Plot.ruleY([0]),
        ...series.map(({ key, index: style }) => Plot.line(points, { x: "later", y: key, strokeWidth: 2.5, ...seriesStyle(style) })),
      ],
    }),
    columns: ["tokens later", "text", ...series.map(({ label }) => label)],
    rows: rows.map(({ later, share, left }) => [
      later,
      visibleText(tokens[index + later]!.text),
      formatPercent(left),
      formatPercent(share),
    ]),
    data: { token: index + 1, layer: layer + 1, head: head + 1, points },
  };
}

/** The norms of the states of a lightning layer after every token. The chosen token is marked. */
export function normsFigure({ tokens, index, layer }: ChosenToken): FigureSpec {
  const heads = tokens[0]!.states[layer]!.map((_, h) => h);
  const series = heads.map((h) => ({ label: `head ${h + 1}`, index: h }));
  const norm = (t: number, h: number) => tokens[t]!.states[layer]![h]!.norm;
  const rows = tokens.map((_, t) => t).filter((t) => t === index || (t + 1) % 10 === 0 || t === 0);
  return {
    title: `Norms of the states of layer ${layer + 1}, after every token`,
    description: `Line chart of the norm of each head's state against the token. Heads with a short half-life level off early. The table below has the same data.`,
    file: `state-norms-layer-${layer + 1}`,
    series,
    chart: (width) => ({
      height: chartHeight(width),
      marginLeft: 52,
      marginRight: 12,
      x: { domain: [1, Math.max(2, tokens.length)], label: "token", ticks: width < 480 ? 4 : 8 },
      y: { type: "log", grid: true, ticks: 5, tickFormat: (value: number) => formatNumber(value, 2), label: "norm of the state" },
      marks: [
        Plot.ruleX([index + 1], { stroke: "currentColor", strokeDasharray: "2 4" }),
        ...heads.map((h) =>
          Plot.line(
            tokens.map((_, t) => [t + 1, norm(t, h)]),
            { strokeWidth: 2, ...seriesStyle(h) },
          ),
        ),
      ],
    }),
    columns: ["token", "text", ...series.map(({ label }) => label)],
    rows: rows.map((t) => [t + 1, visibleText(tokens[t]!.text), ...heads.map((h) => norm(t, h))]),
    data: { layer: layer + 1, norms: tokens.map(({ states }) => states.map((one) => one?.map((state) => state.norm) ?? null)) },
  };
}
