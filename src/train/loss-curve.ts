// Draws losses as SVG. Colours follow the light or dark scheme of the reader.

import { expectArgument } from "../base/options.js";

/** Losses of one step. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
  readonly heldOut?: number | undefined;
}

const [WIDTH, HEIGHT] = [720, 360];
const [LEFT, RIGHT, TOP, BOTTOM] = [56, WIDTH - 16, 40, HEIGHT - 44];

/** Maximum absolute value that is drawn. Differences of larger values would overflow. */
const MAX_MAGNITUDE = 1e300;

const STYLE = `
  svg { color: #24292f; }
  text { font: 12px system-ui, sans-serif; fill: currentColor; }
  .grid { stroke: currentColor; stroke-opacity: 0.15; }
  .raw, .smoothed { fill: none; stroke: #1f6feb; stroke-linejoin: round; }
  .raw { stroke-width: 0.75; stroke-opacity: 0.4; }
  .smoothed { stroke-width: 2.25; stroke-linecap: round; }
  .held-out { fill: #d9480f; }
  @media (prefers-color-scheme: dark) {
    svg { color: #e6edf3; }
    .raw, .smoothed { stroke: #6cb0ff; }
    .held-out { fill: #ff9a4d; }
  }
`;

/** Creates an exponential moving average with bias correction. Non-finite values are skipped. */
export function exponentialMean(decay = 0.9): (x: number) => number {
  let [mean, totalWeight] = [0, 0];
  return (x) => {
    if (Math.abs(x) <= MAX_MAGNITUDE) {
      mean = decay * mean + (1 - decay) * x;
      totalWeight = decay * totalWeight + (1 - decay);
    }
    return mean / totalWeight;
  };
}

/**
 * Draws the loss over the steps as SVG. Values are a thin line, their moving average a bold line, and held-out losses dots. Non-finite
 * losses are left out.
 */
export function lossCurve(points: readonly LossPoint[]): string {
  expectArgument("lossCurve: points", Array.isArray(points), "an array of points", points);
  for (const [i, point] of points.entries()) {
    const fits = typeof point?.step === "number" && typeof point.loss === "number";
    if (!fits) expectArgument(`lossCurve: points[${i}]`, fits, "numbers step and loss", point);
  }
  const drawn = points.filter(({ step }) => Math.abs(step) <= MAX_MAGNITUDE).sort((a, b) => a.step - b.step);
  const mean = exponentialMean();
  const raw = drawn.filter(({ loss }) => Math.abs(loss) <= MAX_MAGNITUDE).map(({ step, loss }): Point => [step, loss]);
  const smoothed = raw.map(([step, loss]): Point => [step, mean(loss)]);
  const heldOut = drawn.flatMap(({ step, heldOut }): Point[] =>
    Math.abs(heldOut ?? Number.NaN) <= MAX_MAGNITUDE ? [[step, heldOut!]] : [],
  );
  const all = [...raw, ...heldOut];
  const x = createAxis(
    all.map(([step]) => step),
    LEFT,
    RIGHT,
  );
  const y = createAxis(
    all.map(([, loss]) => loss),
    BOTTOM,
    TOP,
  );
  const place = ([step, loss]: Point): Point => [x.at(step), y.at(loss)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`,
    "<title>Loss over training steps</title>",
    `<style>${STYLE}</style>`,
    ...y.ticks.flatMap((tick) => [
      `<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${round(y.at(tick))}" y2="${round(y.at(tick))}"/>`,
      `<text x="${LEFT - 8}" y="${round(y.at(tick) + 4)}" text-anchor="end">${label(tick)}</text>`,
    ]),
    ...x.ticks.map((tick) => `<text x="${round(x.at(tick))}" y="${BOTTOM + 18}" text-anchor="middle">${label(tick)}</text>`),
    `<text x="${RIGHT}" y="${HEIGHT - 8}" text-anchor="end">steps</text>`,
    `<path class="raw" d="${path(extremesPerColumn(raw.map(place)))}"/>`,
    `<path class="smoothed" d="${path(lastPerColumn(smoothed.map(place)))}"/>`,
    ...lastPerColumn(heldOut.map(place)).map(([px, py]) => `<circle class="held-out" cx="${round(px)}" cy="${round(py)}" r="3"/>`),
    `<text x="${LEFT}" y="16">loss, nats per token</text>`,
    `<path class="smoothed" d="M${RIGHT - 170} 12h20"/><text x="${RIGHT - 144}" y="16">training</text>`,
    `<circle class="held-out" cx="${RIGHT - 70}" cy="12" r="3"/><text x="${RIGHT - 60}" y="16">held out</text>`,
    "</svg>\n",
  ].join("\n");
}

type Point = readonly [x: number, y: number];

/** Creates an axis with a few round ticks. It begins at 0, or at the lowest value if that is below 0. */
function createAxis(values: readonly number[], from: number, to: number) {
  const least = values.reduce((a, b) => Math.min(a, b), 0);
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const [low, high] = [least, most - least > 1e-300 ? most : least < 0 ? 0 : 1];
  const step = roundUp((high - low) / 5);
  const [first, last] = [Math.ceil(low / step), Math.floor(high / step)];
  return {
    // Positions are clamped, because rounding may lead outside the drawing area.
    at: (value: number) => from + (to - from) * Math.min(1, Math.max(0, (value - low) / (high - low))),
    ticks: Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12))),
  };
}

/** Rounds a number up to one of 1, 2, 5, 10, 20, … */
function roundUp(x: number): number {
  const unit = 10 ** Math.floor(Math.log10(x));
  return unit * ([1, 2, 5, 10].find((digit) => digit * unit >= x * (1 - 1e-9)) ?? 10);
}

function label(x: number): string {
  const size = Math.abs(x);
  return x === 0 || (size >= 1e-4 && size < 1e9) ? x.toLocaleString("en-US", { maximumFractionDigits: 6 }) : x.toExponential();
}

const round = (x: number): string => `${Number(x.toFixed(1))}`;

/** Keeps at most two points per pixel column, the lowest and the highest, in their original order. */
function extremesPerColumn(places: readonly Point[]): Point[] {
  return columns(places).flatMap((column) => {
    let [low, high] = [0, 0];
    for (const [i, [, y]] of column.entries()) {
      if (y < column[low]![1]) low = i;
      if (y > column[high]![1]) high = i;
    }
    return low === high ? [column[low]!] : [column[Math.min(low, high)]!, column[Math.max(low, high)]!];
  });
}

/** Keeps the last point of each pixel column. */
function lastPerColumn(places: readonly Point[]): Point[] {
  return columns(places).map((column) => column.at(-1)!);
}

function columns(places: readonly Point[]): Point[][] {
  const found: Point[][] = [];
  for (const place of places) {
    if (found.length > 0 && Math.round(found.at(-1)![0]![0]) === Math.round(place[0])) found.at(-1)!.push(place);
    else found.push([place]);
  }
  return found;
}

function path(places: readonly Point[]): string {
  // A single point becomes a dot, because the line has round caps.
  if (places.length === 1) return `M${round(places[0]![0])} ${round(places[0]![1])}h0.1`;
  return places.map(([x, y], i) => `${i === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}
