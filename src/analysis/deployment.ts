import { graphOf, type Model } from "../model/graph.js";
import { throwDeploymentError } from "./deployment-error.js";
import { type DeploymentTarget, parseDeploymentTarget } from "./deployment-target.js";
import { type Deployment, smallestDeployment } from "./placement.js";

/**
 * A deployment on the given GPUs that holds `concurrency` sequences of `context` tokens at a time.
 *
 * @param model a configuration (typed, or the JSON of a `config.json`), or its graph
 * @throws {DeploymentError} it does not fit; the message and `remedies` say what would
 * @throws {InputError} a target that contradicts itself or the model
 */
export function planDeployment(model: Model, target: DeploymentTarget = {}): Deployment {
  const known = graphOf(model);
  const asked = parseDeploymentTarget(known.config, target);
  return smallestDeployment(known, asked) ?? throwDeploymentError(known, asked);
}
