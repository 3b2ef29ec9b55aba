// Measures rollouts of reinforcement learning: 64 responses of the bundled model in the same forward passes, compared with one after the
// other.
import { stage } from "../contest.mjs";
import { ours } from "../contestants.mjs";

export function run(options) {
  const task = options.quick ? { sequences: 4, alone: 2, maxTokens: 4 } : { sequences: 64, alone: 8, maxTokens: 256 };
  const rate = { unit: "tokens/s", work: 1 };
  return stage(
    [1, 2].flatMap((threads) => ours("ours/rollouts.mjs", { threads })),
    [{ title: `rollouts, ${task.sequences} sequences`, task: { kind: "rate", ...task }, metrics: { together: rate, alone: rate } }],
    { ...options, rounds: Math.min(options.rounds, 5) },
  );
}
