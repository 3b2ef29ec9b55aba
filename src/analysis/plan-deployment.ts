import { graphOf, type Model } from "../model/graph.js";
import { throwDeploymentError } from "./deployment-error.js";
import { type DeploymentTarget, parseDeploymentTarget } from "./deployment-target.js";
import { type Deployment, smallestDeployment } from "./smallest-deployment.js";

/**
 * Plans a deployment on the given GPUs that holds `concurrency` sequences of `context` tokens at a time.
 *
 * @param model a configuration (typed, or the JSON of a `config.json`), or its graph
 * @throws {DeploymentError} the deployment does not fit; the message and `remedies` name changes that would make it fit
 * @throws {InputError} an invalid target, or a target that does not suit the model
 */
export function planDeployment(model: Model, target: DeploymentTarget = {}): Deployment {
  const graph = graphOf(model);
  const settings = parseDeploymentTarget(graph.config, target);
  return smallestDeployment(graph, settings) ?? throwDeploymentError(graph, settings);
}
