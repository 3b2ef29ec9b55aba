import { writeFile } from "node:fs/promises";
import { type ArgsDef, defineCommand } from "citty";
import type { Environment, Trace } from "../../environments/index.js";
import { InputError } from "../../index.js";
import { formatLines } from "../../rl/rows/row-format.js";
import { writeFigure } from "../figures/figure.js";
import { heatMapFigure } from "../figures/heat-map-figure.js";
import { actionOf, checkActionOptions } from "../inputs/actions.js";
import { openAnsweringModel } from "../inputs/answering-model.js";
import { CHARACTERS_PER_TOKEN, estimateTokens, KNOWN_ENVIRONMENTS, loadEnvironment } from "../inputs/environments.js";
import { checkRowOptions, chooseRows, type EvaluationRow, LENGTHS, parseDepths } from "../inputs/evaluation-rows.js";
import { nameOf, readInput } from "../inputs/task-rows.js";
import { commonOptions, listOption, loadingArguments, type NumberRange, numberOption, positiveInteger, UsageError } from "../options.js";
import { type EpisodeReport, reportEpisodes } from "../reports/episodes.js";
import { serveEnvironments } from "../runs/serve-environments.js";
import { parseTraceFile, TraceFile } from "../runs/trace-file.js";
import { environmentTable, episodeTable, tokens } from "../text/environment-text.js";
import { type Terminal, visible } from "../text/terminal.js";

const { source: _, ...loading } = loadingArguments;

/** Options of each action. */
const ACTIONS = {
  list: ["json"],
  eval: [
    ...["model", "name", "rows", "count", "lengths", "depths", "samples", "temperature", "top-p", "max-tokens", "max-turns", "timeout"],
    ...["concurrency", "seed", "out", "json", "figure", "dark", ...Object.keys(loading)],
  ],
  reverify: ["out", "json", "figure", "dark"],
  serve: ["rows", "count", "lengths", "seed", "port", "host", "api-key", "cors", "max-episodes", "max-turns", "grace", "json"],
} as const satisfies Record<string, readonly string[]>;
type Action = keyof typeof ACTIONS;

const seedRange: NumberRange = ["an integer within [0, 2^32)", (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32];

/** Lists environments, evaluates models in them, judges recorded episodes again, and serves environments. */
export const environments = defineCommand({
  meta: { name: "environments", description: "Play tasks of several turns and with long contexts; serve them over HTTP" },
  args: {
    action: { type: "positional", description: "list, eval, reverify or serve", required: true },
    target: { type: "positional", description: "ENVIRONMENT (eval), several with commas (serve), TRACES (reverify)", required: false },
    model: { type: "string", valueHint: "source", description: "eval: checkpoint, or server (http://HOST/v1)" },
    name: { type: "string", valueHint: "name", description: "eval: the model's name on the server" },
    rows: { type: "string", valueHint: "file", description: "eval, serve: JSONL file of rows" },
    count: { type: "string", valueHint: "n", description: "Number of rows; of generated ones, for each length and depth" },
    lengths: { type: "string", valueHint: "1k,4k", description: "Lengths of contexts in tokens (default: 1k,2k,4k,8k)" },
    depths: { type: "string", valueHint: "0,0.5", description: "eval: places of the answer, 0 to 1 (default: 0,0.25,0.5,0.75,1)" },
    samples: { type: "string", valueHint: "k", description: "eval: number of episodes for each row (default: 1)" },
    temperature: { type: "string", valueHint: "x", description: "eval: sampling temperature; 0 is greedy (default: 1)" },
    "top-p": { type: "string", valueHint: "x", description: "eval: nucleus sampling (default: 0.95)" },
    "max-tokens": { type: "string", valueHint: "n", description: "eval: maximum tokens per episode (default: 4096)" },
    "max-turns": { type: "string", valueHint: "n", description: "Maximum messages of the model in an episode (default: 40)" },
    timeout: { type: "string", valueHint: "s", description: "eval: maximum seconds per episode (default: none)" },
    concurrency: { type: "string", valueHint: "n", description: "eval: maximum simultaneous episodes (default: 16)" },
    seed: { type: "string", valueHint: "n", description: "Seed of generated rows and of sampling (default: 1)" },
    out: { type: "string", valueHint: "file", description: "Write traces to this file; eval continues an existing one" },
    figure: { type: "string", valueHint: "file", description: "Draw length against depth (.svg, .png, .json)" },
    dark: { type: "boolean", description: "Draw the figure for a dark page" },
    port: { type: "string", valueHint: "n", description: "serve: port (default: 8000; 0: any free port)" },
    host: { type: "string", valueHint: "address", description: "serve: address to listen on (default: 127.0.0.1)" },
    "api-key": { type: "string", valueHint: "key", description: "serve: accepted bearer token (default: LIGHTNING_M1_API_KEY)" },
    cors: { type: "string", valueHint: "origin", description: "serve: allow pages of this origin (repeatable; * for all)" },
    "max-episodes": { type: "string", valueHint: "n", description: "serve: maximum simultaneous episodes (default: 64)" },
    grace: { type: "string", valueHint: "s", description: "serve: seconds for running episodes after SIGTERM (default: 30)" },
    json: { type: "boolean", description: "Print JSON lines" },
    ...loading,
    ...commonOptions,
  } satisfies ArgsDef,
  async run({ args, rawArgs, data }) {
    const terminal = data as Terminal;
    const given = args as Given;
    const action = checkAction(given);
    if (action === "list") return list(given, terminal);
    const { target } = given;
    if (typeof target !== "string") {
      const expected =
        action === "reverify" ? "a file of traces, as environments eval writes it" : "an environment (see environments list)";
      throw new UsageError(`environments ${action}: expected ${expected}, got none`);
    }
    if (action === "serve") return serveEnvironments(target.split(","), given, rawArgs, terminal);
    if (action === "eval") return evaluate(target, given, terminal);
    return judgeAgain(target, given, terminal);
  },
});

type Given = Readonly<Record<string, unknown>>;

/** Checks the action and its options. @throws {UsageError} an unknown action, or an option of another action */
function checkAction(args: Given): Action {
  const action = actionOf("environments", ACTIONS, args);
  if (action === "list" && args.target !== undefined) {
    throw new UsageError(`environments list: expected no argument, got ${JSON.stringify(args.target)}`);
  }
  checkActionOptions("environments", ACTIONS, action, args);
  return action;
}

async function list({ json }: Given, terminal: Terminal): Promise<void> {
  const entries = Object.entries(KNOWN_ENVIRONMENTS).map(([name, { summary, source }]) => ({ name, summary, source }));
  await terminal.print(json ? formatLines(entries) : environmentTable(entries));
}

/** Tokens of all contexts that are computed at a time, if `--concurrency` does not say how many. */
const TOKENS_AT_ONCE = 2 ** 18;

async function evaluate(name: string, args: Given, terminal: Terminal): Promise<void> {
  const lengths = listOption(args, "lengths", LENGTHS);
  const depths = parseDepths(args.depths as string | undefined);
  const count = numberOption(args, "count", positiveInteger);
  const samples = numberOption(args, "samples", positiveInteger) ?? 1;
  const concurrency = numberOption(args, "concurrency", positiveInteger);
  const timeout = numberOption(args, "timeout", ["a number of seconds above 0", (x) => x > 0]);
  const seed = numberOption(args, "seed", seedRange) ?? 1;
  const sampling = {
    temperature: numberOption(args, "temperature", ["a number of at least 0", (x) => x >= 0]) ?? 1,
    topP: numberOption(args, "top-p", ["a number within (0, 1]", (x) => x > 0 && x <= 1]) ?? 0.95,
    maxTokens: numberOption(args, "max-tokens", positiveInteger) ?? 4096,
    maxTurns: numberOption(args, "max-turns", positiveInteger) ?? 40,
    ...(timeout !== undefined && { timeoutMs: Math.ceil(1000 * timeout) }),
  };
  const known = await loadEnvironment(name);
  const file = args.rows as string | undefined;
  checkRowOptions(known, { name, file, lengths, depths });
  const given = { name, file, lengths, depths, count, seed };
  // Loading a model may take minutes. What can be wrong with rows that do not depend on it is found before.
  const isFixed = file !== undefined || !known.generate;
  const fixed = isFixed
    ? await chooseRows(known, { ...given, countTokens: estimateTokens, contextLength: undefined }, terminal)
    : undefined;
  const { playEpisodes } = await import("../../environments/index.js");
  using model = await openAnsweringModel(args, terminal, "environments eval");
  const { tokenizer } = model.solver;
  if (!tokenizer && !isFixed) {
    terminal.note(terminal.err.dim(`the server's tokenizer is not known: ${CHARACTERS_PER_TOKEN} characters count as a token`));
  }
  const countTokens = tokenizer ? (text: string) => tokenizer.encode(text).length : estimateTokens;
  const { contextLength } = model;
  const { rows, beyond } = fixed ?? (await chooseRows(known, { ...given, countTokens, contextLength }, terminal));
  if (beyond.length > 0) {
    const { err } = terminal;
    const most = `the model's context of ${contextLength!.toLocaleString("en-US")} tokens`;
    terminal.note(`${err.yellow("warning:")} ${beyond.map(tokens).join(", ")}: beyond ${most}, not run`);
  }
  const settings = { ...sampling, seed, samples, modelName: model.name };
  const out = args.out === undefined ? undefined : await TraceFile.open(args.out as string, await expectSame(name, rows, settings));
  const traces: Trace[] = out?.traces ?? [];
  const total = rows.length * samples;
  const longest = Math.max(1, ...rows.map(({ length = 1 }) => length));
  try {
    if (traces.length > 0) terminal.note(terminal.err.dim(`${args.out}: ${traces.length} of ${total} episodes are finished`));
    const playing = playEpisodes(
      model.solver,
      known.environment,
      rows.map(({ data }) => data),
      {
        ...settings,
        concurrency: concurrency ?? Math.max(1, Math.min(16, Math.floor(TOKENS_AT_ONCE / longest))),
        finished: [...traces],
        signal: terminal.signal,
      },
    );
    for await (const trace of playing) {
      const { length, depth } = rows[trace.info.row as number]!;
      const placed = { ...trace, info: { ...trace.info, ...(length !== undefined && { length }), ...(depth !== undefined && { depth }) } };
      if (out) out.append(placed);
      else traces.push(placed);
      if (terminal.animated) terminal.stderr.write(`\r${traces.length} of ${total} episodes`);
    }
    if (terminal.animated) terminal.stderr.write("\r\u001b[K");
  } finally {
    out?.close();
  }
  const failed = traces.find(({ errors }) => errors.length > 0);
  if (failed) terminal.note(`${terminal.err.yellow("warning:")} an episode failed: ${visible(failed.errors[0]!.message)}`);
  await report(reportEpisodes(name, traces, beyond), args, terminal, model.name);
}

/** Returns a function that tells why a stored trace belongs to another evaluation. */
async function expectSame(
  name: string,
  rows: readonly EvaluationRow[],
  settings: {
    readonly temperature: number;
    readonly maxTokens: number;
    readonly maxTurns: number;
    readonly seed: number;
    readonly samples: number;
    readonly modelName: string;
  },
): Promise<(trace: Trace) => string | undefined> {
  const { hashRow } = await import("../../environments/play.js");
  const hashes = await Promise.all(rows.map(({ data }, i) => hashRow(data, `row ${i + 1}`)));
  const { temperature, maxTokens, maxTurns, seed, samples, modelName } = settings;
  return ({ task, agent, info }) => {
    const { row, sample } = info as { readonly row?: unknown; readonly sample?: unknown };
    if (task.type !== name) return `expected an episode of ${name}, got one of ${task.type}`;
    if (typeof row !== "number" || typeof sample !== "number" || hashes[row] !== task.hash)
      return "expected the same rows, got another one";
    const expected = { temperature, max_turns: maxTurns, max_tokens: maxTokens, seed: (seed + row * samples + sample) % 2 ** 32 };
    const wrong = Object.entries(expected).find(([key, value]) => agent.config[key] !== value);
    if (wrong) return `expected ${wrong[0]} ${wrong[1]}, got ${String(agent.config[wrong[0]])}`;
    return agent.name === modelName ? undefined : `expected the model ${modelName}, got ${agent.name}`;
  };
}

async function judgeAgain(path: string, args: Given, terminal: Terminal): Promise<void> {
  const { traces } = parseTraceFile(await readInput(path, "a file of traces", terminal), nameOf(path));
  if (traces.length === 0) throw new InputError(`${path}: expected traces, as environments eval writes them, got none`);
  const { formatTrace, reverify } = await import("../../environments/index.js");
  const loaded = new Map<string, Environment>();
  const judged: Trace[] = [];
  for (const [i, trace] of traces.entries()) {
    const { type } = trace.task;
    if (!Object.hasOwn(KNOWN_ENVIRONMENTS, type)) {
      const names = Object.keys(KNOWN_ENVIRONMENTS).join(", ");
      throw new InputError(`${path}: trace ${i + 1}: expected an episode of ${names}, got one of ${type}`);
    }
    if (!loaded.has(type)) loaded.set(type, (await loadEnvironment(type)).environment);
    // An episode that failed has no result that could be judged.
    judged.push(trace.errors.length > 0 ? trace : await reverify(loaded.get(type)!, trace, { signal: terminal.signal }));
    terminal.signal.throwIfAborted();
  }
  if (args.out !== undefined) {
    await writeFile(args.out as string, judged.map(formatTrace).join("")).catch((cause: Error) => {
      throw new InputError(`--out: ${args.out}: cannot be written: ${cause.message}`, { cause });
    });
  }
  const changed = judged.filter(({ rewards }, i) => JSON.stringify(rewards) !== JSON.stringify(traces[i]!.rewards)).length;
  terminal.note(terminal.err.dim(`${changed} of ${judged.length} episodes have other rewards than stored`));
  for (const name of loaded.keys()) {
    const own = judged.filter(({ task }) => task.type === name);
    await report(reportEpisodes(name, own), args, terminal, own[0]!.agent.name);
  }
}

async function report(result: EpisodeReport, args: Given, terminal: Terminal, model: string): Promise<void> {
  await terminal.print(args.json ? formatLines([result]) : episodeTable(result, terminal.out));
  if (args.figure === undefined) return;
  if (result.cells.length === 0 && result.beyond.length === 0) {
    throw new UsageError(`--figure: expected tasks with lengths, which ${result.environment} has not here`);
  }
  const figure = heatMapFigure(result, model);
  await writeFigure(args.figure as string, figure, Boolean(args.dark));
  terminal.note(terminal.err.dim(`${visible(args.figure as string)}: ${figure.title}`));
}
