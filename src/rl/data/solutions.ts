import { expectArgument, isObjectLike } from "../../base/options.js";
import type { Dataset } from "../../train/datasets.js";
import { streamOf } from "../../train/datasets.js";
import { expectMethods } from "../arguments.js";
import { formatResponse, type Task } from "../tasks/task.js";
import type { Codec } from "./codec.js";
import { drawPuzzle } from "./puzzle.js";

/**
 * Creates a data set of worked solutions for supervised training. Document i is the prompt of a puzzle and its response, drawn from the
 * random stream of `seed` and i. Prompt tokens have weight 0, response tokens weight 1.
 *
 * Documents are truncated to the training window. If the prompt alone fills the window, the document has no targets.
 *
 * @param options `seed`, an integer within [0, 2^32), selects the puzzles. `heldOut: true` draws held-out
 *   instances, to measure held-out losses
 */
export function solutions(tasks: readonly Task[], codec: Codec, options: { seed?: number; heldOut?: boolean } = {}): Dataset {
  expectMethods("solutions: codec", codec, "a codec", ["prompt", "response"]);
  expectArgument("solutions: options", isObjectLike(options), "{ seed, heldOut }", options);
  const { seed = 0, heldOut = false } = options;
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
