import type { Dataset } from "../../train/datasets.js";
import { streamOf } from "../../train/datasets.js";
import { formatResponse, type Task } from "../tasks/task.js";
import type { Codec } from "./codec.js";
import { drawPuzzle } from "./puzzle.js";

/**
 * Worked solutions to imitate: document i is the prompt of a puzzle and its response, from the stream of `seed` and i. A prompt's tokens have weight 0, all of a response's 1.
 * A window cuts the end off; one that a prompt fills leaves nothing to learn.
 *
 * @param options `seed`, an integer within [0, 2^32), says which puzzles; `heldOut` takes those that are never trained on, for held-out losses
 */
export function solutions(tasks: readonly Task[], codec: Codec, { seed = 0, heldOut = false } = {}): Dataset {
  return {
    document(index, window) {
      const { task, instance } = drawPuzzle(streamOf(seed, index), tasks, heldOut);
      const prompt = codec.prompt(task.question(instance));
      const response = codec.response(formatResponse(task.solve(instance)));
      const ids = [...prompt, ...response].slice(0, window);
      return { ids, weights: ids.map((_, t) => (t < prompt.length ? 0 : 1)) };
    },
  };
}
