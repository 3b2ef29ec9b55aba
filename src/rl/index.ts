/**
 * Reinforcement learning: objectives on log-probabilities ({@link cispo} and its neighbours), advantages, and puzzles whose answers a program checks ({@link tasks}).
 *
 * @module lightning-m1/rl
 */

export { Random } from "../generate/random.js";
export { repetitionStop } from "../generate/repetition.js";
export { type AdvantageOptions, batchAdvantages, groupAdvantages, type RewardValue } from "./advantages.js";
export { chatCodec } from "./codec.js";
export * from "./curriculum/index.js";
export { type Codec, drawInstance, drawPuzzle, isHeldOut, type Puzzle, solutions } from "./dataset.js";
export { type EvaluateOptions, evaluateTasks, heldOut, meanAccuracy, type Score, type Solver } from "./evaluate.js";
export {
  type AnsweredWithReference,
  type Grade,
  gradedReward,
  type Preference,
  pairwiseReward,
} from "./generative-rewards.js";
export * from "./objectives/index.js";
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
export * from "./tasks/index.js";
