import { createWriteStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type ArgsDef, defineCommand } from "citty";
import { InputError } from "../../index.js";
import {
  evaluateRows,
  generateRows,
  judgeRow,
  levelsOf,
  passRates,
  type RowResult,
  reverifyRow,
  rowTasks,
  synlogic,
  trainingRow,
} from "../../rl/index.js";
import { formatLines } from "../../rl/rows/row-format.js";
import { writeFigure } from "../figures/figure.js";
import { passRateFigure } from "../figures/pass-rate-figure.js";
import { actionOf, checkActionOptions } from "../inputs/actions.js";
import { openAnsweringModel } from "../inputs/answering-model.js";
import { nameOf, parseResponses, parseResults, readInput, readTaskRows } from "../inputs/task-rows.js";
import {
  commonOptions,
  loadingArguments,
  type NumberRange,
  numberOption,
  positiveInteger,
  repeatedOption,
  UsageError,
} from "../options.js";
import { ResultFile } from "../runs/result-file.js";
import { parameterTable, passRateTable, taskTable } from "../text/task-text.js";
import { type Terminal, visible } from "../text/terminal.js";

const { source: _, ...loading } = loadingArguments;

/** Options of each action. */
const ACTIONS = {
  list: ["json"],
  make: ["level", "count", "seed", "language", "set", "format", "out"],
  check: ["task", "json", "explain"],
  eval: [
    ...["model", "name", "samples", "temperature", "top-p", "max-tokens", "concurrency", "seed", "out", "task", "json", "figure", "dark"],
    ...Object.keys(loading),
  ],
  reverify: ["out", "json", "figure", "dark"],
} as const satisfies Record<string, readonly string[]>;
type Action = keyof typeof ACTIONS;

const seedRange: NumberRange = ["an integer within [0, 2^32)", (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32];

/** Lists tasks, generates rows, judges responses, and evaluates models. */
export const tasks = defineCommand({
  meta: { name: "tasks", description: "List, generate and judge puzzles; evaluate models on them" },
  args: {
    action: { type: "positional", description: "list, make, check, eval or reverify", required: true },
    first: {
      type: "positional",
      description: "TASK (list, make), ROWS (check, eval) or RESULTS (reverify); - reads stdin",
      required: false,
    },
    second: { type: "positional", description: "RESPONSES (check): a file with one line for each row", required: false },
    level: { type: "string", valueHint: "name", description: "make: tiny, easy (default), medium, hard; compact: 1, …" },
    count: { type: "string", valueHint: "n", description: "make: number of rows (default: 1)" },
    language: { type: "enum", options: ["en", "zh"], description: "make: language of questions (default: en)" },
    set: { type: "string", valueHint: "name=value", description: "make: parameter of the task (repeatable)" },
    format: { type: "enum", options: ["rows", "training"], description: "make: published format (default), or for trainers" },
    task: { type: "string", valueHint: "name", description: "check, eval: task of rows without the name of a task" },
    explain: { type: "boolean", description: "check: print the reason of each verdict" },
    model: { type: "string", valueHint: "source", description: "eval: checkpoint, or server (http://HOST/v1)" },
    name: { type: "string", valueHint: "name", description: "eval: the model's name on the server" },
    samples: { type: "string", valueHint: "k", description: "eval: number of responses for each row (default: 1)" },
    temperature: { type: "string", valueHint: "x", description: "eval: sampling temperature; 0 is greedy (default: 1)" },
    "top-p": { type: "string", valueHint: "x", description: "eval: nucleus sampling (default: 0.95)" },
    "max-tokens": { type: "string", valueHint: "n", description: "eval: maximum tokens per response (default: 2048)" },
    concurrency: { type: "string", valueHint: "n", description: "eval: maximum simultaneous responses (default: 64)" },
    seed: { type: "string", valueHint: "n", description: "make: seed of puzzles; eval: seed of sampling" },
    out: { type: "string", valueHint: "file", description: "Write to this file; eval continues an existing one" },
    figure: { type: "string", valueHint: "file", description: "eval, reverify: draw pass rates (.svg, .png, .json)" },
    dark: { type: "boolean", description: "Draw the figure for a dark page" },
    json: { type: "boolean", description: "Print JSON lines" },
    ...loading,
    ...commonOptions,
  } satisfies ArgsDef,
  async run({ args, rawArgs, data }) {
    const terminal = data as Terminal;
    const given = args as Given;
    const action = checkAction(given);
    const name = (what: string) => {
      if (typeof given.first === "string") return given.first;
      throw new UsageError(`tasks ${action}: expected ${what}, got none`);
    };
    if (action === "list") return list(given, terminal);
    if (action === "make") return make(name("a task (see lightning-m1 tasks list)"), given, repeatedOption(rawArgs, "set"), terminal);
    if (action === "check") return check(name("a file of rows"), given, terminal);
    if (action === "eval") return evaluate(name("a file of rows (lightning-m1 tasks make writes one)"), given, terminal);
    return reverify(name("a file of results, as tasks eval writes it"), given, terminal);
  },
});

type Given = Readonly<Record<string, unknown>>;

/** Checks the action and its options. @throws {UsageError} an unknown action, or an option of another action */
function checkAction(args: Given): Action {
  const action = actionOf("tasks", ACTIONS, args);
  if (args.second !== undefined && action !== "check")
    throw new UsageError(`tasks ${action}: expected one argument, got ${JSON.stringify(args.second)} too`);
  checkActionOptions("tasks", ACTIONS, action, args);
  return action;
}

const COMPACT_SUMMARY = "compact form for small models (docs/compact-tasks.md)";

async function list({ first, json }: Given, terminal: Terminal): Promise<void> {
  if (first !== undefined) {
    const name = checkTask(first as string, rowTasks);
    if (!synlogic.tasks.includes(name)) {
      const compact = { name, levels: levelsOf(name), languages: ["en"], summary: COMPACT_SUMMARY };
      return terminal.print(json ? formatLines([compact]) : `${name}: ${COMPACT_SUMMARY}. Levels: ${compact.levels.join(", ")}.\n`);
    }
    const task = synlogic.taskNamed(name);
    const { summary, languages, parameters, levels, attributes } = task;
    return terminal.print(
      json ? formatLines([{ name, summary, languages, parameters, levels, attributes }]) : parameterTable(task, terminal.out),
    );
  }
  const described = rowTasks.map((name) => {
    const published = synlogic.tasks.includes(name) ? synlogic.taskNamed(name) : undefined;
    return {
      name,
      levels: levelsOf(name),
      languages: published?.languages ?? ["en"],
      summary: published?.summary ?? COMPACT_SUMMARY,
    };
  });
  await terminal.print(json ? formatLines(described) : taskTable(described, terminal.out));
}

function checkTask(name: string, known: readonly string[]): string {
  if (known.includes(name)) return name;
  throw new UsageError(`tasks: expected a task (${known.join(", ")}), got ${JSON.stringify(name)}`);
}

/** Number of rows that are generated and written at a time, so that memory does not grow with `--count`. */
const ROWS_AT_ONCE = 100;

async function make(task: string, args: Given, settings: readonly string[], terminal: Terminal): Promise<void> {
  const names = task === "all" ? synlogic.tasks : task.split(",").map((name) => checkTask(name.trim(), rowTasks));
  const count = numberOption(args, "count", positiveInteger) ?? 1;
  const seed = numberOption(args, "seed", seedRange);
  const parameters = Object.fromEntries(settings.map(parseSetting));
  const { level, language, out } = args as { level?: string; language?: synlogic.Language; out?: string };
  // Reports invalid options before the file is opened, which empties it.
  for (const name of names) generateRows(name, { seed, level, language, parameters });
  const file = out === undefined ? undefined : createWriteStream(out);
  const failed =
    file &&
    new Promise<never>((_, reject) =>
      file.once("error", (cause) => reject(new InputError(`--out: ${out}: cannot be written: ${cause.message}`, { cause }))),
    );
  const write = async (text: string) => {
    if (!file) return terminal.print(text);
    terminal.signal.throwIfAborted();
    await Promise.race([failed, new Promise((resolve) => file.write(text, resolve))]);
  };
  let index = 0;
  let repeated = 0;
  const questions = new Set<string>();
  for (const name of names) {
    for (let first = 0; first < count; first += ROWS_AT_ONCE) {
      const rows = generateRows(name, { seed, first, count: Math.min(ROWS_AT_ONCE, count - first), level, language, parameters });
      for (const { question } of rows) {
        if (questions.has(question)) repeated++;
        else questions.add(question);
      }
      await write(formatLines(args.format === "training" ? rows.map((row) => trainingRow(row, index++)) : rows));
    }
  }
  if (file) await Promise.race([failed, new Promise<void>((resolve) => file.end(() => resolve()))]);
  if (repeated > 0) {
    const { err } = terminal;
    terminal.note(
      `${err.yellow("warning:")} ${repeated} of ${questions.size + repeated} rows repeat a question (use a harder level for more puzzles)`,
    );
  }
}

/** Parses `name=value`. A value that is not JSON is taken as text. @throws {UsageError} no equals sign */
function parseSetting(setting: string): [string, synlogic.ParameterValue] {
  const [, name, value] = /^([a-z_]\w*)=(.*)$/s.exec(setting) ?? [];
  if (name === undefined) throw new UsageError(`--set: expected name=value, got ${JSON.stringify(setting)}`);
  try {
    return [name, JSON.parse(value!)];
  } catch {
    return [name, value!];
  }
}

async function check(path: string, args: Given, terminal: Terminal): Promise<void> {
  if (args.second === undefined) throw new UsageError("tasks check: expected a file of responses after the rows, got none");
  const rows = await readTaskRows(path, terminal, args.task as string | undefined);
  const responses = parseResponses(
    await readInput(args.second as string, "a file of responses", terminal),
    nameOf(args.second as string),
    rows.length,
  );
  const results: RowResult[] = [];
  for (const [index, row] of rows.entries()) {
    const verdicts = responses[index]!.map((response) => ({ response, ...judgeRow(row, response) }));
    const unjudged: RowResult = {
      ...row,
      index,
      samples: verdicts.map(({ response }) => ({ response, tokens: 0, right: null, reason: "" })),
      pass_rate: null,
    };
    results.push(reverifyRow(unjudged));
    for (const { response: _, ...verdict } of verdicts) {
      if (args.json) await terminal.print(formatLines([{ row: index, task: row.task, ...verdict }]));
      else if (args.explain) await terminal.print(`${index} ${row.task}: ${verdict.right ?? "undecided"}: ${visible(verdict.reason)}\n`);
    }
  }
  if (!args.json) await terminal.print(passRateTable(passRates(results), terminal.out, false));
}

async function evaluate(path: string, args: Given, terminal: Terminal): Promise<void> {
  const samples = numberOption(args, "samples", positiveInteger) ?? 1;
  const concurrency = numberOption(args, "concurrency", positiveInteger);
  const sampling = {
    temperature: numberOption(args, "temperature", ["a number of at least 0", (x) => x >= 0]) ?? 1,
    topP: numberOption(args, "top-p", ["a number within (0, 1]", (x) => x > 0 && x <= 1]) ?? 0.95,
    maxTokens: numberOption(args, "max-tokens", positiveInteger) ?? 2048,
    seed: numberOption(args, "seed", seedRange) ?? 1,
  };
  const rows = await readTaskRows(path, terminal, args.task as string | undefined);
  using model = await openAnsweringModel(args, terminal);
  const settings = {
    model: model.name,
    samples,
    temperature: sampling.temperature,
    top_p: sampling.topP,
    max_tokens: sampling.maxTokens,
    seed: sampling.seed,
  };
  const file =
    args.out === undefined
      ? undefined
      : await ResultFile.open(
          args.out as string,
          settings,
          rows.map(({ question }) => question),
        );
  const results: RowResult[] = file?.results ?? [];
  try {
    const skip = file?.finished ?? new Set<number>();
    if (skip.size > 0) terminal.note(terminal.err.dim(`${args.out}: ${skip.size} of ${rows.length} rows are finished`));
    for await (const result of evaluateRows(model.solver, rows, { ...sampling, samples, concurrency, skip, signal: terminal.signal })) {
      if (file) file.append(result);
      else results.push(result);
      if (terminal.animated) terminal.stderr.write(`\r${results.length} of ${rows.length} rows`);
    }
    if (terminal.animated) terminal.stderr.write("\r\u001b[K");
    file?.sort();
  } finally {
    file?.close();
  }
  await report(results, args, terminal, model.name);
}

async function reverify(path: string, args: Given, terminal: Terminal): Promise<void> {
  const { results } = parseResults(`${await readInput(path, "a file of results", terminal)}\n`, nameOf(path));
  if (results.length === 0) throw new InputError(`${path}: expected results, as tasks eval writes them, got none`);
  const judged = results.map(reverifyRow);
  if (args.out !== undefined) {
    await writeFile(args.out as string, formatLines(judged)).catch((cause: Error) => {
      throw new InputError(`--out: ${args.out}: cannot be written: ${cause.message}`, { cause });
    });
  }
  const changed = judged.filter(({ samples }, i) => samples.some(({ right }, j) => right !== results[i]!.samples[j]!.right)).length;
  terminal.note(terminal.err.dim(`${changed} of ${judged.length} rows have another verdict than stored`));
  await report(judged, args, terminal);
}

async function report(results: readonly RowResult[], args: Given, terminal: Terminal, model?: string): Promise<void> {
  const rates = passRates(results);
  await terminal.print(args.json ? formatLines(rates) : passRateTable(rates, terminal.out));
  if (args.figure === undefined) return;
  const figure = passRateFigure(rates, model);
  await writeFigure(args.figure as string, figure, Boolean(args.dark));
  terminal.note(terminal.err.dim(`${visible(args.figure as string)}: ${figure.title}`));
}
