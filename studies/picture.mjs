// Panels of plots as one SVG that follows the reader's light or dark scheme.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

const [LEFT, GAP, LINE] = [12, 24, 18];

/**
 * @param keys legend: `{ text, color }`, below the title
 * @param rows of panels: `{ title, ...options of Plot }`, all `width` by `height`
 */
export function picture({ title, keys = [], rows, width, height }) {
  const top = keys.length > 0 ? 70 : 46;
  const size = [LEFT + Math.max(...rows.map((row) => row.length)) * (width + GAP), top + rows.length * (height + 44)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.join(" ")}" width="${size[0]}" height="${size[1]}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${title}">`,
    "<style>svg { color: #24292f; } @media (prefers-color-scheme: dark) { svg { color: #e6edf3; } }</style>",
    `<text x="12" y="24" font-size="16" font-weight="600" fill="currentColor">${title}</text>`,
    ...keys.map(
      ({ text, color }, i) =>
        `<line x1="${12 + 100 * i}" x2="${32 + 100 * i}" y1="46" y2="46" stroke="${color}" stroke-width="2"/><text x="${38 + 100 * i}" y="50" fill="currentColor">${text}</text>`,
    ),
    ...rows.flatMap((row, j) =>
      row.map((options, i) => panel({ width, height, ...options }, LEFT + i * (width + GAP), top + j * (height + 44))),
    ),
    "</svg>\n",
  ].join("\n");
}

function panel({ title, ...options }, x, y) {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const node = Plot.plot({ document, style: { background: "none", overflow: "visible" }, ...options });
  node.querySelector("style")?.remove();
  node.setAttribute("x", `${x}`);
  node.setAttribute("y", `${y + LINE}`);
  // Hundredths of a unit are not seen.
  const drawn = node.outerHTML.replace(/="[^"]*"/g, (value) => value.replace(/(\d\.\d\d)\d+/g, "$1"));
  return `<text x="${x}" y="${y + 8}" font-weight="600" fill="currentColor">${title}</text>\n${drawn}`;
}
