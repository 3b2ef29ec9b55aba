import { streamOf } from "../../train/datasets.js";
import { drawInstance, type Puzzle } from "../data/puzzle.js";
import type { Task } from "../tasks/task.js";

/** A puzzle with an answer that was guessed without solving the puzzle. */
export type Guess = readonly [puzzle: Puzzle, answer: string];

const GUESSES_PER_INSTANCE = 20;

/** Guesses the answers of each puzzle at random, with `guess` of its task. */
export function blindGuesses(task: Task, puzzles: readonly Puzzle[], seed: number): Guess[] {
  const random = streamOf(seed + 1, 0);
  return puzzles.flatMap((puzzle) =>
    Array.from({ length: GUESSES_PER_INSTANCE }, (): Guess => [puzzle, task.guess(puzzle.instance, random)]),
  );
}

/** Number of training instances among which the most frequent answer is determined. */
const MAJORITY_SAMPLE_INSTANCES = 400;

/** Answers every puzzle with the most frequent answer among training instances. */
export function majorityGuesses(task: Task, level: number, puzzles: readonly Puzzle[], seed: number): Guess[] {
  const counts = new Map<string, number>();
  for (let i = 0; i < MAJORITY_SAMPLE_INSTANCES; i++) {
    const { answer } = task.solve(drawInstance(streamOf(seed + 2, i), task, level, false).instance);
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  const [best] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
  return puzzles.map((puzzle) => [puzzle, best]);
}
