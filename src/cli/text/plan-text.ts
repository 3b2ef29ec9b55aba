import {
  CHAT_TEMPLATE,
  type DecodeRate,
  type Deployment,
  type DeploymentOption,
  type DeviceMemory,
  type EngineOptions,
  LLAMA_CPP_VERSION,
  type LlamaCppDeployment,
  llamaServerCommand,
  rayRecipe,
  serveCommand,
  VLLM_IMAGE,
} from "../../analysis/index.js";
import { formatBytes } from "../../index.js";
import { bytes, count, labelledLines, table } from "./tables.js";
import { type Colours, visible } from "./terminal.js";

/** Formats a plan for vLLM as text of at most 80 columns. Long names may exceed them. */
export function vllmText(source: string, plan: Deployment, { bold, dim }: Colours): string {
  const { gpu, tensorParallel, replicas, nodesPerReplica, sequences, context, memory, usableBytes, cacheTokens, decode, notes } = plan;
  const spread = nodesPerReplica > 1 ? ` on ${nodesPerReplica} nodes` : "";
  return sectionsText(bold(visible(source)), [
    labelledLines([
      ["replicas", `${count(replicas)}, each of ${count(tensorParallel)} × ${gpu.name}${spread} that share every layer (tensor parallel)`],
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
        ["forward pass", `${bytes(memory.activationBytes)}, estimated`],
        ["total", bold(bytes(memory.totalBytes))],
        ["may be used", bytes(usableBytes)],
        ["room for", `${count(cacheTokens)} tokens of all sequences of a replica`],
      ]),
    ],
    ...rateLines(decode, dim, "--bandwidth"),
    ...noteLines(notes),
    ...(nodesPerReplica > 1
      ? rayRecipe(plan).map(({ where, command }) => [dim(`${where}, in the image ${VLLM_IMAGE}`), ...shellLines(command)])
      : [[dim(`in the image ${VLLM_IMAGE}${replicas > 1 ? ", for each replica" : ""}`), ...shellLines(serveCommand(plan))]]),
    [
      dim("tool calls need vLLM's chat template, which the image has; elsewhere, name"),
      dim(`examples/${CHAT_TEMPLATE.split("/").at(-1)} of vLLM's sources`),
    ],
  ]);
}

/** Formats a plan for llama.cpp as text of at most 80 columns. Long names may exceed them. */
export function llamaCppText(source: string, plan: LlamaCppDeployment, { bold, dim }: Colours): string {
  const { gpu, gpuMemory, hostMemory, unified, gpuLayers, cpuExpertLayers, layersPerGpu, sequences, context, decode, notes } = plan;
  const fullest = gpuMemory.reduce<DeviceMemory | undefined>(
    (most, one) => (most && most.totalBytes >= one.totalBytes ? most : one),
    undefined,
  );
  const where = unified
    ? "all layers in unified memory"
    : !gpu
      ? "all layers in the memory of the host"
      : `${gpuLayers === 1 ? "the head" : `${count(gpuLayers)} layers, with the head,`} on ${gpuMemory.length} × ${gpu.name}${layersPerGpu.length > 1 ? ` (${layersPerGpu.join(", ")})` : ""}`;
  const experts =
    cpuExpertLayers > 0 ? `, without the experts of the first ${count(cpuExpertLayers)}, which lie in the memory of the host` : "";
  return sectionsText(bold(visible(source)), [
    labelledLines([
      ["engine", `llama.cpp ${LLAMA_CPP_VERSION} (b10437 or later)`],
      ["layers", `${where}${experts}`],
      ["sequences", `${count(sequences)} at a time, of up to ${count(context)} tokens`],
      ["precision", `weights in ${plan.weights}, keys and values in ${plan.kv}, states in float32`],
    ]),
    ...(fullest
      ? [deviceLines(unified ? "memory of the machine" : gpuMemory.length > 1 ? "memory of the fullest GPU" : "memory of the GPU", fullest)]
      : []),
    ...(hostMemory ? [deviceLines("memory of the host", hostMemory)] : []),
    ...rateLines(decode, dim, cpuExpertLayers > 0 || !gpu ? "--ram-bandwidth" : "--bandwidth"),
    ...noteLines(notes),
    shellLines(llamaServerCommand(plan)),
  ]);

  function deviceLines(title: string, device: DeviceMemory): string[] {
    return [
      dim(title),
      ...labelledLines([
        ["weights", bytes(device.weightsBytes)],
        ...(device.keyValueBytes > 0 ? [["keys, values", bytes(device.keyValueBytes)] as const] : []),
        ...(device.stateBytes > 0
          ? [["lightning states", `${bytes(device.stateBytes)}${device === hostMemory && gpu ? ", as checkpoints" : ""}`] as const]
          : []),
        ...(device.activationBytes > 0 ? [["forward pass", `${bytes(device.activationBytes)}, estimated`] as const] : []),
        ["total", bold(bytes(device.totalBytes))],
        ...(device.usableBytes === undefined ? [] : [["may be used", bytes(device.usableBytes)] as const]),
      ]),
    ];
  }
}

/** What options were asked for. */
export interface OptionsRequest {
  readonly precision: string;
  readonly context: number;
  readonly concurrency: number;
  /** Returns the command line that plans an option, which has GPUs only. */
  readonly commandOf: (engine: string, gpuName: string, gpusPerNode: number, nodes: number) => string;
}

/** Formats the smallest options of each engine as text of at most 80 columns. */
export function optionsText(
  source: string,
  found: readonly EngineOptions[],
  { precision, context, concurrency, commandOf }: OptionsRequest,
  { bold, dim }: Colours,
): string {
  const wanted = `${count(context)} tokens of context, ${count(concurrency)} sequence${concurrency === 1 ? "" : "s"} at a time, weights in ${precision}`;
  const [example] = found
    .flatMap(({ engine, options }) => options.flatMap((option) => (option.hardware === "gpus" ? [{ engine: engine.name, ...option }] : [])))
    .sort((a, b) => a.gpuCount - b.gpuCount);
  const sections = found.map(({ engine, weights, options, unsupported }) => {
    const title = bold(`${engine.name}${engine.version ? ` ${engine.version}` : ""}`);
    if (unsupported)
      return [
        title,
        ...labelledLines([
          ["none", unsupported.reason],
          ["instead", unsupported.remedy],
        ]),
      ];
    if (options.length === 0) return [title, ...labelledLines([["none", `nothing that was tried holds ${weights} with these needs`]])];
    const rows = options.map((option) => [hardwareOf(option), formatBytes(memoryOf(option)), ...rateCells(option.plan.decode)]);
    return [
      title,
      ...labelledLines([["weights", weights!]]),
      ...table([["smallest hardware", "used of each", "alone", "together"], ...rows], dim, 2),
    ];
  });
  return sectionsText(bold(visible(source)), [
    labelledLines([["needs", wanted]]),
    ...sections,
    [
      dim("alone, together: tokens/s of one sequence, and of all together, at the end of"),
      dim("the context. Estimated from memory bandwidth, an upper bound; –: not known."),
    ],
    ...(example
      ? [
          [
            dim("the memory and the command of an option, for example"),
            ...shellLines(commandOf(example.engine, example.gpu!.name, example.gpuCount / example.nodes, example.nodes)),
          ],
        ]
      : []),
  ]);
}

function hardwareOf({ hardware, gpu, gpuCount, nodes, memoryBytes }: DeploymentOption): string {
  const size = memoryBytes === undefined ? "" : formatBytes(memoryBytes);
  switch (hardware) {
    case "gpus":
      return `${gpuCount} × ${gpu!.name}${nodes > 1 ? ` on ${nodes} nodes` : ""}`;
    case "gpu+host":
      return `1 × ${gpu!.name} + host memory ${size}`;
    case "unified":
      return `unified memory ${size}`;
    case "host":
      return `CPU, host memory ${size}`;
  }
}

/** Returns the memory that the fullest device uses. */
function memoryOf({ plan }: DeploymentOption): number {
  if ("memory" in plan) return plan.memory.totalBytes;
  return Math.max(
    ...[...plan.gpuMemory, ...(plan.gpuMemory.length === 0 && plan.hostMemory ? [plan.hostMemory] : [])].map((one) => one.totalBytes),
  );
}

const rateCells = (decode: DecodeRate | undefined) => (decode ? [perSecond(decode.alone), perSecond(decode.together)] : ["–", "–"]);
const perSecond = (rate: number) => count(Number(rate.toPrecision(2)));

function rateLines(decode: DecodeRate | undefined, dim: Colours["dim"], missing: string): string[][] {
  if (!decode) return [[dim(`no estimate of tokens/s: give ${missing}`)]];
  return [
    [
      dim("decoding at the end of the context: estimated from memory bandwidth, at most"),
      ...labelledLines([
        ["alone", `${perSecond(decode.alone)} tokens/s for one sequence`],
        ["together", `${perSecond(decode.together)} tokens/s for all sequences of a server`],
      ]),
    ],
  ];
}

const noteLines = (notes: readonly string[]) => (notes.length > 0 ? [labelledLines(notes.map((note) => ["note", note] as const))] : []);

function sectionsText(title: string, sections: readonly (readonly string[])[]): string {
  return `${title}\n\n${sections.map((lines) => lines.map((line) => `  ${line}\n`).join("")).join("\n")}`;
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
