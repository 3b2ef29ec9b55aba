// Samples responses of the bundled model to puzzles at temperature 1, either all in the same forward passes or one after the other.
// Options: none.
import { build, expectThreads, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");
const { chatCodec, heldOut, rollouts, tasks } = await import("../../dist/node/rl.js");

let model;
let codec;

export async function setup() {
  model = await MiniMaxM1.load(undefined, { build, threads });
  expectThreads(model.threads);
  codec = await chatCodec(model.tokenizer, (messages) => model.formatChat(messages));
  return `lightning-m1 ${model.build}, ${threads} thread${threads > 1 ? "s" : ""}, Node ${process.versions.node}`;
}

export function prepare({ sequences, alone, maxTokens }) {
  const puzzles = Array.from({ length: sequences }, (_, i) =>
    heldOut(tasks[i % tasks.length], 2, 1 + Math.floor(i / tasks.length), 1).at(-1),
  );
  const prompts = puzzles.map(({ task, instance }) => codec.prompt(task.question(instance)));
  const perToken = async (groups) => {
    const begin = performance.now();
    let tokens = 0;
    for (const group of groups) {
      const answers = await rollouts(model, group, { groupSize: 1, maxTokens, seed: 1 });
      tokens += answers.flat().reduce((sum, { ids }) => sum + ids.length, 0);
    }
    return (performance.now() - begin) / tokens;
  };
  return {
    /** Milliseconds per token. */
    run: async () => ({ together: await perToken([prompts]), alone: await perToken(prompts.slice(0, alone).map((prompt) => [prompt])) }),
  };
}
