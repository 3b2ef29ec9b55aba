/**
 * Reinforcement learning: puzzles whose answers a program checks. See {@link tasks} and {@link Task}.
 *
 * @module lightning-m1/rl
 */
export * from "./tasks/index.js";
