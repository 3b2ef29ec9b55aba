import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, ConfigError, type Graph, graph, inspectCheckpoint, maskUrls, presets } from "../../index.js";
import { describeReadError } from "../../node/regular-file.js";

/** Maximum size of a configuration file, as in a checkpoint. */
const MAX_CONFIG_BYTES = 1 << 28;

type ReadOptions = Parameters<typeof inspectCheckpoint>[1];

/** The default model of commands that describe a model. */
export const PUBLISHED_MODEL = "minimax-m1";
/** The name of the bundled model in these commands. */
export const BUNDLED_MODEL = "m1-puzzles";

/**
 * The model argument of commands that describe a model and load no weights. Their default is the published model. Commands that compute
 * with a model (`loadingArguments`) default to the bundled model.
 */
export const describedModel = {
  type: "positional",
  required: false,
  description: `${PUBLISHED_MODEL} (default), hypenet-2b, tiny-m1, ${BUNDLED_MODEL}, config.json or checkpoint`,
} as const;

/**
 * Reads the graph of the model that a command names: a preset, the bundled model, a `config.json`, a directory with one, a
 * checkpoint or a hub id. No weights are read.
 *
 * @throws {ConfigError} a missing or inconsistent configuration
 */
export async function readGraph(source: string, options: ReadOptions): Promise<{ name: string; graph: Graph }> {
  if (source === BUNDLED_MODEL) {
    const { files } = await import("lightning-m1/model");
    return { name: source, graph: await readConfig(files.get("config.json")!, options) };
  }
  if (Object.hasOwn(presets, source)) return { name: source, graph: graph(presets[source]!) };
  const directory = await stat(source).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (directory) return { name: source, graph: await readConfig(join(source, "config.json"), options) };
  if (source.endsWith(".json")) return { name: source, graph: await readConfig(source, options) };
  return { name: maskUrls(source), graph: (await inspectCheckpoint(source, options)).graph };
}

/** Reads the graph of a `config.json` file. */
export async function readConfig(path: string | URL, options: ReadOptions): Promise<Graph> {
  // Pipes and devices are refused, because reading them may block or never end.
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isDirectory() && !found.isFile())
    throw new ConfigError(`${path}: expected a config.json, got something other than a regular file`);
  if (found && found.size > MAX_CONFIG_BYTES)
    throw new ConfigError(`${path}: expected a config.json of at most ${MAX_CONFIG_BYTES} bytes, got ${found.size} bytes`);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new ConfigError(`${path}: expected a config.json, got ${describeReadError(cause)}`, { cause });
  });
  return graphOfConfig(`${path}`, bytes, options);
}

/** Reads a configuration as a checkpoint without weights, so that the same code checks both. Errors begin with the path. */
async function graphOfConfig(path: string, bytes: Uint8Array<ArrayBuffer>, options: ReadOptions): Promise<Graph> {
  const noWeights = new TextEncoder().encode('{"weight_map": {}}');
  const files = { "config.json": bytes, "model.safetensors.index.json": noWeights };
  try {
    return (await inspectCheckpoint(files, options)).graph;
  } catch (cause) {
    if (!(cause instanceof CheckpointError || cause instanceof ConfigError)) throw cause;
    const message = `${path}: ${cause.message.replace(/^config(\.json)?: /, "")}`;
    throw cause instanceof ConfigError ? new ConfigError(message, { cause }) : new CheckpointError(message, { cause });
  }
}
