// Means of rewards: of all episodes, and for each length and depth.

import { type Trace, totalReward } from "../../environments/index.js";

/** The episodes of one kind. */
export interface EpisodeMean {
  readonly episodes: number;
  /** Mean of the total rewards of the judged episodes. Null if none was judged. */
  readonly mean: number | null;
  readonly unjudged: number;
}

/** The episodes of a length and a depth. */
export interface Cell extends EpisodeMean {
  readonly length: number;
  /** Place of the answer. Null if it is random. */
  readonly depth: number | null;
}

/** The results of an evaluation. */
export interface EpisodeReport extends EpisodeMean {
  readonly environment: string;
  /** Means of the single rewards by name, without their weights. */
  readonly rewards: Readonly<Record<string, EpisodeMean>>;
  /** Means of the metrics by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Numbers of episodes by the reason of their end. */
  readonly stops: Readonly<Record<string, number>>;
  /** Means for each length and depth, if the tasks have them. */
  readonly cells: readonly Cell[];
  /** Lengths that exceed the model's context and were not run. */
  readonly beyond: readonly number[];
}

/** Summarises the traces of one environment. @param beyond lengths that were not run */
export function reportEpisodes(environment: string, traces: readonly Trace[], beyond: readonly number[] = []): EpisodeReport {
  const names = (parts: readonly object[]) => [...new Set(parts.flatMap((part) => Object.keys(part)))];
  const rewards = names(traces.map((trace) => trace.rewards)).map((name) => {
    return [name, meanOf(traces.map((trace) => trace.rewards[name]?.score ?? null))] as const;
  });
  const metrics = names(traces.map((trace) => trace.metrics)).map((name) => {
    const values = traces.flatMap((trace) => trace.metrics[name] ?? []);
    return [name, values.reduce((sum, x) => sum + x, 0) / values.length] as const;
  });
  const stops = new Map<string, number>();
  for (const { stop_condition } of traces) stops.set(stop_condition ?? "none", (stops.get(stop_condition ?? "none") ?? 0) + 1);
  return {
    environment,
    ...meanOf(traces.map(totalReward)),
    rewards: Object.fromEntries(rewards),
    metrics: Object.fromEntries(metrics),
    stops: Object.fromEntries(stops),
    cells: cellsOf(traces),
    beyond,
  };
}

function cellsOf(traces: readonly Trace[]): Cell[] {
  const groups = new Map<string, { readonly length: number; readonly depth: number | null; readonly totals: (number | null)[] }>();
  for (const trace of traces) {
    const { length, depth = null } = trace.info as { readonly length?: unknown; readonly depth?: unknown };
    if (typeof length !== "number") continue;
    const key = `${length} ${depth}`;
    if (!groups.has(key)) groups.set(key, { length, depth: typeof depth === "number" ? depth : null, totals: [] });
    groups.get(key)!.totals.push(totalReward(trace));
  }
  const cells = [...groups.values()].map(({ length, depth, totals }) => ({ length, depth, ...meanOf(totals) }));
  return cells.sort((a, b) => a.length - b.length || (a.depth ?? 0) - (b.depth ?? 0));
}

/** Mean over the values that are not null. */
export function meanOf(values: readonly (number | null)[]): EpisodeMean {
  const judged = values.filter((value) => value !== null);
  const mean = judged.length === 0 ? null : judged.reduce((sum, x) => sum + x, 0) / judged.length;
  return { episodes: values.length, mean, unjudged: values.length - judged.length };
}
