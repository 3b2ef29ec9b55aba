import { stat } from "node:fs/promises";
import { basename, isAbsolute } from "node:path";
import { defineCommand } from "citty";
import { exportGguf, type GgufDType, maskUrls } from "../../index.js";
import { commonOptions, UsageError } from "../options.js";
import { openProgress, type ProgressView } from "../text/loading-progress.js";
import { type Terminal, visible } from "../text/terminal.js";

/** Converts a checkpoint to another format. Prints the file and how to run it on stdout. */
export const exportModel = defineCommand({
  meta: { name: "export", description: "Convert a checkpoint to a GGUF file, for llama.cpp" },
  args: {
    source: {
      type: "positional",
      description: "Directory, .safetensors file, URL or hub id (default: the bundled model)",
      required: false,
    },
    gguf: { type: "string", valueHint: "file.gguf", description: "File to write (required); an earlier file is replaced" },
    dtype: { type: "enum", options: ["f32", "f16", "bf16", "q8_0"], description: "Precision of matrices (default: as stored)" },
    revision: { type: "string", valueHint: "name", description: "Branch, tag or commit of a hub id" },
    "local-files-only": { type: "boolean", description: "Use hub files in the cache only" },
    ...commonOptions,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const { err, signal } = terminal;
    const { source, gguf: path, dtype } = args;
    if (path === undefined) throw new UsageError("--gguf: expected the file to write, got none");
    if (!/[^\\/]\.gguf$/i.test(path)) throw new UsageError(`--gguf: expected a name that ends with .gguf, got ${JSON.stringify(path)}`);
    let view: { readonly phase: string; readonly progress: ProgressView } | undefined;
    const begin = performance.now();
    try {
      await exportGguf(source, path, {
        dtype: dtype as GgufDType | undefined,
        revision: args.revision,
        localFilesOnly: args["local-files-only"],
        signal,
        onWarning: (message) => terminal.note(`${err.yellow("warning:")} ${visible(message)}`),
        onProgress: ({ phase, doneBytes, totalBytes, fraction }) => {
          if (view?.phase !== phase) {
            view?.progress.stop();
            view = { phase, progress: openProgress(terminal, phase === "write" ? "writing" : "downloading") };
          }
          view.progress.update({ loadedBytes: doneBytes, totalBytes, fraction });
        },
      });
    } finally {
      view?.progress.stop();
    }
    const seconds = ((performance.now() - begin) / 1000).toFixed(2);
    terminal.note(err.dim(`${maskUrls(source ?? "the bundled model")}: converted in ${seconds} s`));
    const { size } = await stat(path);
    const name = basename(path).replace(/\.gguf$/i, "");
    const file = shellQuoted(path);
    await terminal.print(
      [
        `${path}: ${(size / 2 ** 20).toFixed(1)} MiB`,
        `llama-server -m ${file}`,
        `printf 'FROM %s\\n' ${isAbsolute(path) ? file : shellQuoted(`./${path.replace(/^\.\//, "")}`)} > Modelfile && ollama create ${shellQuoted(name)} -f Modelfile && ollama run ${shellQuoted(name)}`,
        "",
      ].join("\n"),
    );
  },
});

/** Quotes a word for a shell, if it has characters with a meaning there. */
function shellQuoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
