// Draws the results as one SVG, whose colours follow the reader's preference for light or dark pages.
import { format, label } from "./table.mjs";

const WIDTH = 860;
const OURS = { simd: "#f08c00", relaxed: "#e8590c" };
const PEER = "#868e96";
const SERIES = ["#e8590c", "#1c7ed6", "#868e96"];

const style = `
  text { font: 12px system-ui, sans-serif; fill: currentColor; }
  svg { color: #24292f; }
  @media (prefers-color-scheme: dark) { svg { color: #e6edf3; } }
  .title { font-size: 15px; font-weight: 600; }
`;

export async function plot({ products, lightning, model, long }) {
  const Plot = await import("@observablehq/plot");
  const { parseHTML } = await import("linkedom");
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const draw = (options) => Plot.plot({ document, width: WIDTH, style: { background: "none", overflow: "visible" }, ...options });

  /** Draws horizontal bars of one metric, one per contestant, with the fastest first. The library's bars are coloured. */
  function bars(title, unit, rows) {
    const sorted = [...rows].sort((a, b) => b.rate - a.rate);
    const names = sorted.map(({ name }) => name);
    return {
      title: `${title}, ${unit}`,
      height: 34 + 20 * names.length,
      node: draw({
        height: 34 + 20 * names.length,
        marginLeft: 260,
        marginRight: 60,
        x: { label: null, ticks: 5, grid: true, nice: true },
        y: { label: null, domain: names, tickSize: 0 },
        marks: [
          Plot.barX(sorted, { x: "rate", y: "name", fill: "color", insetTop: 2, insetBottom: 2 }),
          Plot.text(sorted, { x: "rate", y: "name", text: ({ rate }) => format(rate), dx: 4, textAnchor: "start", fill: "currentColor" }),
          Plot.ruleX([0], { stroke: "currentColor" }),
        ],
      }),
    };
  }

  function lines(title, unit, rows) {
    return {
      title: `${title}, ${unit}`,
      height: 300,
      node: draw({
        height: 300,
        marginLeft: 70,
        marginRight: 110,
        x: { type: "log", label: "tokens", grid: true, tickFormat: "~s" },
        y: { type: "log", label: null, grid: true, tickFormat: "~s" },
        color: { domain: [...new Set(rows.map(({ name }) => name))], range: SERIES },
        marks: [
          Plot.lineY(rows, { x: "position", y: "rate", stroke: "name", strokeWidth: 2 }),
          // A mark is hollow if the cache was declared full instead of computed.
          Plot.dot(rows, { filter: ({ filled }) => !filled, x: "position", y: "rate", fill: "name", r: 4 }),
          Plot.dot(rows, { filter: ({ filled }) => filled, x: "position", y: "rate", stroke: "name", strokeWidth: 2, r: 4 }),
          Plot.text(
            rows,
            Plot.selectLast({ x: "position", y: "rate", z: "name", text: "name", dx: 10, textAnchor: "start", fill: "currentColor" }),
          ),
        ],
      }),
    };
  }

  const panels = [];
  const heat = (part, wanted) => part?.heats.find(wanted);
  const rowsOf = ({ results }, metric, keep = () => true) =>
    results
      .filter((result) => result.rates[metric] && keep(result))
      .map((result) => ({ name: label(result), rate: result.rates[metric].median, color: result.peer ? PEER : OURS[result.build] }));
  const product = heat(products, ({ task }) => task.M === 512 && task.K === 512);
  if (product)
    panels.push(
      bars(
        "Matrix multiplication 512×512×512, float32, one thread",
        "GFLOP/s",
        rowsOf(product, "run", ({ name }) => !/bf16/.test(name)),
      ),
    );
  if (lightning) {
    const best = new Map();
    for (const row of lightning.heats.filter(({ task }) => task.tokens === 16384).flatMap((heat) => rowsOf(heat, "run"))) {
      if (!(best.get(row.name)?.rate > row.rate)) best.set(row.name, row);
    }
    panels.push(
      bars("Lightning attention, 8 heads of 128, 16k tokens, each at its best block size", "thousand tokens/s", [...best.values()]),
    );
  }
  for (const metric of ["prefill", "decode"]) {
    const rows = (model?.heats ?? [])
      .filter(({ title }) => /1 thread/.test(title))
      .flatMap((heat) => rowsOf(heat, metric).map((row) => ({ ...row, name: `${row.name} ${heat.title.match(/model (\w+)/)[1]}` })));
    const what = metric === "prefill" ? "prefill of 512 tokens" : "decode";
    if (rows.length) panels.push(bars(`Model of 119M parameters, one thread, ${what}`, "tokens/s", rows));
  }
  if (long) {
    const points = long.series.flatMap(({ name, points }) => points.filter(({ abort }) => !abort).map((point) => ({ name, ...point })));
    for (const [what, key] of Object.entries({ "Prefill at a position": "prefillHere", "Decode at a position": "decodeHere" })) {
      panels.push(
        lines(
          `${what}, small models of one size`,
          "tokens/s",
          points.map((point) => ({ ...point, rate: point[key] })),
        ),
      );
    }
  }
  return compose(panels);
}

/** Places panels below one another. */
function compose(panels) {
  let y = 0;
  const parts = panels.map(({ title, height, node }) => {
    const svg = node.tagName.toLowerCase() === "svg" ? node : node.querySelector("svg");
    svg.setAttribute("y", y + 24);
    const part = `<text class="title" x="0" y="${y + 16}">${title}</text>\n${svg.outerHTML}`;
    y += height + 44;
    return part;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}">\n<style>${style}</style>\n${parts.join("\n")}\n</svg>\n`;
}
