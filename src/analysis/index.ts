/**
 * What a model costs, by arithmetic over its configuration: parameters, operations, training, and the report's figures beside them.
 *
 * @module lightning-m1/analysis
 */
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
} from "./comparison.js";
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
export { type BlockParameters, type Model, type ParameterTable, parameterTable } from "./parameters.js";
export { deepseekR1, type LatentForm, type Peer, type PeerParameters, peerCost, peerParameters, qwen3 } from "./peers.js";
export { reportedTrainingCost, type TrainingCost, type TrainingCostOptions, trainingCost } from "./training-cost.js";
