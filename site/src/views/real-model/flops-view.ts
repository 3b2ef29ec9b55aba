// `<m1-generation-flops>`: figure 1 (right) of the report, with the rule by which operations are counted as a switch.

import * as Plot from "@observablehq/plot";
import {
  type Comparison,
  type ComparisonRule,
  type CountingRule,
  compareGeneration,
  comparisonRules,
  figurePoints,
  type LatentForm,
  ratioToDeepSeekR1,
} from "lightning-m1/analysis";
import { radios, slider } from "../../shared/controls.ts";
import { element } from "../../shared/dom.ts";
import { chartHeight, type FigureSpec, seriesStyle } from "../../shared/figure.ts";
import { formatInteger, formatNumber } from "../../shared/numbers.ts";
import { choiceField, numberField, UrlState } from "../../shared/state.ts";
import { onModel } from "./chosen-model.ts";

interface State {
  readonly rule: CountingRule;
  readonly form: LatentForm;
  readonly tokens: number;
}

const MIN_TOKENS = 1000;
const MAX_TOKENS = 1_000_000;
/** The longest generation that the figure shows, unless the reader asks for a longer one. */
const FIGURE_TOKENS = 131_072;
const POINTS = 65;
const CLAIMED_LENGTHS = [65_536, 100_000] as const;

const RULE_NAMES: Readonly<Record<ComparisonRule, string>> = {
  causal: "pairs that exist, expanded",
  square: "all pairs, expanded",
  causalAbsorbed: "pairs that exist, absorbed",
  squareAbsorbed: "all pairs, absorbed",
};

const ruleOf = ({ rule, form }: State) =>
  (Object.keys(comparisonRules) as ComparisonRule[]).find(
    (name) => comparisonRules[name].rule === rule && comparisonRules[name].form === form,
  )!;

class GenerationFlops extends HTMLElement {
  private started = false;
  private comparison!: Comparison;

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    const state = new UrlState<State>({
      rule: choiceField<CountingRule>("causal", ["causal", "square"]),
      form: choiceField<LatentForm>("expanded", ["expanded", "absorbed"]),
      tokens: numberField(100_000, { min: MIN_TOKENS, max: MAX_TOKENS }),
    });
    const rule = radios<CountingRule>({
      label: "Query-key pairs that count",
      choices: [
        { value: "causal", label: "those that exist: n(n + 1)/2" },
        { value: "square", label: "all, as if there were no causality: n²" },
      ],
      onInput: (value) => state.set({ rule: value }),
    });
    const form = radios<LatentForm>({
      label: "Attention of DeepSeek-R1",
      choices: [
        { value: "expanded", label: "expanded: keys and values of every head are kept" },
        { value: "absorbed", label: "absorbed: as engines decode; the cache is 71 times smaller" },
      ],
      onInput: (value) => state.set({ form: value }),
    });
    const tokens = slider({
      label: "Generated tokens",
      min: Math.log10(MIN_TOKENS),
      max: Math.log10(MAX_TOKENS),
      step: 0.01,
      format: (exponent) => formatInteger(Number((10 ** exponent).toPrecision(3))),
      onInput: (exponent) => state.set({ tokens: Number((10 ** exponent).toPrecision(3)) }),
    });
    const reading = element("p", { class: "view-reading", "aria-live": "polite" });
    const figure = element("m1-figure");
    const table = element("table");
    const scroll = element("div", { class: "table-scroll", role: "region", tabindex: 0, "aria-label": "Ratio under each rule" }, table);
    this.classList.add("not-content", "view");
    this.append(element("div", { class: "view-controls" }, rule.element, form.element, tokens.element), reading, figure, scroll);

    const update = () => {
      const values = state.value;
      rule.show(values.rule);
      form.show(values.form);
      tokens.show(Math.log10(values.tokens));
      reading.textContent = this.describe(values);
      figure.show(this.figure(values));
      table.replaceChildren(...this.ratioTable(ruleOf(values)));
    };
    onModel((model) => {
      this.comparison = compareGeneration(model.graph, model.name);
      update();
    });
    state.subscribe(update);
  }

  private own() {
    return this.comparison.series.at(-1)!;
  }

  private describe(state: State): string {
    const ratio = ratioToDeepSeekR1(this.own().cost, state.tokens, ruleOf(state));
    const longest = Math.min(...this.comparison.series.map(({ context }) => context));
    const beyond =
      state.tokens > longest ? ` Not every model is made for so many tokens: the shortest context is ${formatInteger(longest)}.` : "";
    const share = `${formatNumber(100 * ratio, 3)} % of DeepSeek-R1's operations`;
    return `To generate ${formatInteger(state.tokens)} tokens, ${this.own().model} needs ${share}.${beyond}`;
  }

  private figure(state: State): FigureSpec {
    const { series, readings } = this.comparison;
    const longest = Math.max(FIGURE_TOKENS, state.tokens);
    const lengths = Array.from({ length: POINTS }, (_, i) => Math.max(1, Math.round((longest * i) / (POINTS - 1))));
    const key = ruleOf(state);
    const points = figurePoints(series, lengths).map((point) => ({
      model: point.model,
      tokens: point.tokens,
      flops: (key === "causal" || key === "square" ? point[key] : (point[key] ?? point[state.rule])) / 1e15,
    }));
    // The model's own series comes first, so that it has the same colour as in the other figures.
    const legend = [...series].reverse().map(({ model }, index) => ({ label: model, index }));
    const styleOf = (model: string) => seriesStyle(legend.find(({ label }) => label === model)!.index);
    const shown = readings.filter(({ tokens }) => tokens <= longest);
    const at = (model: string, tokens: number) => points.find((point) => point.model === model && point.tokens === tokens)!.flops;
    const tableLengths = lengths.filter((_, i) => i % 8 === 0);
    return {
      title: `Operations of generating tokens${shown.length > 0 ? " (circles: read off the report's figure)" : ""}`,
      description:
        `Line chart: operations in units of 10^15 against generated tokens up to ${formatInteger(longest)}, ` +
        `for ${legend.map(({ label }) => label).join(", ")}. ` +
        "The curves of models with softmax attention in every layer bend upwards. The table below has the same data.",
      file: `generation-flops-${key}`,
      series: legend,
      chart: (width) => ({
        height: chartHeight(width),
        marginLeft: 52,
        marginRight: 16,
        x: {
          domain: [0, longest],
          ticks: width < 480 ? 4 : 8,
          tickFormat: (n: number) => formatInteger(n),
          label: "generated tokens",
        },
        y: { grid: true, label: "10¹⁵ operations", tickFormat: (value: number) => formatInteger(value) },
        marks: [
          Plot.ruleY([0]),
          Plot.ruleX([state.tokens], { stroke: "currentColor", strokeDasharray: "2 4" }),
          ...legend.map(({ label }) =>
            Plot.line(
              points.filter(({ model }) => model === label),
              { x: "tokens", y: "flops", strokeWidth: 2.5, ...styleOf(label) },
            ),
          ),
          ...shown.map((reading) =>
            Plot.dot([{ tokens: reading.tokens, flops: reading.flops / 1e15 }], {
              x: "tokens",
              y: "flops",
              r: 5,
              strokeWidth: 2,
              stroke: styleOf(reading.model).stroke,
            }),
          ),
        ],
      }),
      columns: ["tokens", ...legend.map(({ label }) => `${label} (10¹⁵ operations)`)],
      rows: tableLengths.map((tokens) => [formatInteger(tokens), ...legend.map(({ label }) => at(label, tokens))]),
      data: { rule: key, unit: "10^15 operations", points, readOffTheReport: shown },
    };
  }

  /** The ratio to DeepSeek-R1 at the report's two lengths under all rules, and from where on the report's claims hold. */
  private ratioTable(chosen: ComparisonRule): HTMLElement[] {
    const { ratioToDeepSeekR1: ratios, claims } = this.comparison;
    const percent = (ratio: number) => `${formatNumber(100 * ratio, 3)} %`;
    const columns = [
      `${this.own().model} / DeepSeek-R1`,
      ...CLAIMED_LENGTHS.map((tokens) => `${formatInteger(tokens)} tokens`),
      ...claims.map(({ claimed }) => `below ${100 * claimed} % from`),
    ];
    const names = Object.keys(comparisonRules) as ComparisonRule[];
    const reported = [
      "the report's claim",
      ...claims.map(({ claimed }) => (claimed === 0.5 ? "below 50 %" : "approximately 25 %")),
      ...claims.map(() => "–"),
    ];
    const line = (cells: readonly string[], isChosen = false) =>
      element(
        "tr",
        { class: isChosen ? "chosen" : undefined },
        element("th", { scope: "row" }, cells[0]! + (isChosen ? " (shown)" : "")),
        ...cells.slice(1).map((text) => element("td", {}, text)),
      );
    return [
      element("thead", {}, element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)))),
      element(
        "tbody",
        {},
        ...(claims.length > 0 ? [line(reported)] : []),
        ...names.map((name) =>
          line(
            [
              RULE_NAMES[name],
              ...CLAIMED_LENGTHS.map((tokens) => percent(ratios[name][tokens]!)),
              ...claims.map(({ reachedAt }) => `${formatInteger(reachedAt[name])} tokens`),
            ],
            name === chosen,
          ),
        ),
      ),
    ];
  }
}

customElements.define("m1-generation-flops", GenerationFlops);
