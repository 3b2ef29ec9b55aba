import { stat } from "node:fs/promises";
import { defineCommand } from "citty";
import { type ChatMessage, type MiniMaxM1, presets } from "../../index.js";
import { loadModel, requireTokenizer } from "../inputs/load-model.js";
import { readStdin } from "../inputs/read-stdin.js";
import {
  commonOptions,
  isSampled,
  loadingArguments,
  loadingOptions,
  parseIds,
  samplingArguments,
  samplingOptions,
  UsageError,
} from "../options.js";
import { describeThroughput, ThroughputMeter } from "../reports/throughput.js";
import { printable, type Terminal } from "../text/terminal.js";

/** Continues one prompt. Streams the text to stdout; everything else goes to stderr. */
export const generate = defineCommand({
  meta: { name: "generate", description: "Continue a prompt and print the text on stdout" },
  args: {
    ...loadingArguments,
    prompt: { type: "string", alias: "p", valueHint: "text", description: "Text to continue (default: read from stdin)" },
    ids: { type: "string", valueHint: "1,2,3", description: "Token ids to continue" },
    chat: { type: "boolean", description: "The prompt is a user's message (always for the bundled model)" },
    system: { type: "string", valueHint: "text", description: "System message, with --chat" },
    ...samplingArguments,
    json: { type: "boolean", description: "Print a JSON line per token, then a summary line" },
    ...commonOptions,
  },
  async run({ args, rawArgs, data }) {
    const terminal = data as Terminal;
    const options = samplingOptions(args, rawArgs);
    loadingOptions(args); // reports invalid options before a wrong source
    if (args.source !== undefined) await checkSource(args.source);
    const prompt = await readPrompt(args, terminal);
    if (typeof prompt === "string") {
      await requireTokenizer(args, terminal, "prompt: expected --ids, got text (this checkpoint has no tokenizer)");
    } else if (options.stop) {
      await requireTokenizer(args, terminal, "--stop: expected --stop-ids, got text (this checkpoint has no tokenizer)");
    }
    const model = await loadModel(args, terminal);
    try {
      const input = typeof prompt === "string" ? await encode(model, prompt, isChat(args) ? (args.system ?? "") : undefined) : prompt;
      const write = args.json ? writeJson : model.tokenizer ? writeText : writeIds;
      const meter = new ThroughputMeter();
      const generation = model.generate(input, { ...options, signal: terminal.signal });
      let stop: string | undefined;
      for await (const token of generation) {
        meter.addToken();
        await write(token, terminal);
        stop = token.stop;
      }
      const throughput = meter.throughput(input.length);
      const seed = isSampled(options) ? generation.seed : undefined;
      if (args.json) await terminal.print(`${JSON.stringify({ stop, seed, ...throughput })}\n`);
      else await terminal.print("\n");
      terminal.note(terminal.err.dim(`${describeThroughput(throughput)}, ended by ${stop}${seed === undefined ? "" : `, seed ${seed}`}`));
    } finally {
      model.dispose();
    }
  },
});

/** Matches a URL: a scheme, and no spaces. */
const URL_TEXT = /^[a-z][a-z\d+.-]*:\S*$/i;

/** Matches a hub id. */
const HUB_ID = /^[\w.-]+\/[\w.-]+$/;

/** Checks that the model argument can be a model. Users easily mistake this argument for the prompt. @throws {UsageError} other text */
async function checkSource(source: string): Promise<void> {
  if (URL_TEXT.test(source) || HUB_ID.test(source) || Object.hasOwn(presets, source)) return;
  const exists = await stat(source).then(
    () => true,
    () => false,
  );
  if (exists) return;
  const got = JSON.stringify(source);
  throw new UsageError(
    `SOURCE: expected a directory, .safetensors file, URL or hub id, got ${got}, which does not exist. Pass a prompt as --prompt ${got}.`,
  );
}

/** Returns whether the prompt is a user's message. Always true for the bundled model, which understands only chat messages. */
function isChat({ source, chat }: { source?: string; chat?: boolean }): boolean {
  return chat ?? source === undefined;
}

interface GeneratedToken {
  readonly id: number;
  readonly text: string;
  readonly logprob: number;
}

const writeText = ({ text }: GeneratedToken, terminal: Terminal) => terminal.print(printable(text, terminal.stdout));
const writeIds = ({ id }: GeneratedToken, terminal: Terminal) => terminal.print(`${id} `);
const writeJson = (token: GeneratedToken, terminal: Terminal) => terminal.print(`${JSON.stringify(token)}\n`);

/** Reads the prompt as text or ids from the options, or as text from stdin if neither is given. */
async function readPrompt(
  args: { source?: string; prompt?: string; ids?: string; chat?: boolean; system?: string },
  terminal: Terminal,
): Promise<string | number[]> {
  if (args.prompt !== undefined && args.ids !== undefined) throw new UsageError("expected --prompt or --ids, got both");
  if (args.ids !== undefined && args.chat) throw new UsageError("--chat: expected text (--prompt or stdin), got --ids");
  if (args.system !== undefined && !isChat(args)) throw new UsageError("--system: expected with --chat only");
  if (args.ids !== undefined) return parseIds(args.ids, "--ids");
  if (args.prompt === "") throw new UsageError('--prompt: expected one or more characters, got ""');
  if (args.prompt !== undefined) return args.prompt;
  if (terminal.stdin.isTTY) throw new UsageError("expected a prompt: --prompt, --ids, or text on stdin");
  const text = (await readStdin(terminal)).replace(/\r?\n$/, "");
  if (text === "") throw new UsageError("expected a prompt: --prompt, --ids, or text on stdin");
  return text;
}

/** Encodes a prompt. If `system` is not undefined, the prompt is a user's message in the chat format. */
async function encode(model: MiniMaxM1, prompt: string, system: string | undefined): Promise<number[]> {
  const tokenizer = model.tokenizer!;
  if (system === undefined) return tokenizer.encode(prompt);
  const messages: ChatMessage[] = [{ role: "user", content: prompt }];
  if (system !== "") messages.unshift({ role: "system", content: system });
  return tokenizer.encode(await model.formatChat(messages));
}
