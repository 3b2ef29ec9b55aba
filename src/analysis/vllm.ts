// The version of vLLM that deployments use, and its command line. vLLM 0.9.2 to 0.23.0 have MiniMaxM1ForCausalLM. MiniMax's deployment
// guide names 0.9.2, and this version is known to keep lightning states and the head in float32.

import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { Config } from "../model/config.js";
import type { Deployment } from "./smallest-deployment.js";

export const VLLM_VERSION = "0.9.2";
export const VLLM_IMAGE = `vllm/vllm-openai:v${VLLM_VERSION}`;

/**
 * Path in the image of the chat template that vLLM's documentation requires with `--tool-call-parser minimax`. Outside the
 * image, it is the file of this name in `examples/` of vLLM's sources. The checkpoint's own template drops tool calls and fails
 * on tool results in OpenAI's format.
 */
export const CHAT_TEMPLATE = "/vllm-workspace/examples/tool_chat_template_minimax_m1.jinja";

/**
 * Defaults of vLLM 0.9.2: `--max-num-seqs` of its V0 engine, and `--gpu-memory-utilization` of both engines.
 *
 * From 0.10.1 on, MiniMax-M1 runs on the V1 engine. Its default is 1,024 sequences on GPUs with at least 70 GiB except A100, and 256 on
 * others.
 */
export const VLLM_DEFAULTS = { maxSequences: 256, utilization: 0.9 } as const;

/** Checks that this version of vLLM implements the architecture. @throws {InputError} it does not */
export function expectServedArchitecture({ dialect }: Config, where: string): void {
  if (dialect !== "hypenet") return;
  throw new InputError(
    `${where}: model: expected a MiniMax model, got hypenet, which vLLM ${VLLM_VERSION} does not implement (estimateMemory computes the memory of this library)`,
  );
}

/** The ports of the server and of Ray's head node. */
export const SERVER_PORT = 8000;
export const RAY_PORT = 6379;

/** Environment variables of every process: load weights directly to the GPU, and use the engine that supports this model. */
export const serverEnvironment: Readonly<Record<string, string>> = { SAFETENSORS_FAST_GPU: "1", VLLM_USE_V1: "0" };

/** Returns the arguments of `vllm serve …` for one replica. */
export function serveArguments(plan: Deployment): string[] {
  expectArgument("serveArguments: plan", isObjectLike(plan), "a plan of planDeployment", plan);
  return [
    "vllm",
    "serve",
    plan.served,
    "--trust-remote-code",
    ...["--dtype", "bfloat16"],
    ...(plan.weights === "experts_int8" ? ["--quantization", "experts_int8"] : []),
    ...["--tensor-parallel-size", `${plan.tensorParallel}`],
    ...(plan.expertParallel ? ["--enable-expert-parallel"] : []),
    ...(plan.nodesPerReplica > 1 ? ["--distributed-executor-backend", "ray"] : []),
    ...["--max-model-len", `${plan.context}`],
    // The server reserves the states of this many sequences at its start.
    ...["--max-num-seqs", `${plan.sequences}`],
    ...["--enable-chunked-prefill", "--max-num-batched-tokens", `${plan.passTokens}`],
    ...["--gpu-memory-utilization", `${plan.utilization}`],
    ...(plan.kv === "fp8" ? ["--kv-cache-dtype", "fp8"] : []),
    ...["--chat-template", CHAT_TEMPLATE, "--tool-call-parser", "minimax", "--enable-auto-tool-choice"],
    ...["--port", `${SERVER_PORT}`],
  ];
}

/** Returns the shell command for one replica, with its environment variables. */
export function serveCommand(plan: Deployment): string {
  const environment = Object.entries(serverEnvironment).map(([name, value]) => `${name}=${value}`);
  return [...environment, ...serveArguments(plan)].join(" ");
}

/**
 * Returns the commands for a replica that spans several nodes without Kubernetes, in order. Each command comes with the place where it
 * runs, which is inside vLLM's image.
 */
export function rayRecipe(plan: Deployment): { readonly where: string; readonly command: string }[] {
  expectArgument("rayRecipe: plan", isObjectLike(plan), "a plan of planDeployment", plan);
  const exports = Object.entries(serverEnvironment).map(([name, value]) => `export ${name}=${value}`);
  return [
    { where: "on the first node", command: [...exports, `ray start --head --port=${RAY_PORT}`].join("; ") },
    {
      where: plan.nodesPerReplica === 2 ? "on the other node" : `on each of the other ${plan.nodesPerReplica - 1} nodes`,
      command: [...exports, `ray start --address=FIRST_NODE:${RAY_PORT}`].join("; "),
    },
    { where: "on the first node, once all have joined", command: serveCommand(plan) },
  ];
}
