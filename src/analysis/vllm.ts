// The vLLM that a deployment is for, and how it is started. MiniMaxM1ForCausalLM is in vLLM from 0.9.2 to 0.23.0; 0.9.2 is the version that
// MiniMax's deployment guide names, and the one that is known to keep lightning states and the head in float32.

import { expectArgument, isObjectLike } from "../base/options.js";
import type { Deployment } from "./placement.js";

export const VLLM_VERSION = "0.9.2";
export const VLLM_IMAGE = `vllm/vllm-openai:v${VLLM_VERSION}`;

/**
 * The template that vLLM's documentation asks for with `--tool-call-parser minimax`, where the image has it; elsewhere it is the file of this
 * name in `examples/` of vLLM's sources. The checkpoint's own template loses tool calls and fails on tool results in OpenAI's form.
 */
export const CHAT_TEMPLATE = "/vllm-workspace/examples/tool_chat_template_minimax_m1.jinja";

/**
 * What vLLM 0.9.2 sets if a command does not: `--max-num-seqs` of its V0 engine (V1 sets 1,024 on GPUs from 70 GiB except A100, 256 on others;
 * MiniMax-M1 runs on V1 from 0.10.1 on), and `--gpu-memory-utilization` of both.
 */
export const VLLM_DEFAULTS = { maxSequences: 256, utilization: 0.9 } as const;

/** Where the server answers, and where Ray's head listens. */
export const SERVER_PORT = 8000;
export const RAY_PORT = 6379;

/** Environment of every process: weights straight to the GPU, and the engine that has this model. */
export const serverEnvironment: Readonly<Record<string, string>> = { SAFETENSORS_FAST_GPU: "1", VLLM_USE_V1: "0" };

/** The words of `vllm serve …` for one replica. */
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
    // Room for every sequence's states is taken when the server starts.
    ...["--max-num-seqs", `${plan.sequences}`],
    ...["--enable-chunked-prefill", "--max-num-batched-tokens", `${plan.passTokens}`],
    ...["--gpu-memory-utilization", `${plan.utilization}`],
    ...(plan.kv === "fp8" ? ["--kv-cache-dtype", "fp8"] : []),
    ...["--chat-template", CHAT_TEMPLATE, "--tool-call-parser", "minimax", "--enable-auto-tool-choice"],
    ...["--port", `${SERVER_PORT}`],
  ];
}

/** The same as one line for a shell, environment included. */
export function serveCommand(plan: Deployment): string {
  const environment = Object.entries(serverEnvironment).map(([name, value]) => `${name}=${value}`);
  return [...environment, ...serveArguments(plan)].join(" ");
}

/** What is run where, in this order, for a replica that spans several nodes without Kubernetes: inside the image, on every node. */
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
