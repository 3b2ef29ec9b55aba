import { readFile } from "node:fs/promises";
import { ConfigError, type Graph, graph, inspectCheckpoint, presets } from "../index.js";
import { whyUnread } from "./terminal.js";

type Options = Parameters<typeof inspectCheckpoint>[1];

/** The graph of a preset, a `config.json` or a checkpoint's configuration. */
export async function readGraph(source: string, options: Options): Promise<Graph> {
  if (Object.hasOwn(presets, source)) return graph(presets[source]!);
  return source.endsWith(".json") ? readConfig(source, options) : (await inspectCheckpoint(source, options)).graph;
}

/** The graph of a configuration by itself, which is read as that of a checkpoint: one without weights. */
export async function readConfig(path: string, options: Options): Promise<Graph> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new ConfigError(`${path}: expected a config.json, got ${whyUnread(cause)}`, { cause });
  });
  const noWeights = new TextEncoder().encode('{"weight_map": {}}');
  const files = { "config.json": bytes, "model.safetensors.index.json": noWeights };
  return (await inspectCheckpoint(files, options)).graph;
}
