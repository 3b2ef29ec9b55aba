import type { StepMetrics } from "../../train/index.js";
import { type MetricsDisplay, packIntoLines } from "./run-view.js";

/** Number of steps between two printed lines. */
const STEPS_PER_LINE = 50;

/** Returns a function that converts the metrics of successive steps for display. `loss` is the smoothed loss. */
export function trainingView(steps: number): (metrics: StepMetrics, loss: number) => MetricsDisplay {
  let latest: number | undefined;
  return ({ step, heldOutLoss, tokensPerSecond, gradNorm, lr, expertLoad }, loss) => {
    latest = heldOutLoss ?? latest;
    const [speed, gradient, rate] = [tokensPerSecond.toFixed(0), gradNorm.toPrecision(3), lr.toPrecision(3)];
    const tested = heldOutLoss === undefined ? [] : [`held out ${heldOutLoss.toFixed(4)}`];
    const due = step % STEPS_PER_LINE === 0 || step === steps || heldOutLoss !== undefined;
    return {
      values: [
        ["loss", loss.toFixed(4)],
        ...(latest === undefined ? [] : [["held out", latest.toFixed(4)] as const]),
        ["tokens/s", speed],
        ["gradient", gradient],
        ["rate", rate],
      ],
      below: (width) => expertLoadChart(expertLoad, width),
      line: due ? [`loss ${loss.toFixed(4)}`, ...tested, `${speed} tokens/s`, `gradient ${gradient}`, `rate ${rate}`] : undefined,
    };
  };
}

const LEVELS = "▁▂▃▄▅▆▇█";
/** Maximum number of lines of the chart. Later layers are left out. */
const MAX_CHART_LINES = 4;

/**
 * Draws the load of each expert per layer: ▅ is an even share, █ almost twice as much or more, ▁ less than a quarter of it. Returns no lines
 * without experts.
 */
export function expertLoadChart(load: readonly ArrayLike<number>[], width: number): string[] {
  if (load.length === 0) return [];
  const layers = load.map((layer) => {
    const even = Array.from(layer).reduce((sum, x) => sum + x, 0) / layer.length;
    return Array.from(layer, (x) => LEVELS[Math.min(LEVELS.length - 1, Math.floor((4 * x) / even))] ?? LEVELS[0]!).join("");
  });
  const label = "experts ";
  const lines = packIntoLines(
    layers.map((layer) => [layer.slice(0, width - label.length - 1)]),
    width - label.length,
  );
  return lines.slice(0, MAX_CHART_LINES).map((line, i) => {
    const more = i === MAX_CHART_LINES - 1 && lines.length > MAX_CHART_LINES ? "…" : "";
    return `${i === 0 ? label : " ".repeat(label.length)}${line.flat().join("  ")}${more}`;
  });
}
