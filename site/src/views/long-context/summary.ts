// Sentences about what was measured.

import { formatBytes, formatInteger, formatNumber } from "../../shared/numbers.ts";
import type { Limits, Point, Stop } from "./measure.ts";
import { LONGEST, type ModelName, modelLabels } from "./models.ts";

/** A duration: 12 seconds, 3 minutes, 1.5 hours. */
export function formatDuration(seconds: number): string {
  const units = [
    [86_400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ] as const;
  const [size, name] = units.find(([size]) => seconds >= size) ?? units.at(-1)!;
  const text = formatNumber(seconds / size, 2);
  return `${text} ${name}${text === "1" ? "" : "s"}`;
}

/** Compares the models at the longest length that all of them have reached. */
export function comparePoints(models: readonly ModelName[], points: readonly Point[]): string {
  const shared = points.filter(({ length }) => models.every((name) => points.some((one) => one.model === name && one.length === length)));
  const length = Math.max(...shared.map((point) => point.length));
  const parts = models.flatMap((name) => {
    const point = shared.find((one) => one.model === name && one.length === length);
    return point ? [`${modelLabels[name]}: ${formatBytes(point.bytes)}, ${formatNumber(point.generated, 2)} ms per generated token`] : [];
  });
  return parts.length === 0 ? "" : `After ${formatInteger(length)} tokens – ${parts.join("; ")}.`;
}

const capitalised = (text: string): string => text[0]!.toUpperCase() + text.slice(1);

/** Says that a model has come to the end. Undefined before it has. */
export function describeEnd({ model, length, bytes, seconds }: Point): string | undefined {
  if (length < LONGEST) return undefined;
  const name = capitalised(modelLabels[model]);
  return `${name} has read ${formatInteger(length)} tokens in ${formatDuration(seconds)}, and keeps ${formatBytes(bytes)}.`;
}

/** Says where a model stopped, and why. */
export function explainStop({ model, length, next, reason, needed, longest }: Stop, limits: Limits): string {
  const at = `${capitalised(modelLabels[model])} stopped after ${formatInteger(length)} tokens`;
  const why =
    reason === "memory"
      ? `the cache of ${formatInteger(next)} tokens needs ${formatBytes(needed)}, and the limit is ${formatBytes(limits.bytes)}`
      : `the prompt up to ${formatInteger(next)} tokens needs about ${formatDuration(needed)} more, and the limit is ${formatDuration(limits.seconds)} in all`;
  if (length === 0) return `${at}: ${why}.`;
  return `${at}: ${why}. A prompt of ${formatInteger(LONGEST)} tokens would take about ${formatDuration(longest)}.`;
}
