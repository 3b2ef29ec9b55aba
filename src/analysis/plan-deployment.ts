import { InputError } from "../base/errors.js";
import { isObjectLike } from "../base/options.js";
import { printedJson } from "../base/printed.js";
import { graphOf, type Model } from "../model/graph.js";
import { throwDeploymentError } from "./deployment-error.js";
import { type DeploymentTarget, parseDeploymentTarget } from "./deployment-target.js";
import { engines } from "./engines.js";
import { throwLlamaCppError } from "./llama-cpp-error.js";
import { type LlamaCppTarget, parseLlamaCppTarget } from "./llama-cpp-target.js";
import { type LlamaCppDeployment, smallestLlamaCppDeployment } from "./plan-llama-cpp.js";
import { type Deployment, smallestDeployment } from "./smallest-deployment.js";

/**
 * Plans a deployment on the given hardware that holds `concurrency` sequences of `context` tokens at a time: with vLLM, or with llama.cpp
 * if `engine` is `"llama.cpp"`.
 *
 * @param model a configuration (typed, or the JSON of a `config.json`), or its graph
 * @throws {DeploymentError} the deployment does not fit; the message and `remedies` name changes that would make it fit
 * @throws {InputError} an invalid target, a target that does not suit the model, or an engine that does not implement it
 */
export function planDeployment(model: Model, target?: DeploymentTarget): Deployment;
export function planDeployment(model: Model, target: LlamaCppTarget): LlamaCppDeployment;
export function planDeployment(model: Model, target: DeploymentTarget | LlamaCppTarget = {}): Deployment | LlamaCppDeployment {
  const graph = graphOf(model);
  const engine = isObjectLike(target) ? target.engine : undefined;
  if (engine === "llama.cpp") {
    const settings = parseLlamaCppTarget(graph.config, target as LlamaCppTarget);
    return smallestLlamaCppDeployment(graph, settings) ?? throwLlamaCppError(graph, settings);
  }
  const known = engines.find(({ name }) => name === engine);
  if (known && known.name !== "vllm") throw new InputError(`plan: engine: ${known.support} (${known.remedy})`);
  if (engine !== undefined && !known) {
    throw new InputError(`plan: engine: expected ${engines.map(({ name }) => printedJson(name)).join(" or ")}, got ${printedJson(engine)}`);
  }
  const settings = parseDeploymentTarget(graph.config, target as DeploymentTarget);
  return smallestDeployment(graph, settings) ?? throwDeploymentError(graph, settings);
}
