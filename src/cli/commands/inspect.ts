import { defineCommand } from "citty";
import { type CheckpointInspection, graph, inspectCheckpoint, MiniMaxM1, maskUrls, presets } from "../../index.js";
import { BUNDLED_MODEL, describedModel, PUBLISHED_MODEL, readConfig } from "../inputs/model-graph.js";
import { commonOptions, UsageError } from "../options.js";
import { measureAccuracy } from "../reports/accuracy.js";
import { type ModelSummary, summarizeModel } from "../reports/model-summary.js";
import { modelSummaryText } from "../text/model-summary-text.js";
import { type Terminal, visible } from "../text/terminal.js";

/** Prints the structure of a model. Reads headers only; `--accuracy` loads the weights. */
export const inspect = defineCommand({
  meta: { name: "inspect", description: "Print the structure of a model" },
  args: {
    source: describedModel,
    slopes: { type: "boolean", description: "Print the decay slopes of every head" },
    accuracy: { type: "boolean", description: "Load the model; measure errors of narrower weights, keys and values" },
    json: { type: "boolean", description: "Print JSON with exact numbers" },
    revision: { type: "string", valueHint: "name", description: "Branch, tag or commit of a hub id" },
    "local-files-only": { type: "boolean", description: "Use hub files in the cache only" },
    ...commonOptions,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const onWarning = (message: string) => terminal.note(`${terminal.err.yellow("warning:")} ${visible(message)}`);
    const { summary, fault } = await read();
    await terminal.print(args.json ? `${JSON.stringify(summary, null, 2)}\n` : modelSummaryText(summary, terminal.out));
    if (fault) throw fault;

    async function read(): Promise<{ summary: ModelSummary; fault?: CheckpointInspection["fault"] }> {
      const { source = PUBLISHED_MODEL, slopes = false, accuracy = false } = args;
      if (accuracy && (Object.hasOwn(presets, source) || source.endsWith(".json"))) {
        throw new UsageError(`--accuracy: expected a checkpoint, got ${JSON.stringify(source)}, which has no weights`);
      }
      if (Object.hasOwn(presets, source)) return { summary: summarizeModel(source, graph(presets[source]!), slopes) };
      const options = { revision: args.revision, localFilesOnly: args["local-files-only"], signal: terminal.signal, onWarning };
      if (source.endsWith(".json")) return { summary: summarizeModel(source, await readConfig(source, options), slopes) };
      const bundled = source === BUNDLED_MODEL;
      const files = bundled ? (await import("lightning-m1/model")).files : source;
      const { graph: model, fault, ...checkpoint } = await inspectCheckpoint(files, options);
      const summary = { ...summarizeModel(maskUrls(source), model, slopes), checkpoint: { ...checkpoint, fault: fault?.message } };
      if (fault || !accuracy) return { summary, fault };
      const load = (precision: object) => MiniMaxM1.load(bundled ? undefined : source, { ...options, ...precision });
      return { summary: { ...summary, accuracy: await measureAccuracy(load, terminal.signal) } };
    }
  },
});
