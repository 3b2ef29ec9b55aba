import { createGeneration } from "../../src/generate/index.js";
import type { ChatMessage, LanguageModel, Token } from "../../src/index.js";

/** What a scripted model says: the answer to a conversation and its number of turns so far. */
export type Script = (messages: readonly ChatMessage[], turn: number) => string | Promise<string>;

/** Creates a language model without tokenizer that says what a script returns, one word a token. `requests` receives every conversation. */
export function scriptedModel(script: Script, requests: (readonly ChatMessage[])[] = []): LanguageModel {
  async function* tokens(messages: readonly ChatMessage[], maxTokens: number): AsyncGenerator<Token, void, undefined> {
    requests.push(messages);
    const text = await script(messages, messages.filter(({ role }) => role === "assistant").length);
    const words = text.match(/\s*\S+|\s+$/g) ?? [""];
    for (const [i, word] of words.entries()) {
      const last = i + 1 === Math.min(words.length, maxTokens);
      yield { index: 0, id: i, text: word, logprob: -1, ...(last && { stop: words.length > maxTokens ? "length" : "eos" }) };
      if (last) return;
    }
  }
  return {
    generate: (input: readonly ChatMessage[], { maxTokens = 512 } = {}) => createGeneration(tokens(input, maxTokens), 0, 1, {}),
  } as unknown as LanguageModel;
}

/** A call of a tool, as MiniMax-M1 writes it. */
export const call = (name: string, args: object): string => `<tool_calls>\n${JSON.stringify({ name, arguments: args })}\n</tool_calls>`;
