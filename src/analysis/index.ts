/**
 * What it takes to serve a model: memory of each GPU, how GPUs share it, and the commands and manifests for it. See {@link planDeployment}.
 *
 * @module lightning-m1/analysis
 */
export { planDeployment } from "./deployment.js";
export { type Gpu, gpus, gpusNeeded, usableBytes } from "./gpus.js";
export { kubernetesManifest } from "./manifest.js";
export { type CacheScheme, type DeploymentMemory, type DeploymentMemoryOptions, deploymentMemory, type WeightScheme } from "./memory.js";
export { tensorParallelSizes } from "./parallel.js";
export type { Deployment } from "./placement.js";
export { DeploymentError, type Remedy } from "./refusal.js";
export type { DeploymentTarget } from "./target.js";
export { rayRecipe, serveArguments, serveCommand, VLLM_IMAGE, VLLM_VERSION } from "./vllm.js";
