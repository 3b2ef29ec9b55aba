import { inspectCheckpoint, MiniMaxM1, maskUrls } from "../../index.js";
import { loadingOptions, UsageError } from "../options.js";
import { openProgress } from "../text/loading-progress.js";
import { type Terminal, visible } from "../text/terminal.js";

/** Loads the model that the arguments name, with progress and a summary on stderr. */
export async function loadModel(args: Readonly<Record<string, unknown>>, terminal: Terminal): Promise<MiniMaxM1> {
  const { err, signal } = terminal;
  const source = args.source as string | undefined;
  const progress = openProgress(terminal, "loading");
  const begin = performance.now();
  try {
    const model = await MiniMaxM1.load(source, {
      ...loadingOptions(args),
      signal,
      onProgress: (loaded) => progress.update(loaded),
      onWarning: (message) => terminal.note(`${err.yellow("warning:")} ${visible(message)}`),
    });
    progress.stop();
    const seconds = ((performance.now() - begin) / 1000).toFixed(2);
    terminal.note(
      err.dim(
        `${maskUrls(source ?? "the bundled model")}: ${model.parameters.toLocaleString("en-US")} parameters, ${model.build} kernels on ${model.threads} thread${model.threads === 1 ? "" : "s"}, loaded in ${seconds} s`,
      ),
    );
    return model;
  } finally {
    progress.stop();
  }
}

/** Checks that the checkpoint has a tokenizer, before weights are loaded. @throws {UsageError} with `message`, if there is no tokenizer */
export async function requireTokenizer(args: Readonly<Record<string, unknown>>, { signal }: Terminal, message: string): Promise<void> {
  // The bundled model has a tokenizer.
  if (args.source === undefined) return;
  const { revision, localFilesOnly } = loadingOptions(args);
  const { tokenizer } = await inspectCheckpoint(args.source as string, { revision, localFilesOnly, signal });
  if (!tokenizer) throw new UsageError(message);
}
