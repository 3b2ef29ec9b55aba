// /v1/chat/completions, requested with OpenAI's own client.

import type OpenAI from "openai";
import { describe, expect, test } from "vitest";
import type { MiniMaxM1 } from "../../src/index.js";
import { alone, expectMemoryFreed, messages, model, start } from "./harness.js";

await expectMemoryFreed();

const NAME = "lightning-m1";
const sampled = { temperature: 1, seed: 7, maxTokens: 80 };

/** The text that the model wrote, from the fields of a message. */
function rawOf(reasoning: string | undefined, content: string | null): string {
  return (reasoning === undefined ? "" : `<think>${reasoning}`) + (content === null ? "" : `</think>${content}`);
}

describe("chat completions", () => {
  test("reasoning and content add up to the model's text, streamed or not", async () => {
    const { client } = await start();
    for (const seed of [1, 2, 3]) {
      const expected = await alone(messages, { ...sampled, seed, maxTokens: 200 });
      const params = { model: NAME, messages: [...messages], seed, max_completion_tokens: 200 };
      const body = await client.chat.completions.create(params);
      const { message, finish_reason } = body.choices[0]! as OpenAI.ChatCompletion.Choice & { message: { reasoning_content?: string } };
      expect(rawOf(message.reasoning_content, message.content)).toBe(expected.text);
      expect(finish_reason).toBe("stop");
      let [reasoning, content] = ["", ""];
      for await (const { choices } of await client.chat.completions.create({ ...params, stream: true })) {
        const delta = choices[0]!.delta as { content?: string; reasoning_content?: string };
        reasoning += delta.reasoning_content ?? "";
        content += delta.content ?? "";
      }
      expect(rawOf(reasoning, content)).toBe(expected.text);
    }
  });

  test("log-probabilities and token ids", async () => {
    const { client } = await start();
    const body = (await client.chat.completions.create({
      ...{ model: NAME, seed: 7, max_tokens: 80 },
      messages: [...messages],
      logprobs: true,
      top_logprobs: 2,
      return_token_ids: true,
    } as OpenAI.ChatCompletionCreateParamsNonStreaming)) as OpenAI.ChatCompletion & { prompt_token_ids: number[] };
    const choice = body.choices[0]! as OpenAI.ChatCompletion.Choice & { token_ids: number[] };
    const expected = await alone(messages, sampled);
    expect(choice.token_ids).toEqual(expected.ids);
    expect(model.tokenizer!.decode(body.prompt_token_ids)).toBe(await model.formatChat(messages));
    const { content } = choice.logprobs!;
    expect(content!).toHaveLength(expected.ids.length);
    expect(content!.map(({ token }) => token)).toEqual(expected.ids.map((id) => model.tokenizer!.decode([id])));
    for (const { top_logprobs } of content!) expect(top_logprobs).toHaveLength(2);
  });

  test("tool calls, streamed or not, and sent back with their results", async () => {
    const text = '<think>\nLook.\n</think>I ask.\n<tool_calls>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_calls>';
    const prompts: number[][] = [];
    const { client } = await start({}, {}, speaking(text, prompts));
    const tools = [{ type: "function" as const, function: { name: "weather", description: "w", parameters: { type: "object" } } }];
    const params = { model: NAME, messages: [...messages], tools };
    const { choices } = await client.chat.completions.create(params);
    expect(choices[0]!.finish_reason).toBe("tool_calls");
    const { message } = choices[0]!;
    expect(message).toMatchObject({ content: "I ask.", reasoning_content: "\nLook.\n" });
    expect(message.tool_calls).toMatchObject([{ type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }]);
    const runner = client.chat.completions.stream(params);
    const final = await runner.finalMessage();
    expect(final.tool_calls).toMatchObject([{ type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }]);
    expect(final.content).toBe("I ask.");
    const answered = [...messages, message, { role: "tool" as const, tool_call_id: message.tool_calls![0]!.id, content: "rain" }];
    await client.chat.completions.create({ ...params, messages: answered });
    const shown = model.tokenizer!.decode(prompts.at(-1)!);
    expect(shown).toContain('{"name": "weather", "description": "w"');
    expect(shown).toContain("tool name: weather\ntool result: rain");
    // If the request offers no tools, the block is text.
    const plain = await client.chat.completions.create({ model: NAME, messages: [...messages] });
    expect(plain.choices[0]!.message.content).toContain("<tool_calls>");
  });
});

/** The bundled model with a fixed answer. Records the prompts that it gets. */
function speaking(text: string, prompts: number[][]): MiniMaxM1 {
  return Object.assign(Object.create(model) as MiniMaxM1, {
    generateBatch: (inputs: number[][]) => {
      prompts.push(...inputs);
      async function* tokens() {
        for (const [at, char] of [...text].entries()) {
          yield { index: 0, id: 1, text: char, logprob: -1, ...(at === [...text].length - 1 && { stop: "eos" as const }) };
        }
      }
      return Object.assign(tokens(), { seed: 0 });
    },
  });
}
