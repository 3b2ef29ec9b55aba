// Serves environments over OpenEnv's interface until a signal ends it.

import { listen } from "../../node-entry/listen.js";
import { OpenEnvServer, type ServedEnvironment } from "../../serve/index.js";
import { estimateTokens, KNOWN_ENVIRONMENTS, loadEnvironment } from "../inputs/environments.js";
import { chooseRows, LENGTHS } from "../inputs/evaluation-rows.js";
import { listOption, numberOption, positiveInteger, UsageError } from "../options.js";
import { CommandEnded, type Terminal, visible } from "../text/terminal.js";
import { isLoopback, origins, untilStopped } from "./serving.js";

/** Number of generated rows, if `--count` does not say how many. */
const DEFAULT_COUNT = 100;
const DEFAULT_LENGTHS = [1000];

/** Serves environments by name until Ctrl-C or SIGTERM. @throws {UsageError} invalid options */
export async function serveEnvironments(
  names: readonly string[],
  args: Readonly<Record<string, unknown>>,
  rawArgs: readonly string[],
  terminal: Terminal,
): Promise<void> {
  const { err, env } = terminal;
  const parent = process.ppid;
  const port = numberOption(args, "port", ["an integer within [0, 65535]", (x) => Number.isInteger(x) && x >= 0 && x < 65536]) ?? 8000;
  const host = (args.host as string | undefined) ?? "127.0.0.1";
  const apiKey = (args["api-key"] as string | undefined) ?? env.LIGHTNING_M1_API_KEY;
  if (apiKey !== undefined && !/^\S+$/.test(apiKey)) throw new UsageError("--api-key: expected characters without spaces");
  const graceMs = 1000 * (numberOption(args, "grace", ["a number of seconds above 0", (x) => x > 0]) ?? 30);
  const maxEpisodes = numberOption(args, "max-episodes", positiveInteger);
  const maxTurns = numberOption(args, "max-turns", positiveInteger);
  const file = args.rows as string | undefined;
  if (file !== undefined && names.length > 1) throw new UsageError("--rows: expected with one environment, got several");
  const lengths = listOption(args, "lengths", LENGTHS);
  const count = numberOption(args, "count", positiveInteger);
  const seed = numberOption(args, "seed", ["an integer within [0, 2^32)", (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32]) ?? 1;
  const cors = origins(rawArgs);
  const served: ServedEnvironment[] = [];
  for (const name of names) {
    // The answers of served tasks may be anywhere.
    const known = { ...(await loadEnvironment(name)), hasDepth: false };
    const isGenerated = known.generate !== undefined && file === undefined;
    const choice = {
      ...{ name, file, depths: undefined, seed, countTokens: estimateTokens, contextLength: undefined },
      lengths: isGenerated ? (lengths ?? DEFAULT_LENGTHS) : names.length > 1 ? undefined : lengths,
      count: isGenerated ? (count ?? DEFAULT_COUNT) : count,
    };
    const { rows } = await chooseRows(known, choice, terminal);
    served.push({ environment: known.environment, rows: rows.map(({ data }) => data), description: KNOWN_ENVIRONMENTS[name]!.summary });
  }
  const server = new OpenEnvServer(served, {
    ...{ apiKey, cors, maxEpisodes, maxTurns },
    hosts: isLoopback(host) ? ["localhost", "127.0.0.1", "[::1]", host] : undefined,
    onError: (error) => terminal.note(`${err.red("error:")} ${visible(error instanceof Error ? (error.stack ?? "") : `${error}`)}`),
  });
  const listening = await listen(server, { port, host });
  const total = served.map(({ environment, rows }) => `${environment.name} (${rows.length} rows)`).join(", ");
  terminal.note(`${listening.url} ${err.dim(`serves ${total}; Ctrl-C stops`)}`);
  if (apiKey === undefined && !isLoopback(host)) {
    terminal.note(
      `${err.yellow("warning:")} ${host}: everybody who can reach this address can send requests (set --api-key, or --host 127.0.0.1)`,
    );
  }
  if (args.json) await terminal.print(`${JSON.stringify({ url: listening.url, port: listening.port })}\n`);
  await untilStopped(terminal, parent);
  terminal.note(err.dim("stopping: running episodes may finish (Ctrl-C again stops at once)"));
  await listening.close(graceMs);
  throw new CommandEnded(0);
}
