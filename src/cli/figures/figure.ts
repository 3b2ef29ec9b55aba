// Draws panels of plots as one SVG or PNG. The optional drawing packages are loaded on the first call.

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { LightningError } from "../../index.js";

/** Colors with a contrast of at least 3 against both pages of {@link PAGE_COLORS}. */
export const PALETTE = { orange: "#e8590c", blue: "#1c7ed6", green: "#2f9e44", purple: "#ae3ec9", grey: "#7d8590" } as const;

export const PAGE_COLORS = { light: { paper: "#ffffff", ink: "#24292f" }, dark: { paper: "#0d1117", ink: "#e6edf3" } } as const;

export type Scheme = keyof typeof PAGE_COLORS;

export type PlotLibrary = typeof import("@observablehq/plot");

export interface FigurePanel {
  readonly title: string;
  readonly x: number;
  readonly y: number;
  readonly options: import("@observablehq/plot").PlotOptions & { readonly width: number; readonly height: number };
}

/** An entry of a legend: a mark and its meaning. */
export interface LegendEntry {
  readonly mark: "band" | "line" | "dashed" | "dot" | "ring" | "bar" | "diamond" | "none";
  readonly color: string;
  readonly text: string;
}

/** A figure with its data. */
export interface Figure {
  readonly title: string;
  /** Lines below the title. */
  readonly notes: readonly string[];
  /** Rows of the legend below the notes. */
  readonly legend: readonly (readonly LegendEntry[])[];
  /** A second legend at a given position, with one entry per line. */
  readonly aside?: { readonly x: number; readonly y: number; readonly keys: readonly LegendEntry[] };
  readonly width: number;
  readonly height: number;
  readonly panels: (Plot: PlotLibrary) => readonly FigurePanel[];
  /** The content of a `.json` file. */
  readonly data: object;
}

const FONT = "system-ui, 'DejaVu Sans', sans-serif";
const FONT_SIZE = 12;
const LINE_HEIGHT = 18;

/** Returns the y coordinate at which panels begin: below the title, notes and legend. */
export function panelsTop({ notes, legend }: Pick<Figure, "notes" | "legend">): number {
  return 40 + LINE_HEIGHT * notes.length + (LINE_HEIGHT + 4) * legend.length + 10;
}

/** Draws a figure as SVG. @param scheme colors of the page. If undefined, they follow the reader's preference. */
export async function drawSvg(figure: Figure, scheme?: Scheme): Promise<string> {
  const [Plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const { title, notes, legend, aside, width, height } = figure;
  const style = { background: "none", overflow: "visible", fontFamily: FONT, fontSize: `${FONT_SIZE}px` };
  const panels = figure.panels(Plot).map(({ title, x, y, options }) => {
    const node = Plot.plot({ document, style, ...options } as import("@observablehq/plot").PlotOptions);
    node.querySelector("style")?.remove();
    node.setAttribute("x", `${x}`);
    node.setAttribute("y", `${y + LINE_HEIGHT}`);
    // Rounds to two decimals, because smaller differences are invisible.
    const drawn = node.outerHTML.replace(/="[^"]*"/g, (value) => value.replace(/(\d\.\d\d)\d+/g, "$1"));
    return `${text(title, x, y + 8, 'font-weight="600"')}\n${drawn}`;
  });
  const { light, dark } = PAGE_COLORS;
  const paper = scheme ? `<rect width="${width}" height="${height}" fill="${PAGE_COLORS[scheme].paper}"/>\n` : "";
  const rules = scheme
    ? `svg { color: ${PAGE_COLORS[scheme].ink}; }`
    : `svg { color: ${light.ink}; } @media (prefers-color-scheme: dark) { svg { color: ${dark.ink}; } }`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${FONT}" font-size="${FONT_SIZE}" role="img" aria-label="${escaped(title)}">`,
    `<style>${rules}</style>`,
    `${paper}${text(title, 12, 24, 'font-size="16" font-weight="600"')}`,
    ...notes.map((note, i) => text(note, 12, 46 + LINE_HEIGHT * i)),
    ...legend.map((row, i) => drawLegend(row, 12, 52 + LINE_HEIGHT * notes.length + (LINE_HEIGHT + 4) * i)),
    ...(aside?.keys ?? []).map((key, i) => drawLegend([key], aside!.x, aside!.y + (LINE_HEIGHT + 4) * i)),
    ...panels,
    "</svg>\n",
  ].join("\n");
}

/** Draws a figure as PNG on an opaque page, at two pixels per unit. */
export async function drawPng(figure: Figure, scheme: Scheme): Promise<Uint8Array> {
  const { resolve } = createRequire(import.meta.url);
  const [svg, { initWasm, Resvg }, module, ...fonts] = await Promise.all([
    drawSvg(figure, scheme),
    import("@resvg/resvg-wasm"),
    readFile(resolve("@resvg/resvg-wasm/index_bg.wasm")),
    ...["", "-Bold"].map((face) => readFile(resolve(`dejavu-fonts-ttf/ttf/DejaVuSans${face}.ttf`))),
  ]);
  rasteriser ??= initWasm(module);
  await rasteriser;
  const font = { fontBuffers: fonts, defaultFontFamily: "DejaVu Sans", sansSerifFamily: "DejaVu Sans" };
  // system-ui is not available to the rasteriser.
  const resvg = new Resvg(svg.replaceAll("system-ui, ", ""), { font, fitTo: { mode: "zoom", value: 2 } });
  const image = resvg.render();
  try {
    return image.asPng();
  } finally {
    image.free();
    resvg.free();
  }
}

/** Settles when the rasteriser is initialised, which may be done only once per process. Undefined before the first use. */
let rasteriser: Promise<void> | undefined;

/** Formats, named by their file extensions. */
export const FORMATS = ["svg", "png", "json"] as const;

export function formatOf(path: string): (typeof FORMATS)[number] | undefined {
  return FORMATS.find((format) => path.toLowerCase().endsWith(`.${format}`));
}

/** Writes a figure in the format of the path's extension. @throws {LightningError} the file cannot be written */
export async function writeFigure(path: string, figure: Figure, dark: boolean): Promise<void> {
  const format = formatOf(path);
  const content =
    format === "json"
      ? `${JSON.stringify(figure.data, null, 2)}\n`
      : format === "png"
        ? await drawPng(figure, dark ? "dark" : "light")
        : await drawSvg(figure, dark ? "dark" : undefined);
  await writeFile(path, content).catch((cause: Error) => {
    throw new LightningError(`${path}: cannot be written: ${cause.message}`, { cause });
  });
}

/** Draws legend entries side by side. Widths are estimated from the length of the text. */
function drawLegend(keys: readonly LegendEntry[], x: number, y: number): string {
  const parts: string[] = [];
  for (const { mark, color, text: words } of keys) {
    parts.push(swatch(mark, color, x, y - 4), text(words, x + 26, y));
    x += 44 + 7.2 * words.length;
  }
  return parts.join("\n");
}

function swatch(mark: LegendEntry["mark"], color: string, x: number, y: number): string {
  const line = `<line x1="${x}" x2="${x + 20}" y1="${y}" y2="${y}" stroke="${color}" stroke-width="2"`;
  const marks = {
    band: `<rect x="${x}" y="${y - 6}" width="20" height="12" fill="${color}"/>`,
    line: `${line}/>`,
    dashed: `${line} stroke-dasharray="5 4"/>`,
    dot: `<circle cx="${x + 10}" cy="${y}" r="5" fill="${color}"/>`,
    ring: `<circle cx="${x + 10}" cy="${y}" r="4.5" fill="none" stroke="${color}" stroke-width="2"/>`,
    bar: `<line x1="${x}" x2="${x + 20}" y1="${y}" y2="${y}" stroke="${color}" stroke-width="5" stroke-opacity="0.3"/>`,
    none: "",
    diamond: `<path d="M${x + 10} ${y - 6}l6 6l-6 6l-6 -6z" fill="${color}"/>`,
  };
  return marks[mark];
}

function text(words: string, x: number, y: number, attributes = ""): string {
  return `<text x="${x}" y="${y}" fill="currentColor" ${attributes}>${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
