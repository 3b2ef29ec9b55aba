import type { Cell, EpisodeReport } from "../reports/episodes.js";
import { meanOf } from "../reports/episodes.js";
import { count, table, wrapWords } from "./tables.js";
import type { Colours } from "./terminal.js";

const SOURCES = { generated: "generated", "built-in": "built in", file: "from --rows" } as const;

/** Formats the list of environments. */
export function environmentTable(
  entries: readonly { readonly name: string; readonly summary: string; readonly source: keyof typeof SOURCES }[],
): string {
  const width = Math.max(...entries.map(({ name }) => name.length)) + 2;
  const lines = entries.flatMap(({ name, summary, source }) => {
    return wrapWords(name.padEnd(width), `${summary} (rows: ${SOURCES[source]})`.split(" "));
  });
  return `${lines.join("\n")}\n`;
}

/** Formats rewards and metrics, or the means for each length and depth. */
export function episodeTable(report: EpisodeReport, out: Colours): string {
  const { environment, episodes, mean, unjudged, rewards, metrics, stops, cells, beyond } = report;
  const rows = [
    ["reward", "mean", "episodes", "not judged"],
    ...Object.entries(rewards).map(([name, one]) => [name, number(one.mean), String(one.episodes), String(one.unjudged)]),
    ["total", number(mean), String(episodes), String(unjudged)],
  ];
  const ends = Object.entries(stops).map(([name, n]) => `${name} ${n}`);
  const means = Object.entries(metrics).map(([name, value]) => `${name} ${count(Math.round(value * 100) / 100)}`);
  const parts = [
    ...(cells.length > 0 || beyond.length > 0 ? lengthTable(cells, beyond, out) : table(rows, out.dim)),
    "",
    ...(means.length > 0 ? wrapWords("means     ", means.join(", ").split(" ")) : []),
    ...(ends.length > 0 ? wrapWords("ends      ", ends.join(", ").split(" ")) : []),
  ];
  return `${out.bold(environment)}\n${parts.join("\n")}\n`;
}

/** A row for each length, a column for each depth, and the mean over all depths. Percent of the reward. */
function lengthTable(cells: readonly Cell[], beyond: readonly number[], out: Colours): string[] {
  const depths = [...new Set(cells.map(({ depth }) => depth))].sort((a, b) => (a ?? 0) - (b ?? 0));
  const shown = depths.length === 1 && depths[0] === null ? [] : depths;
  const header = ["tokens", ...shown.map((depth) => (depth === null ? "random" : `at ${Math.round(100 * depth)} %`)), "all", "episodes"];
  const lengths = [...new Set([...cells.map(({ length }) => length), ...beyond])].sort((a, b) => a - b);
  const rows = lengths.map((length) => {
    const own = cells.filter((cell) => cell.length === length);
    if (own.length === 0) return [tokens(length), ...shown.map(() => ""), "beyond the context", "0"];
    const all = meanOf(own.flatMap(({ mean, episodes }) => Array.from({ length: episodes }, () => mean)));
    const each = shown.map((depth) => percent(own.find((cell) => cell.depth === depth)?.mean ?? null));
    return [tokens(length), ...each, percent(all.mean), String(own.reduce((sum, { episodes }) => sum + episodes, 0))];
  });
  return table([header, ...rows], out.dim, 2);
}

/** A length such as 4k or 1M. */
export function tokens(length: number): string {
  if (length >= 1e6 && length % 1e5 === 0) return `${length / 1e6}M`;
  return length >= 1000 && length % 100 === 0 ? `${length / 1000}k` : String(length);
}

const percent = (share: number | null) => (share === null ? "–" : `${Math.round(100 * share)} %`);
const number = (value: number | null) => (value === null ? "–" : value.toFixed(3));
