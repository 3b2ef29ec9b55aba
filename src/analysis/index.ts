/**
 * Computes a model's costs from its configuration: parameters, operations, memory and training, compared with the report's figures; and
 * plans deployments. See {@link planDeployment}.
 *
 * @module lightning-m1/analysis
 */
export type { Model } from "../model/graph.js";
export { type BenchmarkClaim, benchmarkClaims } from "./benchmark-claims.js";
export {
  type Benchmark,
  type BenchmarkModel,
  benchmarkModels,
  benchmarks,
  type Lead,
  leads,
  scoreOf,
  standardError,
  tauAverage,
} from "./benchmarks.js";
export type { DecodeRate } from "./decode-rate.js";
export { DeploymentError, type Remedy } from "./deployment-error.js";
export { type GuideClaim, type GuideVerdict, guideClaims } from "./deployment-guide-claims.js";
export {
  type CacheScheme,
  type DeploymentMemory,
  type DeploymentMemoryOptions,
  deploymentMemory,
  type WeightScheme,
} from "./deployment-memory.js";
export {
  type DeploymentOption,
  type DeploymentOptionsRequest,
  deploymentOptions,
  type EngineOptions,
} from "./deployment-options.js";
export type { DeploymentTarget } from "./deployment-target.js";
export { type Engine, engines, type Precision, type Unsupported } from "./engines.js";
export {
  type CountedFlops,
  type CountingRule,
  costOf,
  countedFlops,
  countingRules,
  type Flops,
  type GenerationCost,
  type GenerationOptions,
  generationCost,
  generationFlops,
  type PassOptions,
  pairs,
  passFlops,
} from "./flops.js";
export {
  type Claim,
  type Comparison,
  type ComparisonRule,
  compareGeneration,
  comparisonRules,
  type FigurePoint,
  figurePoints,
  figureReadings,
  isMiniMaxM1,
  type Reading,
  ratioToDeepSeekR1,
  type Series,
} from "./generation-comparison.js";
export { type GgmlType, type GgufFormat, type GgufTensor, ggmlTypes, ggufFormats, ggufTensors } from "./gguf-tensors.js";
export { type Gpu, gpus, gpusNeeded, usableBytes } from "./gpus.js";
export { kubernetesManifest } from "./kubernetes-manifest.js";
export { LLAMA_CPP_VERSION, llamaServerCommand } from "./llama-cpp.js";
export type { LlamaCppCache, LlamaCppTarget } from "./llama-cpp-target.js";
export { type BlockParameters, type ParameterTable, parameterTable } from "./parameters.js";
export { deepseekR1, type LatentForm, type Peer, type PeerParameters, peerCost, peerParameters, qwen3 } from "./peer-models.js";
export { planDeployment } from "./plan-deployment.js";
export type { DeviceMemory, LlamaCppDeployment } from "./plan-llama-cpp.js";
export type { Deployment } from "./smallest-deployment.js";
export { tensorParallelSizes } from "./tensor-parallel.js";
export { reportedTrainingCost, type TrainingCost, type TrainingCostOptions, trainingCost } from "./training-cost.js";
export { CHAT_TEMPLATE, rayRecipe, serveArguments, serveCommand, VLLM_DEFAULTS, VLLM_IMAGE, VLLM_VERSION } from "./vllm.js";
