import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { LanguageModelV3CallOptions, LanguageModelV3Prompt, LanguageModelV3StreamPart } from "@ai-sdk/provider";
import * as ai6 from "ai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lightningM1 } from "../../src/ai-sdk/index.js";
import { StreamParts } from "../../src/ai-sdk/stream-parts.js";
import { InputError, MiniMaxM1, parseAssistant, RemoteError } from "../../src/index.js";
import { RemoteModel } from "../../src/remote/index.js";
import { collect, rejection } from "../generate/model.js";
import { answers } from "../support/bundled-model.js";
import { json, OpenAiServer, type Reply, serving, sse, stream } from "../support/openai-server.js";

const { question } = answers[0]!;
const root = fileURLToPath(new URL("../..", import.meta.url));

let local: MiniMaxM1;
let server: OpenAiServer;
let remote: RemoteModel;
let scripted: OpenAiServer;
let onScript: RemoteModel;
/** What the scripted server answers, one after the other. */
let script: Reply[] = [];

beforeAll(async () => {
  globalThis.AI_SDK_LOG_WARNINGS = false;
  local = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });
  server = await OpenAiServer.start(serving(local));
  remote = await RemoteModel.connect(server.url);
  scripted = await OpenAiServer.start(({ path }) => (path === "/v1/models" ? undefined : script.shift()));
  onScript = await RemoteModel.connect(scripted.url, { retries: 0 });
});
afterAll(async () => {
  await Promise.all([server.stop(), scripted.stop()]);
  local.dispose();
});

const user = (text: string): LanguageModelV3Prompt => [{ role: "user", content: [{ type: "text", text }] }];

describe.each([
  ["the bundled model", () => lightningM1(local)],
  ["the same on a server", () => lightningM1(remote)],
])("%s", (name, model) => {
  test("generates text with separate reasoning and token counts", async () => {
    const result = await generateText({ model: model(), prompt: question });
    const raw = await collect(local.generate([{ role: "user", content: question }]));
    const { reasoning, content } = parseAssistant(raw.map(({ text }) => text).join(""));
    expect(result.reasoningText).toBe(reasoning);
    expect(result.text).toBe(content);
    expect(result.finishReason).toBe("stop");
    const promptIds = local.tokenizer!.encode(await local.formatChat([{ role: "user", content: question }]));
    expect(result.usage).toMatchObject({ inputTokens: promptIds.length, outputTokens: raw.length });
    const { reasoningTokens = 0, textTokens = 0 } = result.usage.outputTokenDetails;
    expect(reasoningTokens + textTokens).toBe(raw.length);
    expect(reasoningTokens).toBeGreaterThan(textTokens);
    expect(result.response.modelId).toBe(name.includes("server") ? "m1" : "lightning-m1");
    expect(result.warnings).toEqual([]);
  });

  test("streams the same text for the same seed", async () => {
    const settings = { model: model(), prompt: question, seed: 3, temperature: 1, topP: 0.95, maxOutputTokens: 40 };
    const streamed = streamText(settings);
    const kinds = (await collect(streamed.fullStream)).map(({ type }) => type);
    expect(kinds.slice(0, 4)).toEqual(["start", "start-step", "reasoning-start", "reasoning-delta"]);
    const whole = await generateText(settings);
    expect(await streamed.text).toBe(whole.text);
    expect(await streamed.reasoningText).toBe(whole.reasoningText);
    expect(await streamed.finishReason).toBe(whole.finishReason);
    expect(await streamed.usage).toEqual(whole.usage);
    expect(await streamed.providerMetadata).toEqual({ "lightning-m1": { seed: 3 } });
    const other = await generateText({ ...settings, seed: 4, temperature: 3, topP: 1 });
    expect(other.reasoningText).not.toBe(whole.reasoningText);
  });

  test("obeys limits, stop sequences and providerOptions", async () => {
    const short = await generateText({ model: model(), prompt: question, maxOutputTokens: 5 });
    expect(short.finishReason).toBe("length");
    expect(short.usage.outputTokens).toBe(5);
    const stopped = await generateText({ model: model(), prompt: question, stopSequences: ["</think>"] });
    expect(stopped.finishReason).toBe("stop");
    expect(stopped.text).toBe("");
    const templated = await generateText({
      ...{ model: model(), prompt: question, maxOutputTokens: 3 },
      providerOptions: { "lightning-m1": { template: "{{ messages[0].content }}", minP: 0.9 } },
    });
    expect(templated.usage.inputTokens).toBe(local.tokenizer!.encode(question).length);
    const options = { model: model(), prompt: question, providerOptions: { "lightning-m1": { minp: 1 } } };
    expect(await rejection(Promise.resolve(generateText(options)))).toBeInstanceOf(InputError);
  });

  test("can be aborted before the first token and in the middle", async () => {
    const before = await rejection(Promise.resolve(generateText({ model: model(), prompt: question, abortSignal: AbortSignal.abort() })));
    expect((before as Error).name).toBe("AbortError");
    const controller = new AbortController();
    const streamed = streamText({ model: model(), prompt: question, abortSignal: controller.signal, onError: () => {} });
    const seen: string[] = [];
    for await (const { type } of streamed.fullStream) {
      seen.push(type);
      if (type === "reasoning-delta") controller.abort();
    }
    expect(seen).toContain("abort");
    expect(seen).not.toContain("finish");
  });

  test("cancelling the stream leaves the model ready", async () => {
    const { stream: parts } = await model().doStream({ prompt: user(question) });
    const reader = parts.getReader();
    await reader.read();
    await reader.cancel();
    expect((await generateText({ model: model(), prompt: question, maxOutputTokens: 1 })).usage.outputTokens).toBe(1);
  });
});

test("cancelling a stream closes the connection at once", async () => {
  script = [{ pieces: sse({ choices: [{ delta: { content: "a" } }] }), ending: "stall" }];
  const { stream: parts } = await lightningM1(onScript).doStream({ prompt: user("x") });
  const reader = parts.getReader();
  for (let i = 0; i < 4; i++) await reader.read();
  const waiting = reader.read();
  const { left } = scripted;
  // Until the next part is being waited for.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await reader.cancel();
  expect(await waiting).toMatchObject({ done: true });
  await expect.poll(() => scripted.left).toBe(left + 1);
});

/** The AI SDK 7 needs Node 22: `npm ci` leaves it out on Node 20 (tests/ai-sdk/ai7/package.json), and its tests are skipped there. */
const ai7Name: string = "ai7";
const ai7: typeof ai6 | undefined = Number.parseInt(process.versions.node, 10) >= 22 ? await import(ai7Name) : undefined;

/** Both versions, typed as the first. */
const versions: [string, typeof ai6 | undefined][] = [
  ["ai 6", ai6],
  ["ai 7 (Node 22 and later)", ai7],
];
describe.each(versions)("%s", (_, ai) => {
  if (!ai) {
    test.skip("needs Node 22", () => {});
    return;
  }
  const { generateText, streamText, tool, jsonSchema, stepCountIs } = ai;
  const settings = { prompt: question, seed: 3, temperature: 1, topP: 0.95, maxOutputTokens: 40 };

  test("gives text, reasoning and token counts", async () => {
    const model = lightningM1(local);
    const generation = local.generate([{ role: "user", content: question }], { seed: 3, temperature: 1, topP: 0.95, maxTokens: 40 });
    const { reasoning, content } = parseAssistant(await generation.text());
    const whole = await generateText({ model, ...settings });
    expect([whole.reasoningText, whole.text]).toEqual([reasoning, content]);
    const { promptTokens, completionTokens } = generation.usage;
    expect(whole.usage).toMatchObject({ inputTokens: promptTokens, outputTokens: completionTokens });
    expect(whole.warnings).toEqual([]);
    const streamed = streamText({ model, ...settings });
    expect((await collect(streamed.textStream)).join("")).toBe(content);
    expect(await streamed.reasoningText).toBe(reasoning);
    expect(await streamed.finishReason).toBe(whole.finishReason);
    expect(await streamed.usage).toEqual(whole.usage);
  });

  test("sends tool calls and results, malformed arguments too", async () => {
    const call = (given: string) =>
      stream([
        { delta: { tool_calls: [{ index: 0, id: "x", function: { name: "add", arguments: given } }] } },
        { delta: {}, finish_reason: "tool_calls" },
      ]);
    const answered = stream([{ delta: { content: "It is 3." } }, { delta: {}, finish_reason: "stop" }]);
    script = [call('{"a": 1, "b": 2}'), answered];
    const inputSchema = jsonSchema<{ a: number; b: number }>({
      ...{ type: "object", properties: { a: { type: "number" }, b: { type: "number" } }, required: ["a", "b"] },
    });
    const add = tool({ inputSchema, execute: ({ a, b }) => ({ sum: a + b }) });
    const result = await generateText({ model: lightningM1(onScript), prompt: "1 + 2", tools: { add }, stopWhen: stepCountIs(3) });
    expect(result.text).toBe("It is 3.");
    expect(scripted.received.at(-1)!.body.messages.slice(1)).toMatchObject([
      { role: "assistant", tool_calls: [{ id: "call_0", function: { name: "add", arguments: '{"a":1,"b":2}' } }] },
      { role: "tool", tool_call_id: "call_0", content: '{"sum":3}' },
    ]);
  });

  test("warns of unsupported settings, and refuses files", async () => {
    script = [stream([{ delta: { content: "x" } }, { delta: {}, finish_reason: "stop" }])];
    const { warnings } = await generateText({ model: lightningM1(onScript), prompt: "x", presencePenalty: 1 });
    expect(warnings).toMatchObject([{ type: "unsupported", feature: "presencePenalty" }]);
    const content = [{ type: "file", mediaType: "application/pdf", data: "AAAA" } as const];
    const error = await rejection(
      Promise.resolve(generateText({ model: lightningM1(local), messages: [{ role: "user", content }], maxRetries: 0 })),
    );
    expect((error as Error).message).toMatch(/prompt\[0\]\.content\[0\]: .*text only.*got file \(application\/pdf\)/);
  });
});

test.runIf(ai7)(
  "the types fit the interface that comes with ai 7",
  async () => {
    const folder = mkdtempSync(join(root, "build/ai7-types-"));
    try {
      const { compilerOptions } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8"));
      const paths = Object.fromEntries(
        Object.entries<string[]>(compilerOptions.paths).map(([name, [path]]) => [name, [join(root, path!)]]),
      );
      const provider = createRequire(import.meta.resolve("ai7")).resolve("@ai-sdk/provider/package.json");
      const options = { ...compilerOptions, paths: { ...paths, "@ai-sdk/provider": [dirname(provider)] } };
      writeFileSync(
        join(folder, "tsconfig.json"),
        JSON.stringify({ compilerOptions: options, files: [join(root, "src/ai-sdk/index.ts")] }),
      );
      const tsc = join(root, "node_modules/typescript/bin/tsc");
      await promisify(execFile)(process.execPath, [tsc, "-p", folder]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  60_000,
);

describe("tools", () => {
  const add = tool({
    description: "adds",
    inputSchema: jsonSchema<{ a: number; b: number }>({ type: "object", properties: { a: { type: "number" }, b: { type: "number" } } }),
    execute: ({ a, b }) => ({ sum: a + b }),
  });
  const called = [
    { delta: { reasoning_content: "I add." } },
    { delta: { tool_calls: [{ index: 0, id: "x", function: { name: "add", arguments: '{"a": 1, ' } }] } },
    { delta: { tool_calls: [{ index: 0, function: { arguments: '"b": 2}' } }] } },
    { delta: {}, finish_reason: "tool_calls" },
  ];
  const answered = [{ delta: { reasoning_content: "Done." } }, { delta: { content: "It is 3." } }, { delta: {}, finish_reason: "stop" }];

  test("are called, and their results are sent back", async () => {
    script = [stream(called, { prompt_tokens: 10, completion_tokens: 4 }), stream(answered, { prompt_tokens: 20, completion_tokens: 3 })];
    const begin = scripted.received.length;
    const result = await generateText({ model: lightningM1(onScript), prompt: "1 + 2", tools: { add }, stopWhen: stepCountIs(3) });
    expect(result.text).toBe("It is 3.");
    expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(["tool-calls", "stop"]);
    expect(result.steps[0]!.toolCalls).toMatchObject([{ toolName: "add", input: { a: 1, b: 2 } }]);
    expect(result.totalUsage).toMatchObject({ inputTokens: 30, outputTokens: 7 });
    const [first, second] = scripted.received.slice(begin);
    expect(first!.body.tools).toMatchObject([
      { type: "function", function: { name: "add", description: "adds", parameters: { type: "object" } } },
    ]);
    expect(second!.body.messages).toMatchObject([
      { role: "user", content: "1 + 2" },
      {
        role: "assistant",
        content: "<think>I add.</think>",
        tool_calls: [{ id: "call_0", function: { name: "add", arguments: '{"a":1,"b":2}' } }],
      },
      { role: "tool", tool_call_id: "call_0", name: "add", content: '{"sum":3}' },
    ]);
  });

  test("stream; the text of a call is not shown", async () => {
    script = [stream(called), stream(answered)];
    const result = streamText({ model: lightningM1(onScript), prompt: "1 + 2", tools: { add }, stopWhen: stepCountIs(3) });
    const parts = await collect(result.fullStream);
    expect(parts.filter(({ type }) => type === "tool-call")).toHaveLength(1);
    expect(parts.flatMap((part) => (part.type === "text-delta" ? [part.text] : [])).join("")).toBe("It is 3.");
  });

  test("are not offered under toolChoice none", async () => {
    script = [stream(answered)];
    await generateText({ model: lightningM1(onScript), prompt: "1 + 2", tools: { add }, toolChoice: "none" });
    expect(scripted.received.at(-1)!.body).not.toHaveProperty("tools");
  });
});

describe("StreamParts", () => {
  /** Parts of a text that comes in these pieces. */
  const partsOf = (pieces: readonly string[], withTools = true): LanguageModelV3StreamPart[] => {
    const answer = new StreamParts(withTools);
    return [...pieces.flatMap((text, id) => [...answer.push({ index: 0, id, text, logprob: 0 })]), ...answer.end()];
  };
  const joined = (parts: readonly LanguageModelV3StreamPart[], kind: "text-delta" | "reasoning-delta") =>
    parts.flatMap((part) => (part.type === kind ? [part.delta] : [])).join("");

  test("gives the parts of the whole text for any split, and every block opens and closes once", () => {
    const piece = fc.constantFrom(
      "<think>",
      "</think>",
      "<tool",
      "_calls>",
      "\n<tool_calls>\n",
      '{"name": "a", "arguments": {}}\n',
      "</tool_calls>",
      "_call>",
      "\n<tool_call>\n",
      "</tool_call>",
      "\n",
      " ",
      "<",
      "so",
      "é",
      "\r",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), fc.array(fc.nat(40), { maxLength: 5 }), (words, at) => {
        const text = words.join("");
        const cuts = [...new Set([0, ...at.filter((cut) => cut < text.length)])].sort((a, b) => a - b);
        const parts = partsOf(cuts.map((begin, i) => text.slice(begin, cuts[i + 1])));
        const { reasoning = "", content, toolCalls, malformed } = parseAssistant(text);
        expect(joined(parts, "reasoning-delta")).toBe(reasoning);
        expect(joined(parts, "text-delta")).toBe(
          content + (malformed.length ? `<tool_calls>\n${malformed.map(({ line }) => `${line}\n`).join("")}</tool_calls>` : ""),
        );
        expect(
          parts.flatMap((part) => (part.type === "tool-call" ? [{ name: part.toolName, arguments: JSON.parse(part.input) }] : [])),
        ).toEqual(toolCalls);
        let open: string | undefined;
        for (const part of parts) {
          if (part.type === "text-start" || part.type === "reasoning-start") {
            expect(open).toBeUndefined();
            open = part.id;
          } else if ("id" in part && part.type !== "response-metadata") {
            expect(part.id).toBe(open);
            if (part.type.endsWith("-end")) open = undefined;
          }
        }
        expect(open).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test("holds back only text that may be a tool call", () => {
    const answer = new StreamParts(true);
    const push = (text: string) => joined([...answer.push({ index: 0, id: 1, text, logprob: 0 })], "text-delta");
    expect([push("Hello"), push(" <b"), push("\n<tool"), push("box>"), push("\n<tool_calls> "), push("they")]).toEqual([
      "Hello",
      " <b",
      "",
      "\n<toolbox>",
      "",
      "\n<tool_calls> they",
    ]);
  });

  test("counts tokens, those of the reasoning with its tags", () => {
    const answer = new StreamParts(false);
    for (const text of ["<think>", "", "why", "</think>", "so", ""]) [...answer.push({ index: 0, id: 1, text, logprob: 0 })];
    expect(answer.tokens).toEqual({ total: 6, reasoning: 4 });
  });

  test("starts inside the reasoning if the prompt ended with <think>", async () => {
    const template = "{{ messages[0].content }}<think>\n";
    const { content } = await lightningM1(local).doGenerate({
      ...{ prompt: user(question), maxOutputTokens: 4 },
      providerOptions: { "lightning-m1": { template } },
    });
    expect(content.map(({ type }) => type)).toEqual(["reasoning"]);
  });

  test("keeps tool calls as text if no tools are offered", () => {
    expect(joined(partsOf(['<tool_calls>\n{"name": "a", "arguments": {}}\n</tool_calls>'], false), "text-delta")).toContain("<tool_calls>");
  });
});

describe("prompts and settings", () => {
  const answered = [{ delta: { content: "x" } }, { delta: {}, finish_reason: "stop" }];
  const call = async (options: Omit<LanguageModelV3CallOptions, "prompt"> & { prompt?: LanguageModelV3Prompt; reasoning?: string }) => {
    script = [stream(answered)];
    return lightningM1(onScript).doGenerate({ prompt: user("x"), ...options });
  };

  test("every kind of text message", async () => {
    const result = (output: object) => ({ type: "tool-result", toolCallId: "c", toolName: "add", output }) as const;
    await call({
      prompt: [
        { role: "system", content: "be" },
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "b" },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "why" },
            { type: "text", text: "so" },
            { type: "tool-call", toolCallId: "c", toolName: "add", input: { a: 1 } },
          ],
        },
        {
          role: "tool",
          content: [
            { type: "text", value: "1" },
            { type: "json", value: { a: 1 } },
            { type: "error-text", value: "bad" },
            { type: "error-json", value: [1] },
            { type: "execution-denied", reason: "no" },
            { type: "content", value: [{ type: "text", text: "2" }] },
          ].map(result) as never,
        },
      ],
    });
    const [system, first, assistant, ...results] = scripted.received.at(-1)!.body.messages;
    expect([system.content, first.content, assistant.content]).toEqual(["be", "ab", "<think>why</think>so"]);
    expect(results.map(({ content }: { content: string }) => content)).toEqual(["1", '{"a":1}', "bad", "[1]", "execution denied: no", "2"]);
  });

  test("inputs of calls in every format, and empty messages", async () => {
    const inputs = [{ a: 1 }, undefined, null, "", '{"a": 1}', '{"a": '];
    await call({
      prompt: [
        { role: "user", content: [] },
        { role: "assistant", content: [] },
        { role: "tool", content: [] },
        { role: "assistant", content: inputs.map((input, i) => ({ type: "tool-call", toolCallId: `c${i}`, toolName: "add", input })) },
        { role: "assistant", content: [{ type: "reasoning", text: "why" }] },
      ],
    });
    const messages = scripted.received.at(-1)!.body.messages;
    expect(messages.map(({ role, content }: { role: string; content: string }) => [role, content])).toEqual([
      ["user", ""],
      ["assistant", ""],
      ["assistant", ""],
      ["assistant", "<think>why</think>"],
    ]);
    expect(messages[2].tool_calls.map((one: { function: { arguments: string } }) => one.function.arguments)).toEqual([
      ...['{"a":1}', "{}", "{}", "{}", '{"a": 1}', JSON.stringify('{"a": ')],
    ]);
  });

  test("parts that are not text are refused, naming their place", async () => {
    const file = { type: "file", mediaType: "image/png", data: "" } as const;
    const error = (await rejection(
      Promise.resolve(call({ prompt: [{ role: "user", content: [{ type: "text", text: "a" }, file] }] })),
    )) as Error;
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(/prompt\[0\]\.content\[1\]: .*text only.*got file \(image\/png\)/);
  });

  test("unsupported settings produce warnings, all others do not", async () => {
    const schema = { type: "object" } as const;
    const { warnings } = await call({
      ...{ presencePenalty: 1, frequencyPenalty: 1, responseFormat: { type: "json" }, reasoning: "high", toolChoice: { type: "required" } },
      tools: [
        { type: "function", name: "a", inputSchema: schema, strict: true },
        { type: "provider", id: "x.search", name: "search", args: {} },
      ],
    });
    expect(warnings.map((warning) => warning.type === "unsupported" && warning.feature)).toEqual([
      "presencePenalty",
      "frequencyPenalty",
      "responseFormat",
      "reasoning",
      "toolChoice",
      "strict of tool a",
      "tool x.search",
    ]);
    const plain = await call({
      presencePenalty: 0,
      responseFormat: { type: "text" },
      toolChoice: { type: "auto" },
      reasoning: "provider-default",
    });
    expect(plain.warnings).toEqual([]);
  });

  test("unknown token counts are undefined", async () => {
    const { usage } = await call({});
    expect(usage).toMatchObject({
      inputTokens: { total: undefined },
      outputTokens: { total: undefined, text: undefined, reasoning: undefined },
    });
  });

  test("the option modelId", () => {
    expect(lightningM1(local, { modelId: "mine" })).toMatchObject({
      modelId: "mine",
      provider: "lightning-m1",
      specificationVersion: "v3",
    });
    expect(() => lightningM1(local, { id: "x" } as never)).toThrow(InputError);
  });
});

describe("errors", () => {
  test("before the first token fail the call", async () => {
    script = [json({ error: { message: "no such model" } }, 404)];
    expect(await rejection(Promise.resolve(lightningM1(onScript).doStream({ prompt: user("x") })))).toBeInstanceOf(RemoteError);
    script = [json({ error: { message: "no such model" } }, 404)];
    const error = (await rejection(Promise.resolve(generateText({ model: lightningM1(onScript), prompt: "x" })))) as Error;
    expect(error.message).toMatch(/answered 404: no such model/);
  });

  test("after the first token become an error part, and the stream ends", async () => {
    script = [{ pieces: sse({ choices: [{ delta: { content: "a" } }] }), ending: "cut" }];
    const { stream: parts } = await lightningM1(onScript).doStream({ prompt: user("x") });
    const all = await collect(parts as AsyncIterable<LanguageModelV3StreamPart>);
    expect(all.map(({ type }) => type)).toEqual(["stream-start", "response-metadata", "text-start", "text-delta", "error", "finish"]);
    expect(all.at(-1)).toMatchObject({ finishReason: { unified: "error" } });
  });
});
