/**
 * Reinforcement learning: puzzles whose answers a program checks. See {@link tasks} and {@link Task}.
 *
 * @module lightning-m1/rl
 */

export { Random } from "../generate/random.js";
export { chatCodec } from "./codec.js";
export { type Codec, drawInstance, drawPuzzle, isHeldOut, type Puzzle, solutions } from "./dataset.js";
export { type EvaluateOptions, evaluateTasks, heldOut, meanAccuracy, type Score, type Solver } from "./evaluate.js";
export * from "./tasks/index.js";
