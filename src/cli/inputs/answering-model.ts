import { InputError, type LanguageModel } from "../../index.js";
import type { Solver } from "../../rl/evaluation/evaluate.js";
import type { Terminal } from "../text/terminal.js";
import { loadModel, requireTokenizer } from "./load-model.js";

/** A model that answers questions, and its name in results. */
export interface AnsweringModel extends Disposable {
  readonly solver: Solver & LanguageModel;
  readonly name: string;
  /** Number of tokens of its context. Undefined if the server does not tell it. */
  readonly contextLength: number | undefined;
}

/** Returns whether a model argument is the address of a server, which is an HTTP address whose path ends in `/v1` or `/v1/`. */
export function isServer(model: string | undefined): boolean {
  return model !== undefined && /^https?:\/\/[^?#]*\/v1\/?$/.test(model);
}

/**
 * Loads a checkpoint, or connects to a server with OpenAI's HTTP interface. The key of the server comes from the environment variable
 * LIGHTNING_M1_API_KEY, so that it does not appear in the list of processes.
 */
export async function openAnsweringModel(
  args: Readonly<Record<string, unknown>>,
  terminal: Terminal,
  command = "tasks eval",
): Promise<AnsweringModel> {
  const source = args.model as string | undefined;
  if (!isServer(source)) {
    const given = { ...args, source };
    const web = /^https?:/.test(source ?? "");
    await requireTokenizer(given, terminal, `${command}: expected a checkpoint with a tokenizer, got one without`).catch((cause: Error) => {
      // The most likely mistake is the address of a server without its path.
      throw web ? new InputError(`${cause.message} (or, if this is a server: its address ends in /v1)`, { cause }) : cause;
    });
    const model = await loadModel(given, terminal);
    return {
      solver: model,
      name: source ?? "m1-puzzles",
      contextLength: model.config.maxPositionEmbeddings,
      [Symbol.dispose]: () => model.dispose(),
    };
  }
  const { RemoteModel } = await import("../../remote/index.js");
  const { LIGHTNING_M1_API_KEY: apiKey } = terminal.env;
  const model = await RemoteModel.connect(source!, {
    signal: terminal.signal,
    ...(apiKey && { apiKey }),
    ...(args.name !== undefined && { model: args.name as string }),
    // Enough for all responses that `--concurrency` allows at the same time.
    ...(args.concurrency !== undefined && { concurrency: Number(args.concurrency) }),
  });
  return { solver: model, name: model.name, contextLength: model.contextLength, [Symbol.dispose]: () => model.dispose() };
}
