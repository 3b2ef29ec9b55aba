/**
 * Reinforcement learning: objectives on log-probabilities ({@link cispo} and its neighbours), advantages, and puzzles whose answers a program checks ({@link tasks}).
 *
 * @module lightning-m1/rl
 */

export { Random } from "../base/random.js";
export { repetitionStop } from "../generate/repetition.js";
export { type AdvantageOptions, batchAdvantages, groupAdvantages, type RewardValue } from "./advantages.js";
export { type Agreement, agreement } from "./agreement.js";
export { chatCodec } from "./codec.js";
export * from "./curriculum/index.js";
export { type Codec, drawInstance, drawPuzzle, isHeldOut, type Puzzle, solutions } from "./dataset.js";
export {
  type Answers,
  answerPuzzles,
  type EvaluatedTask,
  type EvaluateOptions,
  evaluateTasks,
  heldOut,
  meanAccuracy,
  type Score,
  type Solver,
} from "./evaluate.js";
export {
  type AnsweredWithReference,
  type Grade,
  gradedReward,
  type Preference,
  pairwiseReward,
} from "./generative-rewards.js";
export type { JudgingOptions } from "./judging.js";
export * from "./objectives/index.js";
export type { PolicyMetrics, PolicyState, UpdateMetrics } from "./policy-metrics.js";
export type { PolicyOptions } from "./policy-options.js";
export { trainPolicy } from "./policy-run.js";
export { type Judged, type Problem, type ProblemSource, puzzleProblem, taskSource } from "./problem.js";
export {
  type Answered,
  type AnsweredPuzzle,
  correctnessReward,
  formatReward,
  overlongPunishment,
  type Reward,
  type Scored,
  sumOfRewards,
} from "./rewards.js";
export { type Rollout, type RolloutOptions, rollouts, type Sampler } from "./rollout.js";
export type { Group, Sample } from "./sampling.js";
export * from "./tasks/index.js";
