/**
 * Reinforcement learning: the training loop ({@link trainPolicy}), objectives on log-probabilities ({@link cispo}, {@link grpo} and
 * others), group-relative advantages, rewards, curricula, evaluation, and puzzles whose answers a program verifies: compact ones for
 * small models ({@link tasks}) and the 35 SynLogic tasks at their published size ({@link synlogic}).
 *
 * @module lightning-m1/rl
 */

export { Random } from "../base/random.js";
export { repetitionStop } from "../generate/repetition.js";
export * as synlogic from "../synlogic/index.js";
export * from "./curriculum/index.js";
export { type Codec, chatCodec } from "./data/codec.js";
export {
  type AnySource,
  type EpisodeOptions,
  type EpisodeProblem,
  type Judged,
  type PlayedEpisode,
  type Problem,
  type ProblemSource,
  puzzleProblem,
  taskSource,
} from "./data/problem.js";
export { drawInstance, drawPuzzle, heldOut, isHeldOut, type Puzzle } from "./data/puzzle.js";
export { solutions } from "./data/solutions.js";
export {
  type Answers,
  answerPuzzles,
  type EvaluatedTask,
  type EvaluateOptions,
  evaluateTasks,
  meanAccuracy,
  type Score,
  type Solver,
} from "./evaluation/evaluate.js";
export type { Group, Sample } from "./loop/dynamic-sampling.js";
export type { PolicyMetrics, PolicyState, UpdateMetrics } from "./loop/policy-metrics.js";
export type { PolicyOptions } from "./loop/policy-options.js";
export { type Rollout, type RolloutOptions, rollouts, type Sampler } from "./loop/rollout.js";
export { type Agreement, agreement } from "./loop/sampler-agreement.js";
export { trainPolicy } from "./loop/train-policy.js";
export { type AdvantageOptions, batchAdvantages, groupAdvantages, type RewardValue } from "./objectives/advantages.js";
export * from "./objectives/index.js";
export {
  type AnsweredWithReference,
  type Grade,
  gradedReward,
  type Preference,
  pairwiseReward,
} from "./rewards/generative-rewards.js";
export type { JudgingOptions } from "./rewards/judging.js";
export {
  type Answered,
  type AnsweredPuzzle,
  correctnessReward,
  formatReward,
  overlongPunishment,
  type Reward,
  type Scored,
  sumOfRewards,
} from "./rewards/rewards.js";
export { type EvaluateRowsOptions, evaluateRows, type RowResult, type RowSample, reverifyRow } from "./rows/evaluate-rows.js";
export { type PassRates, passAt, passHat, passRates } from "./rows/pass-rates.js";
export { parseTaskRows, type TrainingRow, trainingRow } from "./rows/row-format.js";
export { attributeSources, rowSource } from "./rows/row-source.js";
export { generateRows, judgeRow, levelsOf, type Row, type RowOptions, rowTasks, type Verdict } from "./rows/task-rows.js";
export * from "./tasks/index.js";
