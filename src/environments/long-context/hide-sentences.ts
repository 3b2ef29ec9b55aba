import { Random } from "../../base/random.js";
import { depthEntry, fitLength, type LongContextOptions, lengthEntries } from "./fit-length.js";
import { drawSentence, joinText } from "./words.js";

/** Options of tasks that hide sentences in a long text. */
export const hidingEntries = { ...lengthEntries, depth: depthEntry };

interface Hiding extends Pick<LongContextOptions, "length"> {
  /** Name of the function in messages. */
  readonly where: string;
  readonly countTokens: LongContextOptions["countTokens"] | undefined;
  readonly seed: number;
  /** The sentences to hide. */
  readonly sentences: readonly string[];
  /** Position of each sentence, from 0 (beginning) to 1 (end). */
  readonly depths: readonly number[];
  /** Writes a prompt with the text. */
  readonly promptOf: (text: string) => string;
}

/**
 * Hides sentences in a text that fills a prompt up to its length.
 *
 * @returns the prompt and its length
 * @throws {InputError} a length that is too short for the prompt without other text
 */
export function hideSentences(hiding: Hiding): { readonly prompt: string; readonly length: number } {
  const { where, length, countTokens, seed, sentences, depths, promptOf } = hiding;
  const random = Random.stream(seed, 1);
  const { task, length: total } = fitLength({
    ...{ where, length, countTokens },
    draw: () => drawSentence(random),
    textOf: (sentence) => ` ${sentence}`,
    assemble: (filler) => promptOf(joinText(filler, sentences, depths)),
    textsOf: (prompt) => [prompt],
  });
  return { prompt: task, length: total };
}
