import { type Environment, playEpisode, type Trace } from "../../../src/environments/index.js";
import { scriptedModel } from "../../support/scripted-model.js";

/** Plays one episode with a model that gives one answer. */
export function answerOnce<Row extends object>(
  environment: Environment<Row>,
  row: Row,
  answer: string,
  maxTokens = 100_000,
): Promise<Trace> {
  return playEpisode(
    scriptedModel(() => answer),
    environment,
    row,
    { seed: 1, maxTokens },
  );
}

/** Counts tokens like a tokenizer with one token per word or sign, in which a word takes in the space before it. */
export const countWords = (text: string): number => text.match(/ ?[\p{L}]+|\d|\s+|[^\p{L}\d\s]/gu)?.length ?? 0;
