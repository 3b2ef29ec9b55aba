// `<m1-benchmarks>`: the report's benchmark table, what it says about it, and whether a lead of one model over another is more than chance.

import * as Plot from "@observablehq/plot";
import { type BenchmarkModel, benchmarkClaims, benchmarkModels, benchmarks, type Lead, leads, scoreOf } from "lightning-m1/analysis";
import { select } from "../../shared/controls.ts";
import { element } from "../../shared/dom.ts";
import type { FigureSpec } from "../../shared/figure.ts";
import { formatInteger } from "../../shared/numbers.ts";
import { sentence } from "../../shared/sentences.ts";
import { choiceField, UrlState } from "../../shared/state.ts";

interface State {
  readonly a: BenchmarkModel;
  readonly b: BenchmarkModel;
}

const names = benchmarkModels.map(({ name }) => name);
const points = (value: number) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`;

class BenchmarksView extends HTMLElement {
  private started = false;

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    const state = new UrlState<State>({
      a: choiceField<BenchmarkModel>("MiniMax-M1-80k", names),
      b: choiceField<BenchmarkModel>("MiniMax-M1-40k", names),
    });
    const choices = names.map((value) => ({ value, label: value }));
    const a = select<BenchmarkModel>({ label: "Compare", choices, onInput: (value) => state.set({ a: value }) });
    const b = select<BenchmarkModel>({ label: "with", choices, onInput: (value) => state.set({ b: value }) });
    const reading = element("p", { class: "view-reading", "aria-live": "polite" });
    const figure = element("m1-figure");
    const scroll = element("div", { class: "table-scroll", role: "region", tabindex: 0, "aria-label": "Benchmark scores" }, scoreTable());
    this.classList.add("not-content", "view");
    this.append(
      claimList(),
      element("div", { class: "view-controls" }, a.element, b.element),
      reading,
      figure,
      element("details", { class: "all-scores" }, element("summary", {}, "All scores of the table, in percent"), scroll),
    );
    state.subscribe((values) => {
      a.show(values.a);
      b.show(values.b);
      const all = leads(values.a, values.b);
      reading.textContent = describe(values, all);
      figure.hidden = values.a === values.b;
      if (!figure.hidden) figure.show(figureOf(values, all));
    });
  }
}

/** The report's statements about its table, and two that a reader might draw from it. */
function claimList(): HTMLElement {
  const items = benchmarkClaims().map(({ claim, reported, holds, because }) =>
    element(
      "li",
      {},
      element("strong", { class: holds ? "holds" : "fails" }, holds ? "Holds" : "Does not hold"),
      ` ${sentence(claim)}${reported ? "" : " The report does not say so."}`,
      element("br"),
      element("small", {}, sentence(because)),
    ),
  );
  return element("ul", { class: "claims" }, ...items);
}

function describe({ a, b }: State, all: readonly Lead[]): string {
  if (a === b) return "Choose two different models.";
  const ahead = all.filter((lead) => lead.points > 0).length;
  const clear = (sign: number) => all.filter((lead) => lead.clear && lead.points * sign > 0).length;
  const known = all.filter((lead) => lead.clear !== undefined).length;
  return (
    `${a} scores higher on ${ahead} of ${all.length} benchmarks. Of the ${known} with a known number of questions, ` +
    `it is ahead by more than two standard errors on ${clear(1)}, and behind by more on ${clear(-1)}.`
  );
}

function figureOf({ a, b }: State, all: readonly Lead[]): FigureSpec {
  return {
    title: `Points by which ${a} leads over ${b}`,
    description:
      `For each benchmark, a dot at the difference of the two scores, with a line of two standard errors to each side where the ` +
      `number of questions is known. Filled dots are differences of more than two standard errors. The table below has the same data.`,
    file: "benchmark-leads",
    chart: (width) => ({
      height: 64 + 24 * Math.max(1, all.length),
      marginLeft: 150,
      marginRight: 16,
      x: { label: "points", grid: true, ticks: width < 480 ? 4 : 8 },
      y: { domain: all.map(({ benchmark }) => benchmark), label: null, tickSize: 0 },
      marks: [
        Plot.ruleX([0]),
        Plot.ruleY(
          all.flatMap((lead) => (lead.standardError === undefined ? [] : [{ ...lead, width: 2 * lead.standardError }])),
          {
            y: "benchmark",
            x1: (lead) => lead.points - lead.width,
            x2: (lead) => lead.points + lead.width,
            stroke: "var(--chart-1)",
            strokeWidth: 2,
          },
        ),
        Plot.dot(all, {
          x: "points",
          y: "benchmark",
          r: 5,
          stroke: "var(--chart-1)",
          strokeWidth: 2,
          fill: (lead: Lead) => (lead.clear ? "var(--chart-1)" : "var(--sl-color-bg)"),
        }),
      ],
    }),
    columns: ["benchmark", "points", "standard error", "more than two standard errors"],
    rows: all.map(({ benchmark, points: lead, standardError, clear }) => [
      benchmark,
      points(lead),
      standardError === undefined ? null : standardError.toFixed(1),
      clear === undefined ? "unknown" : clear ? "yes" : "no",
    ]),
    data: { a, b, leads: all },
  };
}

function scoreTable(): HTMLTableElement {
  const head = ["Benchmark", "Questions", ...names].map((name) => element("th", { scope: "col" }, name));
  const rows = benchmarks.map((benchmark) => {
    const scores = names.map((name) => scoreOf(benchmark, name));
    const best = Math.max(...scores.filter((score) => score !== undefined));
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, benchmark.name),
      element("td", {}, benchmark.questions === undefined ? "–" : formatInteger(benchmark.questions)),
      ...scores.map((score) => element("td", { class: score === best ? "best" : undefined }, score === undefined ? "–" : score.toFixed(1))),
    );
  });
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
}

customElements.define("m1-benchmarks", BenchmarksView);
