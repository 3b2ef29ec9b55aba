// docs/fp32-head.svg: a token's probability in sampling against that in training, in the manner of the report's figure 3.

import * as Plot from "@observablehq/plot";
import { picture } from "../picture.mjs";

const SIZE = 260;
/** Points that are drawn of each panel; nearly all lie in the corner of certainty. */
const DRAWN = 400;

export function figure(panels) {
  return picture({
    ...{ title: "Probabilities of sampled tokens: sampling against training", width: SIZE, height: SIZE },
    rows: [
      panels.map(({ title, points, correlation }) => ({
        title: `${title}: r = ${digits(correlation)}`,
        ...{ marginLeft: 44, x: { label: "training →", ...axis }, y: { label: "↑ sampling", ...axis } },
        marks: [
          Plot.line(
            [
              [0, 0],
              [1, 1],
            ],
            { stroke: "currentColor", strokeOpacity: 0.4 },
          ),
          Plot.dot(leastCertain(points), { x: "trained", y: "sampled", r: 1.5, fill: "#1c7ed6", fillOpacity: 0.6 }),
        ],
      })),
    ],
  });
}

const axis = { domain: [0, 1], grid: true, ticks: 5 };

const leastCertain = (points) => points.toSorted((a, b) => a.trained - b.trained).slice(0, DRAWN);

/** As many nines as there are, and a digit more. */
function digits(r) {
  return r.toFixed(Math.min(13, Math.max(3, Math.ceil(-Math.log10(1 - r)))));
}
