import { readFile } from "node:fs/promises";
import { defineCommand } from "citty";
import { type CheckpointInspection, ConfigError, graph, inspectCheckpoint, parseConfig, presets } from "../index.js";
import { type Facts, factsOf } from "./facts.js";
import { layout } from "./layout.js";
import { common } from "./options.js";
import { type Terminal, visible } from "./terminal.js";

/** What a model is made of. Reads headers only, never weights. */
export const inspect = defineCommand({
  meta: { name: "inspect", description: "What a model is made of; loads no weights" },
  args: {
    source: {
      type: "positional",
      required: false,
      default: "minimax-m1",
      description: `Preset (${Object.keys(presets).join(", ")}), config.json or checkpoint`,
    },
    slopes: { type: "boolean", description: "Decay slopes of every head" },
    json: { type: "boolean", description: "Machine readable, every number exact" },
    revision: { type: "string", valueHint: "name", description: "Branch, tag or commit of a hub id" },
    "local-files-only": { type: "boolean", description: "Take hub files from the cache only" },
    ...common,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const onWarning = (message: string) => terminal.note(`${terminal.err.yellow("warning:")} ${visible(message)}`);
    const { facts, fault } = await read();
    await terminal.print(args.json ? `${JSON.stringify(facts, null, 2)}\n` : layout(facts, terminal.out));
    if (fault) throw fault;

    async function read(): Promise<{ facts: Facts; fault?: CheckpointInspection["fault"] }> {
      const { source, slopes = false } = args;
      if (Object.hasOwn(presets, source)) return { facts: factsOf(source, graph(presets[source]!), slopes) };
      if (source.endsWith(".json")) return { facts: factsOf(source, graph(parseConfig(await readJson(source), onWarning)), slopes) };
      const options = { revision: args.revision, localFilesOnly: args["local-files-only"], signal: terminal.signal, onWarning };
      const { graph: model, fault, ...checkpoint } = await inspectCheckpoint(source, options);
      return { facts: { ...factsOf(source, model, slopes), checkpoint: { ...checkpoint, fault: fault?.message } }, fault };
    }
  },
});

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`${path}: expected the JSON of a config.json: ${(cause as Error).message}`, { cause });
  }
}
