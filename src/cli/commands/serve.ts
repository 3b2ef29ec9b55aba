import { basename } from "node:path";
import { defineCommand } from "citty";
import { maskUrls } from "../../index.js";
import { listen } from "../../node-entry/listen.js";
import { Server } from "../../serve/index.js";
import { loadModel } from "../inputs/load-model.js";
import { commonOptions, loadingArguments, numberOption, sizeOption, UsageError } from "../options.js";
import { isLoopback, origins, untilStopped } from "../runs/serving.js";
import { CommandEnded, type Terminal, visible } from "../text/terminal.js";

const positiveInteger = ["an integer of at least 1", (x: number) => Number.isSafeInteger(x) && x >= 1] as const;
const nonNegativeInteger = ["an integer of at least 0", (x: number) => Number.isSafeInteger(x) && x >= 0] as const;
const secondsRange = ["a number of seconds above 0", (x: number) => x > 0] as const;

/** Serves a model over OpenAI's HTTP interface until Ctrl-C or SIGTERM. */
export const serve = defineCommand({
  meta: { name: "serve", description: "Serve a model over HTTP with OpenAI's interface" },
  args: {
    ...loadingArguments,
    port: { type: "string", valueHint: "n", description: "Port (default: 8000; 0: any free port)" },
    host: { type: "string", valueHint: "address", description: "Address to listen on (default: 127.0.0.1, only this machine)" },
    name: { type: "string", valueHint: "text", description: "Name of the model in requests" },
    "api-key": { type: "string", valueHint: "key", description: "Accepted bearer token (default: LIGHTNING_M1_API_KEY)" },
    cors: { type: "string", valueHint: "origin", description: "Allow pages of this origin (repeatable; * for all)" },
    "max-batch": { type: "string", valueHint: "n", description: "Maximum number of sequences in the batch (default: 32)" },
    "max-queue": { type: "string", valueHint: "n", description: "Maximum number of waiting requests (default: 128)" },
    "max-tokens": { type: "string", valueHint: "n", description: "Maximum number of tokens per answer" },
    "max-cache-bytes": { type: "string", valueHint: "size", description: "Maximum memory of running sequences, such as 1GiB" },
    timeout: { type: "string", valueHint: "s", description: "Maximum seconds per request (default: 600)" },
    grace: { type: "string", valueHint: "s", description: "Seconds for running requests after SIGTERM (default: 30)" },
    "trust-templates": { type: "boolean", description: "Accept chat templates in requests" },
    json: { type: "boolean", description: "Print a JSON line on stdout when the server is ready" },
    ...commonOptions,
  },
  async run({ args, rawArgs, data }) {
    const terminal = data as Terminal;
    const { err } = terminal;
    const parent = process.ppid;
    const port = numberOption(args, "port", ["an integer within [0, 65535]", (x) => Number.isInteger(x) && x >= 0 && x < 65536]) ?? 8000;
    const apiKey = args["api-key"] ?? terminal.env.LIGHTNING_M1_API_KEY;
    if (apiKey !== undefined && !/^\S+$/.test(apiKey)) throw new UsageError("--api-key: expected characters without spaces");
    const timeout = numberOption(args, "timeout", secondsRange);
    const graceMs = 1000 * (numberOption(args, "grace", secondsRange) ?? 30);
    const host = args.host ?? "127.0.0.1";
    const options = {
      hosts: isLoopback(host) ? ["localhost", "127.0.0.1", "[::1]", host] : undefined,
      name: args.name ?? (args.source && basename(maskUrls(args.source))),
      apiKey,
      cors: origins(rawArgs),
      maxBatch: numberOption(args, "max-batch", positiveInteger),
      maxQueue: numberOption(args, "max-queue", nonNegativeInteger),
      maxTokens: numberOption(args, "max-tokens", positiveInteger),
      maxCacheBytes: sizeOption(args, "max-cache-bytes"),
      timeoutMs: timeout && Math.ceil(1000 * timeout),
      trustTemplates: args["trust-templates"],
      onError: (error: unknown) =>
        terminal.note(`${err.red("error:")} ${visible(error instanceof Error ? (error.stack ?? "") : `${error}`)}`),
      onRefusedOrigin: (origin: string) => {
        const shown = visible(origin.slice(0, 200).replace(/\s/g, " "));
        terminal.note(`${err.yellow("warning:")} a page of ${shown} was refused (--cors ${shown} allows it)`);
      },
    };
    const model = await loadModel(args, terminal);
    try {
      const listening = await listen(new Server(model, options), { port, host });
      terminal.note(`${listening.url}/v1 ${err.dim("(Ctrl-C stops)")}`);
      if (apiKey === undefined && !isLoopback(host)) {
        terminal.note(
          `${err.yellow("warning:")} ${host}: everybody who can reach this address can send requests (set --api-key, or --host 127.0.0.1)`,
        );
      }
      if (args.json) await terminal.print(`${JSON.stringify({ url: `${listening.url}/v1`, port: listening.port })}\n`);
      await untilStopped(terminal, parent);
      terminal.note(err.dim("stopping: running requests may finish (Ctrl-C again stops at once)"));
      await listening.close(graceMs);
      throw new CommandEnded(0);
    } finally {
      model.dispose();
    }
  },
});
