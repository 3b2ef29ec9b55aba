// Measures where a forward pass of the bench model spends its time, kernel by kernel, with each kernel's share of the machine's peak.

import { stage } from "../contest.mjs";
import { limits, ours } from "../contestants.mjs";
import { PEAK } from "../ours/limits.mjs";
import { modelHeat } from "./model.mjs";

export async function run(options) {
  const { folder, heat } = await modelHeat("profile", options);
  const { bytes, ...task } = heat.task;
  return stage(
    [...["f32", "q8"].flatMap((dtype) => ours("ours/profile.mjs", { label: dtype, options: { folder, dtype } })), ...limits()],
    [{ ...heat, task, metrics: { ...heat.metrics, peak: PEAK } }],
    { ...options, rounds: Math.min(options.rounds, 5), show: (heat) => console.log(profiles(heat).join("\n\n")) },
  );
}

/** Returns one table per contestant and phase. */
export function profiles({ results }) {
  const peak = Object.fromEntries(results.filter(({ rates }) => rates.peak).map(({ build, rates }) => [build, rates.peak.median]));
  return results
    .filter(({ report }) => report)
    .flatMap(({ name, build, report }) =>
      Object.entries(report).map(([phase, { tokens, ms, kernels }]) => {
        const inKernels = Object.values(kernels).reduce((sum, kernel) => sum + kernel.ms, 0);
        const rows = Object.entries(kernels)
          .sort(([, a], [, b]) => b.ms - a.ms)
          .map(([kernel, sum]) => [
            kernel,
            (sum.calls / tokens).toFixed(2),
            percent(sum.ms / ms),
            ((sum.ms * 1000) / tokens).toFixed(1),
            (sum.work / sum.ms / 1e6).toFixed(1),
            percent(sum.work / sum.ms / 1e6 / peak[build]),
          ]);
        rows.push(["outside kernels", "", percent(1 - inKernels / ms), (((ms - inKernels) * 1000) / tokens).toFixed(1), "", ""]);
        const head = ["kernel", "calls/token", "of the time", "µs/token", "GFLOP/s", "of the peak"];
        const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
        const line = (row) => `  ${row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  ")}`;
        return [`${name}, ${phase}, ${((tokens * 1000) / ms).toFixed(0)} tokens/s`, ...[head, ...rows].map(line)].join("\n");
      }),
    );
}

const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;
