// A deployment with vLLM, or why there is none, as elements.

import type { Graph } from "lightning-m1";
import {
  type Deployment,
  DeploymentError,
  type DeploymentTarget,
  gpus,
  planDeployment,
  type Remedy,
  rayRecipe,
  serveCommand,
  usableBytes,
} from "lightning-m1/analysis";
import { element } from "../../shared/dom.ts";
import { formatBinaryBytes, formatInteger } from "../../shared/numbers.ts";
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
    if (error instanceof DeploymentError) return missingText(error.remedies, target);
    return [element("p", { class: "view-error" }, `There is no plan. ${sentence(messageOf(error).replace(/^plan: /, ""))}`)];
  }
}

function planText(plan: Deployment): HTMLElement[] {
  const { gpu, tensorParallel, replicas, sequences, nodesPerReplica, memory, usableBytes: usable, cacheTokens, notes } = plan;
  const facts = [
    replicas === 1
      ? `One copy of the model on ${tensorParallel} ${gpu.name} serves ${counted(sequences, "user")} at a time.`
      : `${formatInteger(replicas)} copies of the model, on ${tensorParallel} ${gpu.name} each, serve up to ${counted(sequences, "user")} each at a time.`,
    `Each GPU needs ${formatBinaryBytes(memory.totalBytes)} of the ${formatBinaryBytes(usable)} that the server may use (${100 * UTILIZATION} %).`,
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

function missingText(remedies: readonly Remedy[], { gpu, gpusPerNode, nodes, concurrency, context }: Target): HTMLElement[] {
  const count = gpusPerNode * nodes;
  const usable = usableBytes(gpus.find(({ name }) => name === gpu)!, UTILIZATION);
  const wanted = `${counted(concurrency, "user")} with ${counted(context, "token")} each`;
  const memory =
    count === 1
      ? `A server may use ${formatBinaryBytes(usable)} of its memory.`
      : `A server may use ${formatBinaryBytes(usable)} of each, ${formatBinaryBytes(count * usable)} of all together.`;
  const problem = `${formatInteger(count)} ${gpu} ${count === 1 ? "has" : "have"} too little memory for ${wanted}. ${memory}`;
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
  }
}
