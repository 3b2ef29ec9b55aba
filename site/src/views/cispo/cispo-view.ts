// `<m1-cispo>`: the weight of a token's gradient against its importance ratio, for each objective.

import * as Plot from "@observablehq/plot";
import { button, checkboxes, radios, slider } from "../../shared/controls.ts";
import { element } from "../../shared/dom.ts";
import { chartHeight, type FigureSpec, seriesStyle } from "../../shared/figure.ts";
import { formatNumber } from "../../shared/numbers.ts";
import { choiceField, numberField, subsetField, UrlState } from "../../shared/state.ts";
import { type Bounds, initialBounds, type ObjectiveName, objectiveNames, objectives, tokenWeights } from "./token-weights.ts";

type Sign = "positive" | "negative";

interface State extends Bounds {
  readonly objectives: readonly ObjectiveName[];
  readonly sign: Sign;
  readonly ratio: number;
}

/** The bounds, in the order of their sliders. */
const SLIDERS: readonly { name: keyof Bounds; label: string; min: number; max: number; step: number }[] = [
  { name: "cispoMax", label: "CISPO: upper bound", min: 1, max: 10, step: 0.1 },
  { name: "cispoMin", label: "CISPO: lower bound", min: 0, max: 1, step: 0.01 },
  { name: "low", label: "GRPO, DAPO: ε low", min: 0, max: 1, step: 0.01 },
  { name: "high", label: "GRPO: ε high", min: 0, max: 2, step: 0.01 },
  { name: "dapoHigh", label: "DAPO: ε high", min: 0, max: 2, step: 0.01 },
  { name: "cap", label: "Dual-clip: cap", min: 1.1, max: 10, step: 0.1 },
];

const MIN_RATIO = 1 / 16;
const MAX_RATIO = 16;
const POINTS = 321;
const TABLE_RATIOS = [0.1, 0.25, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 1.4, 1.6, 2, 3, 4, 5, 8, 10, 16];
const TICKS = [0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16];

const ratios = Array.from({ length: POINTS }, (_, i) => MIN_RATIO * (MAX_RATIO / MIN_RATIO) ** (i / (POINTS - 1)));

class CispoView extends HTMLElement {
  private started = false;

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    const bounds = Object.fromEntries(SLIDERS.map(({ name, min, max }) => [name, numberField(initialBounds[name], { min, max })]));
    const state = new UrlState<State>({
      objectives: subsetField<ObjectiveName>(["cispo", "grpo", "dapo"], objectiveNames),
      sign: choiceField<Sign>("positive", ["positive", "negative"]),
      ratio: numberField(2, { min: MIN_RATIO, max: MAX_RATIO }),
      ...(bounds as { [K in keyof Bounds]: ReturnType<typeof numberField> }),
    });

    const chosen = checkboxes({
      label: "Objectives",
      choices: objectiveNames.map((value) => ({ value, label: objectives[value].label })),
      onInput: (values) => state.set({ objectives: values }),
    });
    const sign = radios<Sign>({
      label: "Advantage of the token",
      choices: [
        { value: "positive", label: "positive: a better answer than its group's mean" },
        { value: "negative", label: "negative: a worse one" },
      ],
      onInput: (value) => state.set({ sign: value }),
    });
    const sliders = SLIDERS.map(({ name, ...options }) => ({
      name,
      control: slider({ ...options, onInput: (value) => state.set({ [name]: value }) }),
    }));
    const ratio = slider({
      label: "Ratio r of a token",
      min: Math.log2(MIN_RATIO),
      max: Math.log2(MAX_RATIO),
      step: 0.05,
      format: (exponent) => formatNumber(2 ** exponent, 3),
      onInput: (exponent) => state.set({ ratio: Number((2 ** exponent).toPrecision(4)) }),
    });
    const reading = element("p", { class: "view-reading", "aria-live": "polite" });
    const figure = element("m1-figure");
    const controls = element("div", { class: "view-controls" }, chosen.element, sign.element, ratio.element);
    controls.append(
      ...sliders.map(({ control }) => control.element),
      button("Reset", () => state.reset()),
    );
    this.classList.add("not-content", "view");
    this.append(controls, reading, figure);

    state.subscribe((values) => {
      chosen.show(values.objectives);
      sign.show(values.sign);
      for (const { name, control } of sliders) control.show(values[name]);
      ratio.show(Math.log2(values.ratio));
      reading.textContent = describeToken(values);
      figure.hidden = values.objectives.length === 0;
      if (!figure.hidden) figure.show(figureOf(values));
    });
  }
}

const advantageOf = (sign: Sign) => (sign === "positive" ? 1 : -1);

/** One sentence about the token with the chosen ratio. */
function describeToken(state: State): string {
  const advantage = advantageOf(state.sign);
  const parts = state.objectives.map((name) => {
    const [weight] = tokenWeights(name, [state.ratio], advantage, state);
    return `${objectives[name].label} ${weight === 0 ? "drops it (weight 0)" : `weights it by ${formatNumber(weight!, 3)}`}`;
  });
  const token = `A token with ratio ${formatNumber(state.ratio, 3)} and a ${state.sign} advantage:`;
  return parts.length === 0 ? "Choose at least one objective." : `${token} ${parts.join("; ")}.`;
}

function figureOf(state: State): FigureSpec {
  const advantage = advantageOf(state.sign);
  const curves = state.objectives.map((name) => ({
    name,
    label: objectives[name].label,
    index: objectiveNames.indexOf(name),
    weights: tokenWeights(name, ratios, advantage, state),
    atTableRatios: tokenWeights(name, TABLE_RATIOS, advantage, state),
  }));
  const top = Math.max(
    2,
    Math.min(MAX_RATIO, 1.15 * Math.max(0, ...curves.filter((c) => c.name !== "reinforce").flatMap((c) => c.weights))),
  );
  return {
    title: `Weight of a token with a ${state.sign} advantage`,
    description: `Line chart of the gradient's weight against the importance ratio from 1/16 to 16, for ${curves.map((c) => c.label).join(", ")}. The table below has the same data.`,
    file: `token-weight-${state.sign}`,
    series: curves,
    chart: (width) => ({
      height: chartHeight(width),
      marginLeft: 44,
      marginRight: 16,
      x: {
        type: "log",
        base: 2,
        domain: [MIN_RATIO, MAX_RATIO],
        ticks: width < 480 ? TICKS.filter((_, i) => i % 2 === 0) : TICKS,
        tickFormat: (r: number) => (r < 1 ? `1/${Math.round(1 / r)}` : String(r)),
        label: "importance ratio r",
      },
      y: { domain: [0, top], grid: true, label: "weight of the gradient" },
      marks: [
        Plot.ruleX([1], { stroke: "currentColor", strokeOpacity: 0.35 }),
        Plot.ruleX([state.ratio], { stroke: "currentColor", strokeDasharray: "2 4" }),
        Plot.ruleY([0]),
        // Where curves coincide, the lower ones are wider, so that all are visible.
        ...curves.map(({ weights, index }, position) =>
          Plot.line(
            weights.map((weight, i) => ({ ratio: ratios[i]!, weight })),
            { x: "ratio", y: "weight", strokeWidth: 2 + 2 * (curves.length - 1 - position), clip: true, ...seriesStyle(index) },
          ),
        ),
      ],
    }),
    columns: ["ratio r", ...curves.map((c) => c.label)],
    rows: TABLE_RATIOS.map((r, i) => [r, ...curves.map((c) => c.atTableRatios[i]!)]),
    data: { advantage, bounds: pickBounds(state), ratios, weights: Object.fromEntries(curves.map((c) => [c.name, c.weights])) },
  };
}

function pickBounds(state: State): Bounds {
  const { cispoMin, cispoMax, low, high, dapoHigh, cap } = state;
  return { cispoMin, cispoMax, low, high, dapoHigh, cap };
}

customElements.define("m1-cispo", CispoView);
