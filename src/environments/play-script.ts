import { InputError } from "../base/errors.js";
import { expectArgument } from "../base/options.js";
import { createGeneration, type Token } from "../generate/index.js";
import type { LanguageModel, Prompt, PromptOptions } from "../language-model.js";
import type { ChatMessage } from "../text/format-chat.js";
import type { Environment } from "./environment.js";
import { type PlayOptions, playEpisode } from "./play.js";
import type { Trace } from "./trace.js";

/** Returns the next message of a script. `messages` is the conversation so far, and `turn` the number of the script's own messages. */
export type EpisodeScript = (messages: readonly ChatMessage[], turn: number) => string | Promise<string>;

/**
 * Plays an episode with a program instead of a model: a test of an environment, or a demonstration that {@link encodeTrace} encodes for
 * supervised training. A word counts as a token. The trace has texts and rewards, but no ids and no log-probabilities.
 *
 * @param script returns the text of each message as a model would write it, with `<tool_calls>` for calls
 * @throws {InputError} invalid arguments. An episode whose script throws ends without rewards; the trace has the error
 */
export async function playScript<Row extends object>(
  environment: Environment<Row>,
  row: Row,
  script: EpisodeScript,
  options: PlayOptions = {},
): Promise<Trace> {
  expectArgument("playScript: script", typeof script === "function", "a function", script);
  const trace = await playEpisode(scriptedModel(script), environment, row, { modelName: "script", ...options });
  return { ...trace, agent: { ...trace.agent, trainable: false } };
}

/** A model that says what a script returns, one word a token. It has only the method that episodes of messages use. */
function scriptedModel(script: EpisodeScript): LanguageModel {
  async function* words(messages: readonly ChatMessage[], maxTokens: number): AsyncGenerator<Token, void, undefined> {
    const text = await script(messages, messages.filter(({ role }) => role === "assistant").length);
    if (typeof text !== "string") throw new InputError(`playScript: script: expected a text, got ${typeof text}`);
    const parts = text.match(/\s*\S+|\s+$/g) ?? [""];
    const stop = parts.length > maxTokens ? "length" : "eos";
    const said = parts.slice(0, maxTokens);
    for (const [id, part] of said.entries()) yield { index: 0, id, text: part, logprob: 0, ...(id + 1 === said.length && { stop }) };
  }
  const generate = (input: Prompt, { maxTokens = Number.POSITIVE_INFINITY }: PromptOptions = {}) =>
    createGeneration(words(input as readonly ChatMessage[], maxTokens), 0, 1, {});
  return { generate } as unknown as LanguageModel;
}
