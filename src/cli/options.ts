import { parseArgs } from "node:util";
import type { ArgDef, ArgsDef } from "citty";
import { parseNumber, parseSize } from "./numbers.js";

/** An invalid command line. Exit code 2. */
export class UsageError extends Error {}

/** Options of every command. */
export const commonOptions = {
  color: { type: "boolean", description: "Use colours even if the output is not a terminal", negativeDescription: "No colours" },
  debug: { type: "boolean", description: "Print the stack trace of an error" },
} as const satisfies ArgsDef;

/** Arguments that name a model and set how it is loaded. Without a source, the bundled model is loaded. */
export const loadingArguments = {
  source: {
    type: "positional",
    description: "Directory, .safetensors file, URL or hub id (default: the bundled model)",
    required: false,
  },
  dtype: { type: "enum", options: ["q4", "q8", "bf16", "f32"], description: "Precision of weights in memory (default: as stored)" },
  kv: { type: "enum", options: ["q8", "bf16", "f32"], description: "Precision of keys and values in memory (default: f32)" },
  residency: { type: "enum", options: ["resident", "streamed"], description: "Keep all weights in memory, or read them when needed" },
  budget: { type: "string", valueHint: "size", description: "Memory for streamed weights (default: 1GiB)" },
  build: { type: "enum", options: ["auto", "simd", "relaxed", "debug"], description: "Build of the kernels (default: auto)" },
  threads: { type: "string", valueHint: "n|auto", description: "Threads, at most 64 (default: one per processor, at most 8)" },
  revision: { type: "string", valueHint: "name", description: "Branch, tag or commit of a hub id" },
  "local-files-only": { type: "boolean", description: "Use hub files in the cache only" },
} as const satisfies ArgsDef;

/** Arguments about the choice of tokens and the end of generation. */
export const samplingArguments = {
  "max-tokens": { type: "string", alias: "n", valueHint: "n", description: "Maximum number of tokens to generate" },
  temperature: { type: "string", valueHint: "x", description: "Sampling temperature; 0 decodes greedily" },
  "top-k": { type: "string", valueHint: "n", description: "Sample among the n most probable tokens" },
  "top-p": { type: "string", valueHint: "x", description: "Sample among the most probable tokens, up to a total of x" },
  "min-p": { type: "string", valueHint: "x", description: "Drop tokens below x times the highest probability" },
  "repetition-penalty": { type: "string", valueHint: "x", description: "Repetition penalty; values above 1 reduce repetition" },
  seed: { type: "string", valueHint: "n", description: "Seed of sampling; the same seed gives the same text" },
  stop: { type: "string", valueHint: "text", description: "End the text before this string (repeatable)" },
  "stop-ids": { type: "string", valueHint: "1,2", description: "End the text at these token ids" },
} as const satisfies ArgsDef;

type ParsedArguments = Readonly<Record<string, unknown>>;

/** Converts `loadingArguments` to options of `MiniMaxM1.load`. @throws {UsageError} invalid values */
export function loadingOptions(args: ParsedArguments) {
  const streamed = args.residency === "streamed";
  if (args.budget !== undefined && !streamed) throw new UsageError("--budget: expected with --residency streamed only");
  return {
    residency: args.residency as "resident" | "streamed" | undefined,
    budgetBytes: sizeOption(args, "budget"),
    dtype: args.dtype as "q4" | "q8" | "bf16" | "f32" | undefined,
    kv: args.kv as "q8" | "bf16" | "f32" | undefined,
    build: args.build as "auto" | "simd" | "relaxed" | "debug" | undefined,
    threads: threadsOption(args),
    revision: args.revision as string | undefined,
    localFilesOnly: args["local-files-only"] as boolean | undefined,
  };
}

/** Converts `samplingArguments` to options of `generate`. Makes all checks that need no model. @throws {UsageError} invalid values */
export function samplingOptions(args: ParsedArguments, rawArgs: readonly string[]) {
  const stop = repeatedOption(rawArgs, "stop");
  if (stop.includes("")) throw new UsageError('--stop: expected one or more characters, got ""');
  return {
    maxTokens: numberOption(args, "max-tokens", positiveInteger),
    temperature: numberOption(args, "temperature", ["a number of at least 0", (x) => x >= 0]),
    topK: numberOption(args, "top-k", positiveInteger),
    topP: numberOption(args, "top-p", ["a number within (0, 1]", (x) => x > 0 && x <= 1]),
    minP: numberOption(args, "min-p", ["a number within [0, 1]", (x) => x >= 0 && x <= 1]),
    repetitionPenalty: numberOption(args, "repetition-penalty", ["a number within [1e-6, 1e6]", (x) => x >= 1e-6 && x <= 1e6]),
    seed: numberOption(args, "seed", ["an integer within [0, 2^32)", (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32]),
    stop: stop.length > 0 ? stop : undefined,
    stopIds: args["stop-ids"] === undefined ? undefined : parseIds(args["stop-ids"] as string, "--stop-ids"),
  };
}

/** Returns the value of `--threads`, or undefined if it is not given. @throws {UsageError} an invalid number */
export function threadsOption(args: ParsedArguments): number | "auto" | undefined {
  return args.threads === "auto" ? "auto" : numberOption(args, "threads", threads);
}

/** Returns whether the tokens depend on the seed. If no temperature is given, each of top-k, top-p and min-p enables sampling. */
export function isSampled({ temperature, topK, topP, minP }: ReturnType<typeof samplingOptions>): boolean {
  return temperature === undefined ? [topK, topP, minP].some((option) => option !== undefined) : temperature > 0;
}

/** The range of numbers that an option accepts: a description for messages, and a test. */
export type NumberRange = readonly [expected: string, fits: (x: number) => boolean];

export const positiveInteger: NumberRange = ["an integer of at least 1", (x) => Number.isSafeInteger(x) && x >= 1];

const threads: NumberRange = ['"auto" or an integer within [1, 64]', (x) => Number.isInteger(x) && x >= 1 && x <= 64];

/** Parses the number of an option; undefined if the option is not given. @throws {UsageError} not a number within the range */
export function numberOption(args: ParsedArguments, name: string, [expected, fits]: NumberRange): number | undefined {
  const text = args[name] as string | undefined;
  if (text === undefined) return undefined;
  const value = parseNumber(text);
  if (Number.isNaN(value) || !fits(value)) {
    const definition: ArgDef = { ...loadingArguments, ...samplingArguments }[name as keyof typeof loadingArguments] ?? {};
    const short = "alias" in definition ? `-${definition.alias}, ` : "";
    throw new UsageError(`${short}--${name}: expected ${expected}, got ${JSON.stringify(text)}`);
  }
  return value;
}

/** The range of a list of positive integers: its maximum length, its largest number, and an example for messages. */
export interface ListRange {
  readonly most: number;
  readonly largest: number;
  readonly example: string;
}

/** Parses a list of positive integers such as `1k,64k,1M`; undefined if the option is not given. @throws {UsageError} anything else */
export function listOption(args: ParsedArguments, name: string, { most, largest, example }: ListRange): number[] | undefined {
  const text = args[name] as string | undefined;
  if (text === undefined) return undefined;
  const values = text.split(",").map(parseNumber);
  if (values.length > most || !values.every((value) => Number.isSafeInteger(value) && value >= 1 && value <= largest)) {
    throw new UsageError(
      `--${name}: expected at most ${most} numbers from 1 to ${largest.toLocaleString("en-US")}, such as ${example}, got ${JSON.stringify(text)}`,
    );
  }
  return values;
}

/** Parses the size of an option; undefined if the option is not given. @throws {UsageError} not a size */
export function sizeOption(args: ParsedArguments, name: string): number | undefined {
  const text = args[name] as string | undefined;
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (Number.isNaN(bytes))
    throw new UsageError(`--${name}: expected a size such as 512MiB, 1.5GB or a number of bytes, got ${JSON.stringify(text)}`);
  return bytes;
}

/** Parses token ids: `1,2,3` or `1 2 3`. @throws {UsageError} anything else */
export function parseIds(text: string, where: string): number[] {
  const parts = text.trim().split(/\s*,\s*|\s+/);
  const wrong = parts.find((part) => !/^\d+$/.test(part));
  if (wrong !== undefined) throw new UsageError(`${where}: expected token ids such as 1,2,3, got ${JSON.stringify(wrong || text)}`);
  return parts.map(Number);
}

/** Returns all values of an option that may be repeated. */
export function repeatedOption(rawArgs: readonly string[], name: string): string[] {
  const { values } = parseArgs({ args: [...rawArgs], options: { [name]: { type: "string", multiple: true } }, strict: false });
  return ((values[name] ?? []) as (string | boolean)[]).filter((value) => typeof value === "string");
}

/**
 * Checks the arguments of a command.
 *
 * @throws {UsageError} options that the command does not have, missing or invalid values, missing arguments or too many of them
 */
export function checkUsage(rawArgs: readonly string[], definition: ArgsDef): void {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  const choices = new Map<string, readonly string[]>();
  for (const [name, { type, alias, ...rest }] of Object.entries(definition).map(
    ([name, arg]) => [name, { alias: undefined, ...arg }] as const,
  )) {
    if (type === "positional") continue;
    options[name] = { type: type === "boolean" ? "boolean" : "string", ...(typeof alias === "string" && { short: alias }) };
    if ("negativeDescription" in rest) options[`no-${name}`] = { type: "boolean" };
    if ("options" in rest && rest.options) choices.set(name, rest.options);
  }
  // Not strict, because the messages of parseArgs differ between versions of Node. The loop makes the same checks.
  const { positionals, tokens } = parseArgs({ args: [...rawArgs], options, allowPositionals: true, strict: false, tokens: true });
  for (const token of tokens) if (token.kind === "option") checkOption(token, options, choices.get(token.name));
  const expected = Object.entries(definition).filter(([, { type }]) => type === "positional");
  const missing = expected.slice(positionals.length).find(([, { required }]) => required);
  if (missing) throw new UsageError(`${missing[0].toUpperCase()}: expected a value, got none (${missing[1].description})`);
  const most = expected.length;
  if (positionals.length > most)
    throw new UsageError(`expected at most ${most} argument${most === 1 ? "" : "s"}, got ${positionals.join(" ")}`);
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/** Checks an option. @throws {UsageError} an unknown option, a missing or superfluous value, or a value that is not one of the choices */
function checkOption(
  { name, rawName, value, inlineValue }: OptionToken,
  options: Record<string, { readonly type: string }>,
  choices: readonly string[] | undefined,
): void {
  if (!Object.hasOwn(options, name)) throw new UsageError(`${rawName}: expected an option of this command, got an unknown option`);
  const got = JSON.stringify(value);
  if (options[name]!.type === "boolean") {
    if (value !== undefined) throw new UsageError(`${rawName}: expected no value, got ${got}`);
    return;
  }
  if (value === undefined) throw new UsageError(`${rawName}: expected a value, got none`);
  if (!inlineValue && value.length > 1 && value.startsWith("-"))
    throw new UsageError(`${rawName}: expected a value, got the option ${value} (if it is the value, write --${name}=${value})`);
  if (choices && !choices.includes(value)) throw new UsageError(`--${name}: expected ${listed(choices)}, got ${got}`);
}

/** Joins words for a message: `a, b or c`. */
function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
