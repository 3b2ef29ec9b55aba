import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { createInterface, type Interface } from "node:readline";
import { defineCommand } from "citty";
import { Conversation, InputError, LightningError } from "../../index.js";
import { describeReadError } from "../../node/regular-file.js";
import { loadModel, requireTokenizer } from "../inputs/load-model.js";
import { commonOptions, loadingArguments, samplingArguments, samplingOptions } from "../options.js";
import { describeThroughput, ThroughputMeter } from "../reports/throughput.js";
import { AnswerWriter } from "../text/answer-writer.js";
import { CommandEnded, type Terminal, visible } from "../text/terminal.js";

/** Explains how to ask the bundled model, which understands only its eight puzzle formats. */
const BUNDLED_MODEL_HINT =
  'It solves puzzles in the formats of docs/compact-tasks.md. Each message starts a new conversation. Ask "Compute 3 + 4 - 2" or "Close the open brackets : ( [ {".';

const HELP = "/save FILE, /load FILE, /reset, /help, /exit; Ctrl-C stops an answer";

/** Chats line by line. Answers go to stdout, everything else to stderr. */
export const chat = defineCommand({
  meta: { name: "chat", description: "Chat with a model" },
  args: {
    ...loadingArguments,
    system: { type: "string", valueHint: "text", description: "System message" },
    ...samplingArguments,
    ...commonOptions,
  },
  async run({ args, rawArgs, data }) {
    const terminal = data as Terminal;
    const options = samplingOptions(args, rawArgs);
    await requireTokenizer(
      args,
      terminal,
      "chat: expected a checkpoint with a tokenizer, got a checkpoint without (generate --ids needs no tokenizer)",
    );
    const model = await loadModel(args, terminal);
    const bundled = args.source === undefined;
    if (bundled) terminal.note(terminal.err.dim(BUNDLED_MODEL_HINT));
    try {
      using conversation = new Conversation(model, { system: args.system });
      await new ChatLoop(terminal, conversation, options, bundled).run();
    } finally {
      model.dispose();
    }
  },
});

class ChatLoop {
  private readonly interactive: boolean;
  private readonly lines: Interface;
  /** Whether the next message continues the loaded conversation. */
  private loaded = false;
  /** Stops the current answer. */
  private answering: AbortController | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly conversation: Conversation,
    private readonly options: ReturnType<typeof samplingOptions>,
    /** Whether each message starts a new conversation. True for the bundled model, which was trained on single puzzles. */
    private readonly resetBeforeMessage: boolean,
  ) {
    const { stdin, stderr, err } = terminal;
    this.interactive = stdin.isTTY === true;
    this.lines = createInterface({
      input: stdin,
      ...(this.interactive && { output: stderr, terminal: stderr.isTTY === true }),
      prompt: err.bold("> "),
    });
  }

  /** Reads and answers lines until the input ends or `/exit`. */
  async run(): Promise<void> {
    const { terminal, lines, interactive } = this;
    terminal.signal.throwIfAborted();
    let interrupted = false;
    const end = () => lines.close();
    terminal.signal.addEventListener("abort", end);
    // In a terminal, readline receives Ctrl-C. Elsewhere, Ctrl-C is a signal to the process, which ends the command.
    lines.on("SIGINT", () => {
      if (this.answering) return this.answering.abort();
      interrupted = true;
      lines.close();
    });
    if (interactive) terminal.note(terminal.err.dim(HELP));
    const input = lines[Symbol.asyncIterator]();
    try {
      for (;;) {
        if (interactive) lines.prompt();
        const { value: line, done } = await input.next();
        if (done || line.trim() === "/exit") break;
        await this.turn(line);
      }
    } finally {
      terminal.signal.removeEventListener("abort", end);
      lines.close();
    }
    terminal.signal.throwIfAborted();
    if (interrupted) {
      terminal.note("");
      throw new CommandEnded(130);
    }
  }

  private async turn(line: string): Promise<void> {
    const { terminal } = this;
    try {
      if (line.startsWith("/")) await this.command(line);
      else if (line.trim() !== "") await this.answer(line);
    } catch (error) {
      if (terminal.signal.aborted || !this.interactive || !(error instanceof LightningError)) throw error;
      terminal.note(`${terminal.err.red("error:")} ${visible(error.message)}`);
    }
  }

  private async command(line: string): Promise<void> {
    const { conversation, terminal } = this;
    const [, name = "", file = ""] = /^\/(\S*)\s*(.*?)\s*$/.exec(line)!;
    if (name === "reset") {
      conversation.reset();
      terminal.note("forgotten");
    } else if (name === "save" && file) {
      const bytes = conversation.save();
      await writeAtomically(file, bytes);
      terminal.note(`${file}: ${conversation.length} tokens, ${bytes.length.toLocaleString("en-US")} bytes`);
    } else if (name === "load" && file) {
      conversation.load(await readSaved(file));
      this.loaded = true;
      terminal.note(`${file}: ${conversation.length} tokens`);
    } else if (name === "help") terminal.note(HELP);
    else throw new InputError(`${visible(line)}: expected ${HELP}`);
  }

  private async answer(message: string): Promise<void> {
    const { terminal, conversation, options } = this;
    if (this.resetBeforeMessage && !this.loaded) conversation.reset();
    this.loaded = false;
    const answering = new AbortController();
    const { signal } = answering;
    const end = () => answering.abort(terminal.signal.reason);
    terminal.signal.addEventListener("abort", end);
    this.answering = answering;
    const writer = new AnswerWriter(terminal);
    const meter = new ThroughputMeter();
    const tokensBefore = conversation.length;
    let promptTokens = 0;
    let stop: string | undefined = "Ctrl-C";
    try {
      const answer = await conversation.send(message, { ...options, signal });
      for await (const token of answer) {
        promptTokens = answer.usage.promptTokens! - tokensBefore;
        meter.addToken();
        await writer.push(token.text);
        stop = token.stop ?? stop;
      }
    } catch (error) {
      if (!signal.aborted || terminal.signal.aborted) throw error;
    } finally {
      this.answering = undefined;
      terminal.signal.removeEventListener("abort", end);
    }
    await writer.end();
    terminal.note(terminal.err.dim(`${describeThroughput(meter.throughput(promptTokens))}, ended by ${stop}`));
  }
}

async function readSaved(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    fail(`/load ${file}: expected a file of /save, got ${describeReadError(cause)}`, cause);
  }
}

/** Writes a temporary file and renames it, so that the file is complete or absent. */
async function writeAtomically(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, bytes, { flag: "wx" });
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    fail(`/save ${file}: cannot be written: ${(cause as Error).message}`, cause);
  }
}

function fail(message: string, cause: unknown): never {
  throw new InputError(message, { cause });
}
