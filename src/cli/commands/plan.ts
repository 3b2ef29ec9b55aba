import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { defineCommand } from "citty";
import {
  DeploymentError,
  type DeploymentTarget,
  deploymentOptions,
  type Engine,
  engines,
  ggufFormats,
  kubernetesManifest,
  type LlamaCppTarget,
  llamaServerCommand,
  type Precision,
  planDeployment,
  rayRecipe,
  serveCommand,
} from "../../analysis/index.js";
import { type Graph, InputError, maskUrls, presets } from "../../index.js";
import { hardwareArguments, readHardware } from "../inputs/hardware.js";
import { BUNDLED_MODEL, describedModel, PUBLISHED_MODEL, readGraph } from "../inputs/model-graph.js";
import { commonOptions, numberOption, positiveInteger, UsageError } from "../options.js";
import { llamaCppText, optionsText, vllmText } from "../text/plan-text.js";
import { type Terminal, visible } from "../text/terminal.js";

const PRECISIONS: readonly Precision[] = ["bf16", "int8", "fp8", "int4"];
const VLLM_WEIGHTS = ["experts_int8", "bf16"] as const;
/** Options that only one engine has. */
const OWN_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  vllm: ["nodes", "expert-parallel", "kubernetes"],
  "llama.cpp": ["ram", "ram-bandwidth", "unified-memory"],
};
/** Options that need the choice of an engine. */
const ENGINE_OPTIONS = ["gpus-per-node", "nodes", "kv", "pass-tokens", "expert-parallel", "served", "kubernetes", "ram", "unified-memory"];

/** Plans how an engine serves a model on given hardware, or lists the smallest hardware for each engine. Starts no server. */
export const plan = defineCommand({
  meta: { name: "plan", description: "Plan a deployment: hardware, memory, speed, commands, manifests" },
  args: {
    source: describedModel,
    precision: {
      type: "string",
      valueHint: "name",
      description: `${PRECISIONS.join(", ")}: without --engine, compare engines and hardware`,
    },
    engine: { type: "string", valueHint: "name", description: "vllm, llama.cpp (default: the one that the other options fit, or vllm)" },
    context: { type: "string", valueHint: "n", description: "Maximum tokens per sequence, such as 200k (default: 131072)" },
    users: { type: "string", valueHint: "n", description: "Number of simultaneous sequences (default: 1)" },
    concurrency: { type: "string", valueHint: "n", description: "The same as --users" },
    ...hardwareArguments,
    weights: {
      type: "string",
      valueHint: "format",
      description: "vLLM: experts_int8 (default), bf16; llama.cpp: Q4_K_M (default), …",
    },
    kv: { type: "string", valueHint: "format", description: "Keys and values: bf16, fp8 (vLLM); f16, q8_0, q4_0 (llama.cpp)" },
    utilization: { type: "string", valueHint: "x", description: "Share of the memory that may be used (default: 0.95)" },
    "pass-tokens": { type: "string", valueHint: "n", description: "Maximum tokens per forward pass (default: 8192; llama.cpp: 512)" },
    "expert-parallel": { type: "boolean", description: "Put whole experts on each GPU (vLLM)" },
    served: { type: "string", valueHint: "id|path", description: "Model that the server loads (default: the checkpoint)" },
    kubernetes: { type: "boolean", description: "Print manifests for kubectl apply -f - (vLLM)" },
    json: { type: "boolean", description: "Print JSON with exact numbers of bytes" },
    ...commonOptions,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    if (args.json && args.kubernetes) throw new UsageError("--json, --kubernetes: expected one of them");
    if (args.users !== undefined && args.concurrency !== undefined) throw new UsageError("--users, --concurrency: expected one of them");
    const source = args.source ?? PUBLISHED_MODEL;
    const request = readRequest(args);
    const served = args.served ?? (request.engine === "llama.cpp" ? ggufFile(source, request) : request.engine && servedBy(source));
    const onWarning = (message: string) => terminal.note(`${terminal.err.yellow("warning:")} ${visible(message)}`);
    const { graph } = await readGraph(source, { signal: terminal.signal, onWarning });
    try {
      const text = textOf(graph, maskUrls(source), { ...request, served }, args, terminal);
      await terminal.print(text);
    } catch (error) {
      if (args.json && error instanceof DeploymentError) {
        await terminal.print(`${JSON.stringify({ fits: false, remedies: error.remedies }, null, 2)}\n`);
      }
      throw error;
    }
  },
});

type Given = Readonly<Record<string, unknown>>;

/** What a plan is asked for. Without an engine, hardware and engines are compared. */
type Request = ReturnType<typeof readRequest> & { readonly served: string | undefined };

/** Reads the options. @throws {UsageError} invalid values, or options of another engine */
function readRequest(args: Given) {
  const precision = choice(args, "precision", PRECISIONS);
  const named = engineNamed(args);
  const formats = { vllm: VLLM_WEIGHTS, "llama.cpp": ggufFormats, sglang: [] } as const;
  const weights = choice(args, "weights", named ? formats[named] : [...VLLM_WEIGHTS, ...ggufFormats]);
  if (precision && weights) throw new UsageError("--precision, --weights: expected one of them");
  const engine = named ?? engineOf(args, precision, weights);
  const other = engine === "vllm" ? "llama.cpp" : "vllm";
  const misplaced = engine && OWN_OPTIONS[other]!.find((name) => args[name] !== undefined);
  if (misplaced) throw new UsageError(`--${misplaced}: expected with --engine ${other}`);
  if (args["gpus-per-node"] === "0" && args.ram === undefined)
    throw new UsageError("--ram: expected the memory of the host, because there are no GPUs");
  const early = engine === undefined ? ENGINE_OPTIONS.find((name) => args[name] !== undefined) : undefined;
  if (early) throw new UsageError(`--${early}: expected with --engine vllm or --engine llama.cpp`);
  return {
    engine,
    precision,
    weights,
    kv: choice(args, "kv", engine === "llama.cpp" ? ["f16", "q8_0", "q4_0"] : ["bf16", "fp8"]),
    ...readHardware(args),
    gpusPerNode: numberOption(args, "gpus-per-node", engine === "llama.cpp" ? nonNegativeInteger : positiveInteger),
    nodes: numberOption(args, "nodes", positiveInteger),
    context: numberOption(args, "context", positiveInteger),
    concurrency: numberOption(args, args.users === undefined ? "concurrency" : "users", positiveInteger),
    utilization: numberOption(args, "utilization", ["a number within (0, 1]", (x) => x > 0 && x <= 1]),
    passTokens: numberOption(args, "pass-tokens", positiveInteger),
    expertParallel: args["expert-parallel"] as boolean | undefined,
  };
}

const nonNegativeInteger = ["an integer of at least 0", (x: number) => Number.isSafeInteger(x) && x >= 0] as const;

/** Returns the engine that `--engine` names, in any spelling. @throws {UsageError} an unknown name */
function engineNamed(args: Given): Engine["name"] | undefined {
  const name = args.engine as string | undefined;
  if (name === undefined) return undefined;
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z]/g, "");
  const found = engines.find((engine) => plain(engine.name) === plain(name));
  if (!found) throw new UsageError(`--engine: expected ${engines.map((engine) => engine.name).join(", ")}, got ${JSON.stringify(name)}`);
  return found.name;
}

/** Returns the engine that the other options fit. Returns undefined if engines are to be compared. */
function engineOf(args: Given, precision: Precision | undefined, weights: string | undefined): Engine["name"] | undefined {
  if (weights) return (VLLM_WEIGHTS as readonly string[]).includes(weights) ? "vllm" : "llama.cpp";
  if (OWN_OPTIONS["llama.cpp"]!.some((option) => args[option] !== undefined) || args["gpus-per-node"] === "0") return "llama.cpp";
  return precision ? undefined : "vllm";
}

/** Returns the value of an option that is one of a few names, in any case. @throws {UsageError} another value */
function choice<Name extends string>(args: Given, option: string, names: readonly Name[]): Name | undefined {
  const text = args[option] as string | undefined;
  if (text === undefined) return undefined;
  const found = names.find((name) => name === text) ?? names.find((name) => name.toLowerCase() === text.toLowerCase());
  if (found) return found;
  const hint =
    option === "weights" && (PRECISIONS as readonly string[]).includes(text.toLowerCase()) ? ` (or --precision ${text.toLowerCase()})` : "";
  throw new UsageError(`--${option}: expected ${names.join(", ") || "none"}, got ${JSON.stringify(text)}${hint}`);
}

/** Returns the output of the command. */
function textOf(graph: Graph, source: string, request: Request, args: Given, terminal: Terminal): string {
  const { engine, precision, weights, gpu, context, concurrency, utilization } = request;
  if (engine === undefined) {
    const needs = { context: context ?? Math.min(131_072, graph.config.maxPositionEmbeddings), concurrency: concurrency ?? 1 };
    const found = deploymentOptions(graph, { ...needs, precision, utilization, gpus: gpu && [gpu] } as object);
    const named = found.map(({ engine: { name, version }, ...rest }) => ({ engine: name, version, ...rest }));
    const commandOf = (engine: string, gpuName: string, gpusPerNode: number, nodes: number) =>
      [
        ...["lightning-m1", "plan", ...(args.source === undefined ? [] : [source]), "--engine", engine, "--precision", precision],
        ...["--context", needs.context, "--users", needs.concurrency],
        ...(args["gpu-memory"] === undefined ? ["--gpu", gpuName] : ["--gpu-memory", args["gpu-memory"]]),
        ...["--gpus-per-node", gpusPerNode, ...(nodes > 1 ? ["--nodes", nodes] : [])],
      ].join(" ");
    return args.json
      ? json({ ...needs, precision, engines: named })
      : optionsText(source, found, { ...needs, precision: precision!, commandOf }, terminal.out);
  }
  const format = weights ? { weights } : precision ? weightsOf(engine, precision) : {};
  const target = defined({ ...request, precision: undefined, ...format });
  if (engine === "llama.cpp") {
    const plan = planDeployment(graph, target as unknown as LlamaCppTarget);
    return args.json ? json({ fits: true, ...plan, command: llamaServerCommand(plan) }) : llamaCppText(source, plan, terminal.out);
  }
  const plan = planDeployment(graph, target as DeploymentTarget);
  if (args.kubernetes) {
    for (const note of plan.notes) terminal.note(`${terminal.err.yellow("note:")} ${note}`);
    return kubernetesManifest(plan);
  }
  const ray = plan.nodesPerReplica > 1 ? rayRecipe(plan) : undefined;
  return args.json ? json({ fits: true, ...plan, command: serveCommand(plan), ray }) : vllmText(source, plan, terminal.out);
}

/** Returns the format of an engine for a nominal precision. @throws {InputError} the engine has none */
function weightsOf(name: Engine["name"], precision: Precision): { readonly weights: string } {
  const format = engines.find((engine) => engine.name === name)!.precisions[precision];
  if ("weights" in format) return format;
  throw new InputError(`plan: ${name}, ${precision}: ${format.reason} (${format.remedy})`);
}

/** Returns the entries that have values. */
function defined(entries: object): object {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}

const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`;

/** Returns the file that llama.cpp loads by default: named after the model, or undefined for the published checkpoint. */
function ggufFile(source: string, { precision, weights }: Pick<Request, "precision" | "weights">): string | undefined {
  if (source === PUBLISHED_MODEL) return undefined;
  const name = basename(source.endsWith(".json") ? dirname(resolve(source)) : maskUrls(source)).replaceAll(/[^\w.+-]+/g, "-");
  return `${name}-${weights ?? (precision ? weightsOf("llama.cpp", precision).weights : "Q4_K_M")}.gguf`;
}

/** Returns the model that vLLM loads by default: a directory or a hub id, or undefined for the published checkpoint. */
function servedBy(source: string): string | undefined {
  if (source === PUBLISHED_MODEL) return undefined;
  if (Object.hasOwn(presets, source) || source === BUNDLED_MODEL)
    throw new UsageError(`--served: expected a checkpoint's path or hub id, got none (${source} is not published)`);
  if (source.endsWith(".json")) return dirname(resolve(source));
  return existsSync(source) ? resolve(source) : maskUrls(source);
}
