import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { defineCommand } from "citty";
import {
  CHAT_TEMPLATE,
  type Deployment,
  DeploymentError,
  gpus,
  kubernetesManifest,
  planDeployment,
  rayRecipe,
  serveCommand,
  VLLM_IMAGE,
} from "../../analysis/index.js";
import { maskUrls, presets } from "../../index.js";
import { BUNDLED_MODEL, describedModel, PUBLISHED_MODEL, readGraph } from "../inputs/model-graph.js";
import { commonOptions, numberOption, positiveInteger, UsageError } from "../options.js";
import { bytes, count, labelledLines } from "../text/tables.js";
import { type Colours, type Terminal, visible } from "../text/terminal.js";

/** Plans how vLLM serves a model on given GPUs. It only computes the plan and starts no server. */
export const plan = defineCommand({
  meta: { name: "plan", description: "Plan a deployment with vLLM: parallelism, memory, commands, manifests" },
  args: {
    source: describedModel,
    gpu: { type: "enum", options: gpus.map(({ name }) => name), description: "Kind of GPU (default: H800)" },
    "gpus-per-node": { type: "string", valueHint: "n", description: "GPUs per node (default: 8)" },
    nodes: { type: "string", valueHint: "n", description: "Number of nodes (default: 1)" },
    context: { type: "string", valueHint: "n", description: "Maximum tokens per sequence (default: 131072)" },
    concurrency: { type: "string", valueHint: "n", description: "Number of simultaneous sequences (default: 1)" },
    weights: { type: "enum", options: ["experts_int8", "bf16"], description: "Format of the weights (default: experts_int8)" },
    kv: { type: "enum", options: ["bf16", "fp8"], description: "Format of keys and values (default: bf16)" },
    utilization: { type: "string", valueHint: "x", description: "Share of a GPU's memory for vLLM (default: 0.95)" },
    "pass-tokens": { type: "string", valueHint: "n", description: "Maximum tokens per forward pass (default: 8192)" },
    "expert-parallel": { type: "boolean", description: "Put whole experts on each GPU" },
    served: { type: "string", valueHint: "id|path", description: "Model that vLLM loads (default: the checkpoint)" },
    kubernetes: { type: "boolean", description: "Print manifests for kubectl apply -f -" },
    json: { type: "boolean", description: "Print JSON with exact numbers of bytes" },
    ...commonOptions,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    if (args.json && args.kubernetes) throw new UsageError("--json, --kubernetes: expected one of them");
    const source = args.source ?? PUBLISHED_MODEL;
    const target = {
      gpu: args.gpu,
      gpusPerNode: numberOption(args, "gpus-per-node", positiveInteger),
      nodes: numberOption(args, "nodes", positiveInteger),
      context: numberOption(args, "context", positiveInteger),
      concurrency: numberOption(args, "concurrency", positiveInteger),
      weights: args.weights,
      kv: args.kv,
      utilization: numberOption(args, "utilization", ["a number within (0, 1]", (x) => x > 0 && x <= 1]),
      passTokens: numberOption(args, "pass-tokens", positiveInteger),
      expertParallel: args["expert-parallel"],
      served: args.served ?? servedBy(source),
    };
    const onWarning = (message: string) => terminal.note(`${terminal.err.yellow("warning:")} ${visible(message)}`);
    const { graph } = await readGraph(source, { signal: terminal.signal, onWarning });
    try {
      const found = planDeployment(graph, target);
      if (args.kubernetes) {
        for (const note of found.notes) terminal.note(`${terminal.err.yellow("note:")} ${note}`);
        await terminal.print(kubernetesManifest(found));
      } else if (args.json) {
        const ray = found.nodesPerReplica > 1 ? rayRecipe(found) : undefined;
        await terminal.print(`${JSON.stringify({ fits: true, ...found, command: serveCommand(found), ray }, null, 2)}\n`);
      } else await terminal.print(deploymentText(maskUrls(source), found, terminal.out));
    } catch (error) {
      if (args.json && error instanceof DeploymentError) {
        await terminal.print(`${JSON.stringify({ fits: false, remedies: error.remedies }, null, 2)}\n`);
      }
      throw error;
    }
  },
});

/** Returns the model that vLLM loads by default: a directory or a hub id, or undefined for the published checkpoint. */
function servedBy(source: string): string | undefined {
  if (source === PUBLISHED_MODEL) return undefined;
  if (Object.hasOwn(presets, source) || source === BUNDLED_MODEL)
    throw new UsageError(`--served: expected a checkpoint's path or hub id, got none (${source} is not published)`);
  if (source.endsWith(".json")) return dirname(resolve(source));
  return existsSync(source) ? resolve(source) : maskUrls(source);
}

/** Formats a plan as text of at most 80 columns. Long names may exceed them. */
function deploymentText(source: string, plan: Deployment, { bold, dim }: Colours): string {
  const { gpu, tensorParallel, replicas, nodesPerReplica, sequences, context, memory, usableBytes, cacheTokens, notes } = plan;
  const spread = nodesPerReplica > 1 ? ` on ${nodesPerReplica} nodes` : "";
  const sections = [
    labelledLines([
      ["replicas", `${count(replicas)}, each of ${count(tensorParallel)} ${gpu.name}${spread} that share every layer (tensor parallel)`],
      ["sequences", `${count(sequences)} at a time in each, of up to ${count(context)} tokens`],
      ["precision", `weights in ${plan.weights}, keys and values in ${plan.kv}, states and head in float32`],
    ]),
    [
      dim("memory of each GPU"),
      ...labelledLines([
        ["weights", bytes(memory.weightsBytes)],
        ["keys, values", bytes(memory.keyValueBytes)],
        ["lightning states", bytes(memory.stateBytes)],
        ["rotary table", bytes(memory.rotaryBytes)],
        ["forward pass, estimated", bytes(memory.activationBytes)],
        ["total", bold(bytes(memory.totalBytes))],
        ["may be used", bytes(usableBytes)],
        ["room for", `${count(cacheTokens)} tokens of all sequences of a replica`],
      ]),
    ],
    ...(notes.length > 0 ? [labelledLines(notes.map((note) => ["note", note] as const))] : []),
    ...(nodesPerReplica > 1
      ? rayRecipe(plan).map(({ where, command }) => [dim(`${where}, in the image ${VLLM_IMAGE}`), ...shellLines(command)])
      : [[dim(`in the image ${VLLM_IMAGE}${replicas > 1 ? ", for each replica" : ""}`), ...shellLines(serveCommand(plan))]]),
    [
      dim("tool calls need vLLM's chat template, which the image has; elsewhere, name"),
      dim(`examples/${CHAT_TEMPLATE.split("/").at(-1)} of vLLM's sources`),
    ],
  ];
  return `${bold(visible(source))}\n\n${sections.map((lines) => lines.map((line) => `  ${line}\n`).join("")).join("\n")}`;
}

/** Splits a command into lines of at most about 70 columns that end in backslashes, as shells accept. */
function shellLines(command: string): string[] {
  const lines: string[] = [];
  for (const word of command.split(/ (?=--|\/|vllm|ray|export)/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > 70) lines.push(last === undefined ? word : `  ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map((line, i) => (i < lines.length - 1 ? `${line} \\` : line));
}
