// Charts of what the architecture fixes: the memory of states and caches, and the decay of the heads.

import * as Plot from "@observablehq/plot";
import { chartHeight, type FigureSpec, seriesStyle } from "../../shared/figure.ts";
import { formatBytes, formatCount, formatInteger, formatNumber, formatPercent } from "../../shared/numbers.ts";
import { halfLife, remaining, sampleHeads, slopesOf } from "./heads.ts";
import { memoryAt } from "./memory.ts";
import type { ShownModel } from "./shown-models.ts";

/** Series have eight colours. */
const MAX_SHOWN_HEADS = 8;

export function shownHeads({ config }: ShownModel): number[] {
  return sampleHeads(config.numAttentionHeads, MAX_SHOWN_HEADS);
}

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Memory against tokens. @param tokens the number of tokens so far, which is marked */
export function memoryFigure(model: ShownModel, tokens: number | undefined): FigureSpec {
  const { config, kv, memoryTokens } = model;
  const last = Math.max(memoryTokens, tokens ?? 0);
  const points = Array.from({ length: 257 }, (_, i) => memoryAt(config, Math.round((i * last) / 256), kv));
  const softmaxLayers = config.attnTypeList.filter((type) => type === 1).length;
  const lightningLayers = config.attnTypeList.length - softmaxLayers;
  const series = [
    { key: "states", label: `states of ${plural(lightningLayers, "lightning layer")}`, index: 0 },
    { key: "cache", label: `keys and values of ${plural(softmaxLayers, "softmax layer")}`, index: 1 },
    { key: "cacheOnly", label: `keys and values, if all ${config.numHiddenLayers} layers had softmax attention`, index: 3 },
  ] as const;
  const end = points.at(-1)!;
  const unit = end.cacheOnly >= 2 ** 30 ? { name: "GiB", size: 2 ** 30 } : { name: "KiB", size: 2 ** 10 };
  const marked = tokens === undefined ? [] : [memoryAt(config, tokens, kv)];
  const rows = [...points.filter((_, i) => i % 32 === 0), ...marked].sort((a, b) => a.tokens - b.tokens);
  return {
    title: `Memory of ${model.name}, as tokens come`,
    description:
      `Line chart of memory against tokens. The states take ${formatBytes(end.states)} for any number of tokens. After ${formatInteger(last)} tokens, ` +
      `keys and values of the softmax layers take ${formatBytes(end.cache)}; with softmax attention in all layers, they would take ` +
      `${formatBytes(end.cacheOnly)}. The table below has the same data.`,
    file: `memory-${kv}`,
    series,
    chart: (width) => ({
      height: chartHeight(width),
      marginLeft: 52,
      marginRight: 20,
      x: { domain: [0, last], ticks: width < 480 ? 4 : 8, tickFormat: (value: number) => formatCount(value, 2), label: "tokens" },
      y: { grid: true, label: unit.name, domain: [0, end.cacheOnly / unit.size] },
      marks: [
        Plot.ruleY([0]),
        ...marked.map((point) => Plot.ruleX([point.tokens], { stroke: "currentColor", strokeDasharray: "2 4" })),
        ...series.map(({ key, index }) =>
          Plot.line(
            points.map((point) => ({ tokens: point.tokens, memory: point[key] / unit.size })),
            { x: "tokens", y: "memory", strokeWidth: 2.5, ...seriesStyle(index) },
          ),
        ),
        ...marked.flatMap((point) =>
          series.map(({ key, index }) => Plot.dot([[point.tokens, point[key] / unit.size]], { r: 5, fill: seriesStyle(index).stroke })),
        ),
      ],
    }),
    columns: ["tokens", ...series.map(({ label }) => label)],
    rows: rows.map((point) => [formatInteger(point.tokens), ...series.map(({ key }) => formatBytes(point[key]))]),
    data: { model: model.name, keysAndValues: kv, bytes: points },
  };
}

/** The half-life of every head, by layer. @param chosen the layer and head that are marked */
export function halfLifeFigure(model: ShownModel, chosen: { readonly layer: number; readonly head: number } | undefined): FigureSpec {
  const { config } = model;
  const layers = config.attnTypeList.map((_, layer) => slopesOf(config, layer)?.map(halfLife));
  const heads = shownHeads(model);
  const cells = layers.flatMap((lives, layer) =>
    lives ? heads.map((head) => ({ layer: layer + 1, head: head + 1, life: lives[head]! })) : [],
  );
  const lives = cells.map(({ life }) => Math.log(life));
  const [min, max] = [Math.min(...lives), Math.max(...lives)];
  const shade = (life: number) => 0.08 + (0.5 * (Math.log(life) - min)) / (max - min);
  const isSmall = layers.length <= 8;
  const softmax = layers.flatMap((one, layer) => (one ? [] : [layer + 1]));
  return {
    title: `Half-life of each head of ${model.name}, in tokens`,
    description:
      `Heat map of half-lives by layer and head, from ${formatNumber(Math.exp(min), 2)} to ${formatInteger(Math.exp(max))} tokens. ` +
      `Later layers remember longer. Softmax layers have no half-life, because they keep every token. The table below has the same data.`,
    file: "half-lives",
    chart: (width) => ({
      height: isSmall ? 244 : 224,
      marginTop: 12,
      marginLeft: 44,
      padding: isSmall ? 0.06 : 0,
      x: {
        label: "layer",
        domain: layers.map((_, layer) => layer + 1),
        ticks: isSmall ? undefined : layers.map((_, layer) => layer + 1).filter((layer) => layer % (width < 480 ? 16 : 8) === 0),
      },
      y: { label: "head", domain: heads.map((head) => head + 1) },
      marks: [
        Plot.cell(cells, { x: "layer", y: "head", fill: seriesStyle(0).stroke, fillOpacity: ({ life }: { life: number }) => shade(life) }),
        ...(isSmall
          ? [
              Plot.text(cells, { x: "layer", y: "head", text: ({ life }: { life: number }) => shortTokens(life), fill: "currentColor" }),
              Plot.text(
                softmax.flatMap((layer) => heads.map((head) => ({ layer, head: head + 1 }))),
                { x: "layer", y: "head", text: () => "∞", fill: "currentColor" },
              ),
            ]
          : []),
        ...(chosen
          ? [Plot.cell([chosen], { x: ({ layer }) => layer + 1, y: ({ head }) => head + 1, stroke: "currentColor", strokeWidth: 2 })]
          : []),
      ],
    }),
    columns: ["layer", "attention", ...heads.map((head) => `head ${head + 1}`)],
    rows: layers.map((one, layer) => [
      layer + 1,
      one ? "lightning" : "softmax",
      ...heads.map((head) => (one ? Number(one[head]!.toPrecision(4)) : Infinity)),
    ]),
    data: { model: model.name, halfLives: layers.map((one) => one ?? null) },
  };
}

const shortTokens = (tokens: number) => (tokens < 10 ? formatNumber(tokens, 2) : formatInteger(tokens));

const TABLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

/** What is left of a token n tokens later, for the heads of a layer. @param head the head that is marked */
export function decayFigure(model: ShownModel, layer: number, head: number | undefined): FigureSpec {
  const { config, decayTokens } = model;
  const slopes = slopesOf(config, layer);
  const heads = slopes ? shownHeads(model) : [];
  const steps = Array.from({ length: 121 }, (_, i) => decayTokens ** (i / 120));
  const series = heads.map((h, index) => ({ h, index, label: `head ${h + 1}, half-life ${shortTokens(halfLife(slopes![h]!))}` }));
  const tableSteps = TABLE_STEPS.filter((n) => n <= decayTokens);
  return {
    title: slopes
      ? `What is left of a token in layer ${layer + 1} of ${model.name}, n tokens later`
      : `Layer ${layer + 1} of ${model.name} has softmax attention: its cache keeps every token whole`,
    description:
      `Line chart of the share that is left of a token against the number of tokens since, on a logarithmic axis. ` +
      (slopes
        ? `Each head multiplies what it holds by e to the −λ per token, so that each line falls from 100% towards 0, the later the longer its half-life.`
        : `The line stays at 100%.`),
    file: `decay-layer-${layer + 1}`,
    series,
    chart: (width) => ({
      height: chartHeight(width),
      marginLeft: 52,
      marginRight: 28,
      x: {
        type: "log",
        domain: [1, decayTokens],
        ticks: [1, 10, 100, 1000, 10_000, 100_000].filter((n) => n <= decayTokens),
        tickFormat: (value: number) => formatInteger(value),
        label: "tokens later, n",
      },
      y: { domain: [0, 1], grid: true, tickFormat: "%", label: "left" },
      marks: [
        Plot.ruleY([0]),
        // Softmax attention, which keeps everything.
        Plot.ruleY([1], { stroke: "currentColor", strokeDasharray: "2 4" }),
        ...series.map(({ h, index }) =>
          Plot.line(
            steps.map((n) => [n, remaining(slopes![h]!, n)]),
            { strokeWidth: h === head ? 4 : 2, ...seriesStyle(index) },
          ),
        ),
      ],
    }),
    columns: ["tokens later", ...series.map(({ h }) => `head ${h + 1}`), "softmax attention"],
    rows: tableSteps.map((n) => [formatInteger(n), ...series.map(({ h }) => formatPercent(remaining(slopes![h]!, n))), "100%"]),
    data: { model: model.name, layer: layer + 1, slopes: slopes ?? null },
  };
}
