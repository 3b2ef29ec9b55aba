// A deployment with vLLM, or why there is none, as elements.

import type { Graph } from "lightning-m1";
import {
  type Deployment,
  DeploymentError,
  type DeploymentTarget,
  deploymentMemory,
  gpus,
  planDeployment,
  type Remedy,
  rayRecipe,
  serveCommand,
  tensorParallelSizes,
  usableBytes,
} from "lightning-m1/analysis";
import { element } from "../../shared/dom.ts";
import { formatBytes, formatInteger } from "../../shared/numbers.ts";
import { counted, messageOf, sentence } from "../../shared/sentences.ts";
import { UTILIZATION } from "./requirements.ts";

type Target = Required<Pick<DeploymentTarget, "context" | "concurrency" | "gpu" | "gpusPerNode" | "nodes" | "weights" | "kv">> & {
  readonly served: string | undefined;
};

/** Plans a deployment, and describes it with its commands; or says why there is none, and what would help. */
export function deploymentText(graph: Graph, name: string, target: Target): HTMLElement[] {
  const { maxPositionEmbeddings } = graph.config;
  if (target.context > maxPositionEmbeddings) {
    const limit = `${name} is made for at most ${formatInteger(maxPositionEmbeddings)} tokens.`;
    return [element("p", { class: "view-error" }, `There is no plan for ${formatInteger(target.context)} tokens per user. ${limit}`)];
  }
  try {
    return planText(planDeployment(graph, target));
  } catch (error) {
    if (error instanceof DeploymentError) return missingText(error.remedies, graph, target);
    return [element("p", { class: "view-error" }, `There is no plan. ${sentence(messageOf(error).replace(/^plan: /, ""))}`)];
  }
}

function planText(plan: Deployment): HTMLElement[] {
  const { gpu, tensorParallel, replicas, sequences, nodesPerReplica, memory, usableBytes: usable, cacheTokens, notes } = plan;
  const facts = [
    replicas === 1
      ? `One copy of the model on ${tensorParallel} ${gpu.name} serves ${counted(sequences, "user")} at a time.`
      : `${formatInteger(replicas)} copies of the model, on ${tensorParallel} ${gpu.name} each, serve up to ${counted(sequences, "user")} each at a time.`,
    `Each GPU needs ${formatBytes(memory.totalBytes)} of the ${formatBytes(usable)} that the server may use (${100 * UTILIZATION} %).`,
    `The cache of ${replicas === 1 ? "the" : "each"} copy has room for ${formatInteger(cacheTokens)} tokens.`,
    ...notes.map(sentence),
  ];
  const commands = nodesPerReplica > 1 ? rayRecipe(plan) : [{ where: "on each server", command: serveCommand(plan) }];
  return [
    element("ul", {}, ...facts.map((fact) => element("li", {}, fact))),
    ...commands.flatMap(({ where, command }) => [
      element("p", {}, `Command ${where}:`),
      element("pre", { tabindex: 0, "aria-label": `Command ${where}` }, command),
    ]),
  ];
}

interface Division {
  readonly copies: number;
  readonly perCopy: number;
  /** Bytes that each GPU needs. */
  readonly needed: number;
}

/** Distributes the GPUs over copies of the model so that each GPU needs the least memory. */
function bestDivision(graph: Graph, { gpusPerNode, nodes, concurrency, context, weights, kv }: Target): Division {
  const divisions = tensorParallelSizes(graph.config)
    .filter((p) => p <= gpusPerNode * nodes && (gpusPerNode % p === 0 || p % gpusPerNode === 0))
    .map((perCopy) => {
      const copies = perCopy < gpusPerNode ? nodes * (gpusPerNode / perCopy) : Math.floor(nodes / (perCopy / gpusPerNode));
      const batch = Math.ceil(concurrency / copies);
      const { totalBytes } = deploymentMemory(graph, { context, batch, weights, kv, tensorParallel: perCopy });
      return { copies, perCopy, needed: totalBytes };
    });
  return divisions.reduce((best, other) => (other.needed < best.needed ? other : best));
}

function missingText(remedies: readonly Remedy[], graph: Graph, target: Target): HTMLElement[] {
  const { gpu, gpusPerNode, nodes, concurrency, context } = target;
  const count = gpusPerNode * nodes;
  const usable = usableBytes(gpus.find(({ name }) => name === gpu)!, UTILIZATION);
  const { copies, perCopy, needed } = bestDivision(graph, target);
  const heads = graph.config.numKeyValueHeads;
  const on =
    copies === 1 ? `one copy of the model on ${perCopy} of them` : `${formatInteger(copies)} copies of the model on ${perCopy} each`;
  const problem = [
    `${formatInteger(count)} ${gpu} ${count === 1 ? "has" : "have"} too little memory for ${counted(concurrency, "user")} with ${counted(context, "token")} each.`,
    `Even with ${on}, a GPU would need ${formatBytes(needed)}, and a server may use ${formatBytes(usable)} of it.`,
    ...(copies > 1 ? ["Every copy has all weights."] : []),
    ...(perCopy > heads
      ? [`Beyond ${counted(heads, "GPU")}, a copy repeats keys and values, because there are ${counted(heads, "head")} of them.`]
      : []),
  ].join(" ");
  const help = remedies.length > 0 ? "Each of these changes is enough:" : "No single change of weights, users, tokens or GPUs is enough.";
  return [
    element("p", { class: "view-error" }, problem),
    element("p", {}, help),
    element("ul", {}, ...remedies.map((remedy) => element("li", {}, remedyText(remedy)))),
  ];
}

function remedyText({ change, value }: Remedy): string {
  const amount = typeof value === "number" ? formatInteger(value) : value;
  switch (change) {
    case "weights":
      return "experts in int8, the rest in bfloat16";
    case "context":
      return `at most ${amount} tokens per user`;
    case "concurrency":
      return `at most ${amount} ${value === 1 ? "user" : "users"} at the same time`;
    case "gpusPerNode":
      return `${amount} GPUs per server`;
    case "nodes":
      return `${amount} servers`;
    case "gpu":
      return `${amount} as the kind of GPU`;
    case "ramBytes":
    case "unifiedBytes":
      return `${formatBytes(Number(value))} of memory`;
  }
}
