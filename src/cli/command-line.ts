import { stripVTControlCharacters } from "node:util";
import { type ArgsDef, type CommandDef, defineCommand, renderUsage, runCommand } from "citty";
import { version } from "../../package.json";
import { LightningError, maskUrls } from "../index.js";
import { checkUsage, UsageError } from "./options.js";
import { CommandEnded, openTerminal, type Streams, type Terminal, visible } from "./text/terminal.js";

/** The commands. Each is loaded when it is called, so that no command waits for the modules of the others. */
const commands = {
  generate: () => import("./commands/generate.js").then(({ generate }) => generate),
  chat: () => import("./commands/chat.js").then(({ chat }) => chat),
  serve: () => import("./commands/serve.js").then(({ serve }) => serve),
  eval: () => import("./commands/eval.js").then(({ evaluate }) => evaluate),
  inspect: () => import("./commands/inspect.js").then(({ inspect }) => inspect),
  export: () => import("./commands/export.js").then(({ exportModel }) => exportModel),
  analyze: () => import("./commands/analyze.js").then(({ analyze }) => analyze),
  plan: () => import("./commands/plan.js").then(({ plan }) => plan),
  fullsize: () => import("./commands/fullsize.js").then(({ fullsize }) => fullsize),
  train: () => import("./commands/train.js").then(({ train }) => train),
  rl: () => import("./commands/rl.js").then(({ rl }) => rl),
  tasks: () => import("./commands/tasks.js").then(({ tasks }) => tasks),
  environments: () => import("./commands/environments.js").then(({ environments }) => environments),
} as unknown as Readonly<Record<string, () => Promise<CommandDef>>>;

/** Options that are also accepted before the command. */
const GLOBAL_OPTIONS: ReadonlySet<string> = new Set(["--color", "--no-color", "--debug"]);

const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "lightning-m1": ["lightning-m1 inspect", "lightning-m1 generate ./checkpoint --prompt 'Once upon a time' -n 100"],
  generate: [
    "lightning-m1 generate ./checkpoint --prompt 'Once' --temperature 1 --top-p 0.95 --seed 7",
    "lightning-m1 generate ./checkpoint --ids 1,2,3 --max-tokens 24 --json",
    "lightning-m1 generate ./checkpoint --chat < question.txt > answer.txt",
  ],
  chat: ["lightning-m1 chat ./checkpoint --system 'Be brief.' --temperature 1 --top-p 0.95"],
  eval: [
    "lightning-m1 eval ./checkpoint --per-level 200 --greedy",
    "lightning-m1 eval ./checkpoint --tasks sudoku,word-sorting --json",
    "lightning-m1 eval ./checkpoint my-text.txt --window 1024 --stride 512",
  ],
  inspect: [
    "lightning-m1 inspect",
    "lightning-m1 inspect m1-puzzles --accuracy",
    "lightning-m1 inspect ./checkpoint",
    "lightning-m1 inspect config.json --slopes --json",
  ],
  export: ["lightning-m1 export --gguf m1-puzzles.gguf", "lightning-m1 export ./checkpoint --gguf model.gguf --dtype q8_0"],
  analyze: [
    "lightning-m1 analyze",
    "lightning-m1 analyze m1-puzzles --tokens 1024,4096",
    "lightning-m1 analyze --figure flops.svg",
    "lightning-m1 analyze --benchmarks",
    "lightning-m1 analyze --gpus 8 --days 10 --price 2.50",
  ],
  fullsize: ["lightning-m1 fullsize", "lightning-m1 fullsize --verify ./golden/full-size", "lightning-m1 fullsize --layers 2 --json"],
  plan: [
    "lightning-m1 plan --context 200k --users 10 --precision int4",
    "lightning-m1 plan --gpu H20 --context 1M --users 4",
    "lightning-m1 plan --weights Q4_K_M --gpu H100 --gpus-per-node 1 --ram 512GB",
    "lightning-m1 plan --weights Q6_K --unified-memory 512GB --bandwidth 819GB",
    "lightning-m1 plan --weights bf16 --nodes 2 --kubernetes | kubectl apply -f -",
  ],
  serve: [
    "lightning-m1 serve",
    "lightning-m1 serve ./checkpoint --port 8000 --max-batch 16",
    "lightning-m1 serve --cors http://localhost:5173 --cors https://example.com",
    "exec node node_modules/lightning-m1/dist/node/cli.js serve",
  ],
  rl: ["lightning-m1 rl run cispo.json --out ./run", "lightning-m1 rl run cispo.json --batches 10 --json"],
  tasks: [
    "lightning-m1 tasks list kukurasu",
    "lightning-m1 tasks make kukurasu,sudoku --level easy --count 50 --out rows.jsonl",
    "lightning-m1 tasks make game_of_24 --set num_of_numbers=3 --language zh",
    "lightning-m1 tasks check rows.jsonl responses.jsonl --explain",
    "lightning-m1 tasks eval rows.jsonl --model http://127.0.0.1:8000/v1 --samples 4 --out results.jsonl",
    "lightning-m1 tasks reverify results.jsonl --figure rates.svg",
  ],
  environments: [
    "lightning-m1 environments list",
    "lightning-m1 environments eval needles --lengths 1k,2k,4k --count 5 --out traces.jsonl",
    "lightning-m1 environments eval uuid-copy --model http://127.0.0.1:8000/v1 --lengths 1k,64k,1M --figure map.svg",
    "lightning-m1 environments reverify traces.jsonl --figure map.png",
    "lightning-m1 environments serve bike-workshop,needles --port 8001",
  ],
  train: ["lightning-m1 train puzzles.train.json --out ./run", "lightning-m1 train puzzles.train.json --steps 100 --threads 1"],
};

const NOTES: Readonly<Record<string, string>> = {
  serve:
    "SIGTERM stops the server gracefully. npx and npm do not forward this signal, so start the server\nwith node, or with exec in a script.",
};

const EXIT_CODES = `
Exit codes: 0 success, 1 error, 2 wrong command line, 130 Ctrl-C, 143 SIGTERM. After Ctrl-C or
SIGTERM, a running server stops gracefully and ends with 0.
`;

const program = defineCommand({
  meta: { name: "lightning-m1", version, description: "MiniMax-M1 on the command line" },
  subCommands: commands,
});

/**
 * Runs one command to its end and returns the exit code: 0, 1 for an error, 2 for an invalid command line, 130 after Ctrl-C and 143 after
 * SIGTERM. `serve` stops gracefully on both and returns 0. Never throws.
 */
export async function runCommandLine(args: readonly string[], streams: Streams): Promise<number> {
  const at = args.findIndex((arg) => !GLOBAL_OPTIONS.has(arg));
  const name = args[at] ?? "";
  const rest = args.filter((_, i) => i !== at);
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  const colour = options.includes("--no-color") ? false : options.includes("--color") ? true : undefined;
  const terminal = openTerminal(streams, colour);
  let command: CommandDef | undefined;
  try {
    if (name === "--version" || name === "-v") await terminal.print(`${version}\n`);
    else if (name === "--help" || name === "-h") await terminal.print(await usage(terminal, program));
    else {
      command = Object.hasOwn(commands, name) ? await commands[name]!() : undefined;
      if (!command)
        throw new UsageError(`command: expected ${Object.keys(commands).join(", ")}, got ${name ? JSON.stringify(name) : "none"}`);
      if (options.includes("--help") || options.includes("-h")) await terminal.print(await usage(terminal, command, program));
      else {
        checkUsage(rest, command.args as ArgsDef);
        await runCommand(command, { rawArgs: rest, data: terminal });
      }
    }
    return 0;
  } catch (error) {
    if (error instanceof CommandEnded) return error.exitCode;
    if (streams.signal.aborted) return (streams.signal.reason as CommandEnded).exitCode;
    return report(error, terminal, command, options.includes("--debug") || Boolean(streams.env.DEBUG));
  }
}

function report(error: unknown, terminal: Terminal, command: CommandDef | undefined, debug: boolean): number {
  const { err } = terminal;
  const misused = error instanceof UsageError || (error instanceof Error && error.name === "CLIError");
  const message = withOptionNames(maskUrls(error instanceof Error ? error.message : String(error)), command);
  terminal.note(`${err.red("error:")} ${visible(stripVTControlCharacters(message)).replace(/\s*\n\s*/g, " ")}`);
  if (misused) terminal.note(`See ${["lightning-m1", command && nameOf(command), "--help"].filter(Boolean).join(" ")}`);
  else if (debug) terminal.note(error instanceof Error ? maskUrls(error.stack ?? "") : "");
  else if (!(error instanceof LightningError)) terminal.note("(this is a bug in this program; --debug prints the stack trace)");
  return misused ? 2 : 1;
}

/** Replaces the name of a library option in a message by the name of the command's option, if the command has such an option. */
function withOptionNames(message: string, command: CommandDef | undefined): string {
  return Object.hasOwn(command?.args ?? {}, "local-files-only") ? message.replace(/\blocalFilesOnly\b/g, "--local-files-only") : message;
}

/** Returns the text of `--help`: the usage as citty renders it, then examples and notes. It has no colours if the stream does not support them. */
async function usage({ out }: Terminal, command: CommandDef, parent?: CommandDef): Promise<string> {
  const whole = await renderUsage(command, parent);
  // The names of all commands would make the line of the usage too long. They are listed below it.
  const rendered = parent ? whole : whole.replace(Object.keys(command.subCommands ?? {}).join("|"), "<command>");
  const text = (out.isColorSupported ? rendered : stripVTControlCharacters(rendered)).replace(/[ \t]+$/gm, "").trimEnd();
  const name = nameOf(command);
  const examples = EXAMPLES[name]!.map((line) => `  ${line}\n`).join("");
  const notes = NOTES[name] ? `\n${NOTES[name]}\n` : "";
  const codes = parent ? "" : EXIT_CODES;
  return `${text}\n\n${out.underline(out.bold("EXAMPLES"))}\n\n${examples}${notes}${codes}`;
}

const nameOf = (command: CommandDef): string => (command.meta as { name: string }).name;
