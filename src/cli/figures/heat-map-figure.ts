import type { EpisodeReport } from "../reports/episodes.js";
import { tokens } from "../text/environment-text.js";
import { type Figure, PALETTE, panelsTop } from "./figure.js";

const CELL_WIDTH = 84;
const CELL_HEIGHT = 44;
const MARGIN_LEFT = 80;
const MIN_WIDTH = 560;

/** Draws the mean reward for each length and depth as a heat map. @param model name of the model */
export function heatMapFigure({ environment, cells, beyond }: EpisodeReport, model?: string): Figure {
  const lengths = [...new Set([...cells.map(({ length }) => length), ...beyond])].sort((a, b) => a - b);
  const depths = [...new Set(cells.map(({ depth }) => depth))].sort((a, b) => (a ?? 0) - (b ?? 0));
  const names = (depths.length > 0 ? depths : [null]).map(depthName);
  const squares = cells.map(({ length, depth, mean }) => ({ x: tokens(length), y: depthName(depth), mean }));
  const missing = beyond.flatMap((length) => names.map((y) => ({ x: tokens(length), y })));
  const notes = ["Percent of the reward, by the length of the context in tokens and by the place of the answer in it."];
  if (beyond.length > 0) notes.push("Crossed lengths exceed the context of the model and were not run.");
  const top = panelsTop({ notes, legend: [] });
  const width = Math.max(MIN_WIDTH, MARGIN_LEFT + CELL_WIDTH * lengths.length + 40);
  const plotWidth = MARGIN_LEFT + CELL_WIDTH * lengths.length + 8;
  const height = CELL_HEIGHT * names.length + 48;
  return {
    title: `${environment}${model === undefined ? "" : `: ${model.slice(0, 60)}`}`,
    notes,
    legend: [],
    width,
    height: top + height + 24,
    data: { environment, ...(model !== undefined && { model }), cells, beyond },
    panels: (Plot) => [
      {
        title: "",
        x: 12,
        y: top - 26,
        options: {
          width: plotWidth,
          height,
          marginLeft: MARGIN_LEFT,
          marginRight: 8,
          marginTop: 6,
          marginBottom: 42,
          x: { label: "tokens", domain: lengths.map(tokens), tickSize: 0, labelAnchor: "center", labelArrow: "none", padding: 0.04 },
          y: { label: null, domain: names, tickSize: 0, padding: 0.06 },
          // One color with the reward as its opacity works on light and dark pages.
          opacity: { type: "identity" },
          marks: [
            Plot.cell(squares, {
              x: "x",
              y: "y",
              fill: PALETTE.blue,
              fillOpacity: ({ mean }) => (mean === null ? 0 : 0.06 + 0.74 * clamp(mean)),
            }),
            Plot.cell(squares, { x: "x", y: "y", fill: "none", stroke: PALETTE.grey, strokeOpacity: 0.5 }),
            Plot.text(squares, {
              x: "x",
              y: "y",
              text: ({ mean }) => (mean === null ? "–" : `${Math.round(100 * mean)}`),
              fill: "currentColor",
            }),
            Plot.cell(missing, { x: "x", y: "y", fill: PALETTE.grey, fillOpacity: 0.12 }),
            Plot.text(missing, { x: "x", y: "y", text: () => "×", fill: PALETTE.grey }),
          ],
        },
      },
    ],
  };
}

const depthName = (depth: number | null): string => (depth === null ? "anywhere" : `at ${Math.round(100 * depth)} %`);
const clamp = (x: number): number => Math.min(Math.max(x, 0), 1);
