import type { PassRates, synlogic } from "../../rl/index.js";
import { table, wrapWords } from "./tables.js";
import type { Colours } from "./terminal.js";

/** Formats the list of tasks. */
export function taskTable(
  tasks: readonly {
    readonly name: string;
    readonly levels: readonly string[];
    readonly languages: readonly string[];
    readonly summary: string;
  }[],
  out: Colours,
): string {
  const width = Math.max(...tasks.map(({ name }) => name.length)) + 2;
  const lines = tasks.flatMap(({ name, languages, levels, summary }) => {
    const compact = levels[0] === "1" ? `levels 1 to ${levels.length}` : languages.join(" ");
    return wrapWords(name.padEnd(width), `${summary} (${compact})`.split(" "));
  });
  const [named] = tasks.filter(({ levels }) => levels[0] !== "1");
  return `${lines.join("\n")}\n\n${out.dim(`Levels: ${named?.levels.join(", ")}. Parameters: lightning-m1 tasks list TASK`)}\n`;
}

/** Formats the parameters and levels of a task. */
export function parameterTable({ name, summary, languages, parameters, levels, attributes }: synlogic.SynlogicTask, out: Colours): string {
  const names = Object.keys(parameters);
  const header = ["parameter", ...Object.keys(levels), "range"];
  const rows = names.map((parameter) => [
    parameter,
    ...Object.values(levels).map((values) => JSON.stringify(values[parameter])),
    rangeOf(parameters[parameter]!),
  ]);
  const meanings = names.flatMap((parameter) => wrapWords(parameter.padEnd(22), parameters[parameter]!.meaning.split(" ")));
  return [
    `${name}: ${summary}`,
    `Languages: ${languages.join(", ")}. Harder with: ${attributes.join(", ")}.`,
    "",
    ...table([header, ...rows], out.dim),
    "",
    ...meanings,
    "",
  ].join("\n");
}

function rangeOf(parameter: synlogic.Parameter): string {
  if (parameter.kind === "flag") return "true, false";
  if (parameter.kind === "choice") return parameter.choices.join("|");
  if (parameter.kind === "list") return `list of ${parameter.of}s`;
  return `${parameter.least} to ${parameter.most}`;
}

/** Formats pass rates by group, with the mean over the groups below them. @param withTokens whether the numbers of tokens are known */
export function passRateTable(rates: readonly PassRates[], out: Colours, withTokens = true): string {
  const samples = Math.min(...rates.map((rate) => rate.samples));
  const header = ["task", "rows", "pass@1", ...(samples > 1 ? [`pass@${samples}`] : []), "undecided", ...(withTokens ? ["tokens"] : [])];
  const rows = rates.map(({ group, rows, mean, passAtSamples, undecided, tokens }) => [
    group,
    String(rows),
    percent(mean),
    ...(samples > 1 ? [percent(passAtSamples)] : []),
    String(undecided),
    ...(withTokens ? [tokens.toFixed(0)] : []),
  ]);
  const decided = rates.flatMap(({ mean }) => (mean === null ? [] : [mean]));
  const mean = decided.length === 0 ? null : decided.reduce((sum, x) => sum + x, 0) / decided.length;
  const last = rates.length === 1 ? "" : `\n${percent(mean)} right on average over ${rates.length} tasks\n`;
  return `${table([header, ...rows], out.dim).join("\n")}\n${last}`;
}

const percent = (share: number | null) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
