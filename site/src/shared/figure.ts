// A chart with its table: `<m1-figure>`. The chart can be saved as SVG and its data as JSON.

import * as Plot from "@observablehq/plot";
import { button } from "./controls.ts";
import { element, saveFile, uniqueId } from "./dom.ts";
import { formatNumber } from "./numbers.ts";

export type Cell = number | string | null;

export interface FigureSpec {
  readonly title: string;
  /** What the chart shows, for readers who do not see it: axes, series, and the main observation. */
  readonly description: string;
  /** The name of saved files, without ending. */
  readonly file: string;
  /** The chart for a width in pixels. Take colours from {@link seriesStyle}. */
  readonly chart: (width: number) => Plot.PlotOptions;
  readonly series?: readonly Series[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** The content of the JSON file; the table if it is missing. */
  readonly data?: unknown;
}

/** A line of the legend. `index` selects colour and dash pattern, and stays that of the series when others are hidden. */
export interface Series {
  readonly label: string;
  readonly index: number;
}

const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2", "1 3", "6 2"];

/** Colour and dash pattern of a series. Series differ by both, so that they can be told apart without colours. */
export function seriesStyle(index: number): { readonly stroke: string; readonly strokeDasharray: string } {
  return { stroke: `var(--chart-${(index % 8) + 1})`, strokeDasharray: DASHES[index % DASHES.length]! };
}

/** Height of a chart of this width, in pixels. */
export function chartHeight(width: number): number {
  return Math.round(Math.min(420, Math.max(280, width * 0.5)));
}

/** Space for the label of the y axis above its highest tick. */
const MARGIN_TOP = 32;
/** Space for the ticks of the x axis and, below them, its label. */
const MARGIN_BOTTOM = 44;
/** Space for the letters of that label that reach below the line. */
const LABEL_BOTTOM = 6;

/** Properties whose values may be CSS variables, which a saved file does not know. */
const PAINTED = ["fill", "stroke", "color", "background"];

/** A copy of a chart that does not depend on the page: colours in place of variables, and a background. */
function standaloneSvg(chart: SVGSVGElement): string {
  const copy = chart.cloneNode(true) as SVGSVGElement;
  const originals = [chart, ...chart.querySelectorAll<SVGElement>("*")];
  const copies = [copy, ...copy.querySelectorAll<SVGElement>("*")];
  for (const [i, original] of originals.entries()) {
    const target = copies[i]!;
    const style = getComputedStyle(original);
    for (const name of PAINTED) {
      if (target.getAttribute(name)?.includes("var(") || target.style.getPropertyValue(name).includes("var(")) {
        target.style.removeProperty(name);
        target.setAttribute(name, style.getPropertyValue(name));
      }
    }
  }
  const style = getComputedStyle(chart);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("color", style.color);
  copy.style.setProperty("background", getComputedStyle(document.body).backgroundColor);
  return new XMLSerializer().serializeToString(copy);
}

export class Figure extends HTMLElement {
  private spec: FigureSpec | undefined;
  private readonly plot = element("div", { class: "figure-plot" });
  private readonly caption = element("figcaption");
  private readonly legend = element("ul", { class: "figure-legend" });
  private readonly table = element("table");
  /** The width for the chart. Reading it from the element would compute the page's layout for every chart. */
  private available = 0;
  private readonly observer = new ResizeObserver(([entry]) => {
    this.available = Math.floor(entry!.contentRect.width);
    this.draw();
  });
  private width = 0;

  connectedCallback(): void {
    if (this.childElementCount === 0) {
      const captionId = uniqueId("figure");
      this.caption.id = captionId;
      const region = element("div", { class: "table-scroll", role: "region", tabindex: 0, "aria-label": "Data of the chart" }, this.table);
      const details = element("details", {}, element("summary", {}, "Table"), region);
      const actions = element(
        "div",
        { class: "figure-actions" },
        button("Save SVG", () => this.saveSvg()),
        button("Save data (JSON)", () => this.saveData()),
      );
      this.append(
        element("figure", { "aria-labelledby": captionId }, this.caption, this.legend, this.plot, element("div", {}, actions, details)),
      );
      this.showTools();
    }
    this.observer.observe(this.plot);
  }

  disconnectedCallback(): void {
    this.observer.disconnect();
  }

  /** Draws a chart in place of the previous one. */
  show(spec: FigureSpec): void {
    this.spec = spec;
    this.showTools();
    this.caption.textContent = spec.title;
    this.legend.replaceChildren(...(spec.series ?? []).map(legendEntry));
    const head = element("thead", {}, element("tr", {}, ...spec.columns.map((name) => element("th", { scope: "col" }, name))));
    const rows = spec.rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cellText(cell)))));
    this.table.replaceChildren(head, element("tbody", {}, ...rows));
    this.width = 0;
    this.draw();
  }

  /** Shows buttons and table as soon as there is a chart. */
  private showTools(): void {
    const tools = this.querySelector<HTMLElement>("figure > :last-child");
    if (tools) tools.hidden = this.spec === undefined;
  }

  private draw(): void {
    const width = this.available;
    if (!this.spec || width === 0 || width === this.width) return;
    this.width = width;
    const options = this.spec.chart(width);
    const x = { labelOffset: MARGIN_BOTTOM - LABEL_BOTTOM, ...options.x };
    const chart = Plot.plot({ marginTop: MARGIN_TOP, marginBottom: MARGIN_BOTTOM, ...options, x, width });
    // The chart is one picture with one description. Plot labels its parts too, which needs roles that groups in a picture lack.
    for (const part of chart.querySelectorAll("[aria-label], [aria-description]")) {
      part.removeAttribute("aria-label");
      part.removeAttribute("aria-description");
    }
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", this.spec.description);
    this.plot.replaceChildren(chart);
  }

  private saveSvg(): void {
    const chart = this.plot.querySelector("svg");
    if (this.spec && chart) saveFile(`${this.spec.file}.svg`, "image/svg+xml", standaloneSvg(chart));
  }

  private saveData(): void {
    if (!this.spec) return;
    const { columns, rows, title, data } = this.spec;
    const records = rows.map((cells) => Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? null])));
    saveFile(`${this.spec.file}.json`, "application/json", `${JSON.stringify(data ?? { title, rows: records }, null, 2)}\n`);
  }
}

function cellText(cell: Cell): string {
  return cell === null ? "–" : typeof cell === "number" ? formatNumber(cell) : cell;
}

function legendEntry({ label, index }: Series): HTMLElement {
  const entry = element("li", {}, label);
  const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ width: "28", height: "10", "aria-hidden": "true" })) swatch.setAttribute(name, value);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const { stroke, strokeDasharray } = seriesStyle(index);
  const attributes = {
    x1: "0",
    x2: "28",
    y1: "5",
    y2: "5",
    "stroke-width": "2.5",
    "stroke-dasharray": strokeDasharray,
    style: `stroke: ${stroke}`,
  };
  for (const [name, value] of Object.entries(attributes)) line.setAttribute(name, value);
  swatch.append(line);
  entry.prepend(swatch);
  return entry;
}

customElements.define("m1-figure", Figure);

declare global {
  interface HTMLElementTagNameMap {
    "m1-figure": Figure;
  }
}
