// Draws docs/fp32-head.svg: the probability of each token in sampling and in training, as in figure 3 of the M1 report.

import { drawSvg, PALETTE, panelsTop } from "../../dist/node/figure.js";

const SIZE = 260;
/** Number of points drawn per panel. Nearly all lie close to probability 1. */
const DRAWN = 400;

/** Draws the figure. @returns SVG that adapts to light and dark colour schemes */
export function figure(panels) {
  const title = "Probabilities of sampled tokens: sampling against training";
  const notes = [`The ${DRAWN} least certain tokens of each; r is that of all tokens.`];
  const y = panelsTop({ notes, legend: [] });
  return drawSvg({
    ...{ title, notes, legend: [], width: 12 + panels.length * (SIZE + 24), height: y + SIZE + 24 },
    panels: (Plot) =>
      panels.map(({ title, points, correlation }, i) => ({
        ...{ title: `${title}: r = ${digits(correlation)}`, x: 12 + i * (SIZE + 24), y },
        options: {
          ...{ width: SIZE, height: SIZE, marginLeft: 44, marginBottom: 42 },
          ...{ x: { label: "training →", ...axis }, y: { label: "↑ sampling", ...axis } },
          marks: [
            Plot.line(diagonal, { stroke: "currentColor", strokeOpacity: 0.4 }),
            Plot.dot(leastCertain(points), { x: "trained", y: "sampled", r: 1.5, fill: PALETTE.blue, fillOpacity: 0.6 }),
          ],
        },
      })),
  });
}

const diagonal = [
  [0, 0],
  [1, 1],
];

const axis = { domain: [0, 1], grid: true, ticks: 5 };

const leastCertain = (points) => points.toSorted((a, b) => a.trained - b.trained).slice(0, DRAWN);

/** Formats a correlation with all its leading nines and one more digit. */
function digits(r) {
  return r.toFixed(Math.min(13, Math.max(3, Math.ceil(-Math.log10(1 - r)))));
}
