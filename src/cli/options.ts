import { parseArgs } from "node:util";
import type { ArgsDef } from "citty";

/** A command line that cannot be understood. Exit code 2. */
export class UsageError extends Error {}

/** Options of every command. */
export const common = {
  color: { type: "boolean", description: "Colours even where no terminal is", negativeDescription: "No colours" },
  debug: { type: "boolean", description: "Print the stack of an error" },
} as const satisfies ArgsDef;

/** Where a model comes from, and how it is loaded. */
export const loading = {
  source: { type: "positional", description: "Directory, .safetensors file, URL or hub id (owner/name)", required: true },
  dtype: { type: "enum", options: ["bf16", "f32"], description: "Weights in memory (default: as stored)" },
  build: { type: "enum", options: ["auto", "simd", "relaxed", "debug"], description: "Kernels (default: auto)" },
  threads: { type: "string", valueHint: "n", description: "Threads" },
  revision: { type: "string", valueHint: "name", description: "Branch, tag or commit of a hub id" },
  "local-files-only": { type: "boolean", description: "Take hub files from the cache only" },
} as const satisfies ArgsDef;

/** How tokens are chosen, and when to stop. */
export const sampling = {
  "max-tokens": { type: "string", alias: "n", valueHint: "n", description: "Most tokens to generate" },
  temperature: { type: "string", valueHint: "x", description: "0 is greedy" },
  "top-k": { type: "string", valueHint: "n", description: "Sample among the n most probable" },
  "top-p": { type: "string", valueHint: "x", description: "Sample among the first of cumulated probability x" },
  "min-p": { type: "string", valueHint: "x", description: "Drop what is below x times the best" },
  "repetition-penalty": { type: "string", valueHint: "x", description: "Above 1 discourages repetition" },
  seed: { type: "string", valueHint: "n", description: "Same seed, same text" },
  stop: { type: "string", valueHint: "text", description: "Stop before this text (repeatable)" },
  "stop-ids": { type: "string", valueHint: "1,2", description: "Stop at these token ids" },
} as const satisfies ArgsDef;

type Given = Readonly<Record<string, unknown>>;

/** The options of `loading` as the library takes them. */
export function loadingOptions(args: Given) {
  return {
    dtype: args.dtype as "bf16" | "f32" | undefined,
    build: args.build as "auto" | "simd" | "relaxed" | "debug" | undefined,
    threads: integer(args, "threads"),
    revision: args.revision as string | undefined,
    localFilesOnly: args["local-files-only"] as boolean | undefined,
  };
}

/** The options of `sampling` as the library takes them. */
export function samplingOptions(args: Given, rawArgs: readonly string[]) {
  const stop = repeated(rawArgs, "stop");
  return {
    maxTokens: integer(args, "max-tokens"),
    temperature: number(args, "temperature"),
    topK: integer(args, "top-k"),
    topP: number(args, "top-p"),
    minP: number(args, "min-p"),
    repetitionPenalty: number(args, "repetition-penalty"),
    seed: integer(args, "seed"),
    stop: stop.length > 0 ? stop : undefined,
    stopIds: args["stop-ids"] === undefined ? undefined : ids(args["stop-ids"] as string, "--stop-ids"),
  };
}

export function number(args: Given, name: string): number | undefined {
  if (args[name] === undefined) return undefined;
  const value = args[name] === "" ? Number.NaN : Number(args[name]);
  if (!Number.isFinite(value)) throw new UsageError(`--${name}: expected a number, got ${JSON.stringify(args[name])}`);
  return value;
}

export function integer(args: Given, name: string): number | undefined {
  const value = number(args, name);
  if (value !== undefined && !Number.isSafeInteger(value)) {
    throw new UsageError(`--${name}: expected an integer, got ${JSON.stringify(args[name])}`);
  }
  return value;
}

/** `1,2,3` or `1 2 3`. */
export function ids(text: string, where: string): number[] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  const wrong = parts.find((part) => !/^\d+$/.test(part));
  if (wrong !== undefined || parts.length === 0) {
    throw new UsageError(`${where}: expected token ids such as 1,2,3, got ${JSON.stringify(wrong ?? text)}`);
  }
  return parts.map(Number);
}

/** Every value of an option that may be given more than once. */
function repeated(rawArgs: readonly string[], name: string): string[] {
  const { values } = parseArgs({ args: [...rawArgs], options: { [name]: { type: "string", multiple: true } }, strict: false });
  return ((values[name] ?? []) as (string | boolean)[]).filter((value) => typeof value === "string");
}

/** @throws {UsageError} options that the command does not have, options without their value, too many arguments */
export function checkUsage(rawArgs: readonly string[], definition: ArgsDef): void {
  const options: Record<string, { type: "string" | "boolean"; short?: string; multiple: true }> = {};
  for (const [name, { type, alias, ...rest }] of Object.entries(definition).map(
    ([name, arg]) => [name, { alias: undefined, ...arg }] as const,
  )) {
    if (type === "positional") continue;
    options[name] = { type: type === "boolean" ? "boolean" : "string", multiple: true, ...(typeof alias === "string" && { short: alias }) };
    if ("negativeDescription" in rest) options[`no-${name}`] = { type: "boolean", multiple: true };
  }
  let positionals: string[];
  try {
    ({ positionals } = parseArgs({ args: [...rawArgs], options, allowPositionals: true }));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" ? message.split(". ")[0] : message);
  }
  const most = Object.values(definition).filter(({ type }) => type === "positional").length;
  if (positionals.length > most)
    throw new UsageError(`expected at most ${most} argument${most === 1 ? "" : "s"}, got ${positionals.join(" ")}`);
}
