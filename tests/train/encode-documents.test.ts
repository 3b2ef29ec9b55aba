// Which tokens of a row are targets.

import { beforeAll, expect, test } from "vitest";
import { type ChatMessage, formatChat, Tokenizer } from "../../src/index.js";
import { chatCodec } from "../../src/rl/index.js";
import { type ChatEncoding, encodeLongText, encodeRow, firstTokenBytes, splitIntoBlocks } from "../../src/train/encode-documents.js";
import type { RowContent } from "../../src/train/jsonl-rows.js";
import { trainTokenizer } from "../../src/train/tokenizer-training.js";
import { facts } from "../support/facts.js";

const prose = "The quick brown fox jumps over the lazy dog. Fünf 👍 grüne Äpfel, 12,345 of them!\n\n  And so on,\tand on.\nWhat else?\n";
let tokenizer: Tokenizer;
let encoding: ChatEncoding;

beforeAll(async () => {
  const files = trainTokenizer([prose.repeat(3)], { vocabSize: 330 });
  const json = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)));
  tokenizer = await Tokenizer.fromFiles({ tokenizerJson: json("tokenizer.json"), tokenizerConfig: json("tokenizer_config.json") });
  encoding = { tokenizer, formatChat };
});

const encode = (content: RowContent, more: Partial<ChatEncoding> = {}) =>
  encodeRow({ where: "a.jsonl: line 7", content }, { ...encoding, ...more });

/** The text of what is read in brackets, that of targets as it is. */
function shown({ ids, weights }: { ids: Int32Array; weights: ArrayLike<number> }): string {
  let text = "";
  for (let begin = 0, end = 0; begin < ids.length; begin = end) {
    while (end < ids.length && weights[end] === weights[begin]) end++;
    const piece = tokenizer.decode(ids.subarray(begin, end));
    text += weights[begin] ? piece : `[${piece}]`;
  }
  return text;
}

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string, more = {}): ChatMessage => ({ role: "assistant", content, ...more });

test("an encoding may be an object with methods of its own, as a model is", async () => {
  class Model {
    readonly tokenizer = tokenizer;
    private readonly format = formatChat;
    formatChat(...args: Parameters<typeof formatChat>): Promise<string> {
      return this.format(...args);
    }
  }
  const row = { where: "a", content: { messages: [user("Hello"), assistant("fox")] } };
  expect(await encodeRow(row, new Model())).toEqual(await encodeRow(row, encoding));
});

test("a question and its answer are what the chat codec makes of them", async () => {
  const [document, ...more] = await encode({ messages: [user("How many?"), assistant("Five.")] });
  const codec = await chatCodec(tokenizer, (messages) => formatChat(messages));
  const [prompt, response] = [codec.prompt("How many?"), codec.response("Five.")];
  expect(more).toEqual([]);
  expect([...document!.ids]).toEqual([...prompt, ...response]);
  expect([...document!.weights]).toEqual([...prompt.map(() => 0), ...response.map(() => 1)]);
  expect([document!.targetBytes, document!.plain]).toEqual([5, false]);
});

test("of a conversation all that the assistant writes is a target, each turn with its end", async () => {
  const messages = [
    { role: "system", content: "Short." } as ChatMessage,
    user("Hi"),
    assistant("Hello 👍"),
    user("Bye"),
    assistant("Ciao"),
  ];
  const documents = await encode({ messages });
  expect(documents.map(shown)).toEqual([
    "[<begin_of_document><beginning_of_sentence>system ai_setting=assistant\nShort.<end_of_sentence>\n" +
      "<beginning_of_sentence>user name=user\nHi<end_of_sentence>\n<beginning_of_sentence>ai name=assistant\n]" +
      "Hello 👍<end_of_sentence>" +
      "[\n<beginning_of_sentence>user name=user\nBye<end_of_sentence>\n<beginning_of_sentence>ai name=assistant\n]" +
      "Ciao<end_of_sentence>",
  ]);
  expect(documents[0]!.targetBytes).toBe(10 + 4);
});

test("messages of weight 0 are only read, and so is what follows the last answer", async () => {
  const messages = [user("Hi"), assistant("Hello", { weight: 0 }), user("Bye"), assistant("Ciao"), user("Still there?")];
  const [document] = await encode({ messages });
  expect(shown(document!)).toMatch(/^\[[^[\]]*Hello<end_of_sentence>\n[^[\]]*Bye[^[\]]*assistant\n\]Ciao<end_of_sentence>$/);
});

test("calls of tools are targets, their results are read", async () => {
  const call = { tool_calls: [{ name: "clock", arguments: {} }], content: null };
  const messages = [
    user("Time?"),
    { role: "assistant", ...call } as ChatMessage,
    { role: "tool", name: "clock", content: "12:00" } as ChatMessage,
    assistant("Noon."),
  ];
  const text = shown((await encode({ messages, tools: [{ name: "clock" }] }))[0]!);
  expect(text).toContain(']<tool_calls>\n{"name": "clock", "arguments": {}}\n</tool_calls><end_of_sentence>[');
  expect(text).toMatch(/\[[^[\]]*tool result: 12:00[^[\]]*\]Noon\.<end_of_sentence>$/);
});

test("a format that leaves out earlier reasoning gives a document for each answer, after the prompt a model would see", async () => {
  const template =
    "{%- for m in messages -%}<{{ m.role }}>{%- if m.role == 'assistant' and not loop.last -%}{{ m.content.split('</think>')[-1] }}{%- else -%}{{ m.content }}{%- endif -%}" +
    "{%- if m.role == 'assistant' -%}<end_of_sentence>{%- endif -%}{%- endfor -%}{%- if add_generation_prompt -%}<assistant>{%- endif -%}";
  const own = (messages: readonly ChatMessage[], options = {}) => formatChat(messages, { ...options, template });
  const messages = [user("1+1?"), assistant("<think>easy</think>2"), user("2+2?"), assistant("<think>also</think>4")];
  expect((await encode({ messages }, { formatChat: own })).map(shown)).toEqual([
    "[<user>1+1?<assistant>]<think>easy</think>2<end_of_sentence>",
    "[<user>1+1?<assistant>2<end_of_sentence><user>2+2?<assistant>]<think>also</think>4<end_of_sentence>",
  ]);
});

test("a format without an end of sentence: the token is added, so that the model learns to stop", async () => {
  const own = (messages: readonly ChatMessage[], options: { addGenerationPrompt?: boolean } = {}) =>
    Promise.resolve(
      `${messages.map(({ role, content }) => `${role}: ${content}\n`).join("")}${options.addGenerationPrompt ? "assistant: " : ""}`,
    );
  const [document] = await encode({ messages: [user("Hi"), assistant("Hello")] }, { formatChat: own });
  expect(shown(document!)).toBe("[user: Hi\nassistant: ]Hello\n<end_of_sentence>");
});

test("of a text all tokens are targets, with one end of sentence", async () => {
  for (const text of ["Hello fox", "Hello fox<end_of_sentence>"]) {
    const [document] = await encode({ text });
    expect(shown(document!)).toBe("Hello fox<end_of_sentence>");
    expect(document!.plain).toBe(true);
  }
  const [bare] = await encodeRow({ where: "", content: { text: "Hello fox" } }, encoding, { end: false });
  expect([...bare!.ids]).toEqual(tokenizer.encode("Hello fox"));
});

test.each<[readonly unknown[], string]>([
  [[user("Hi")], "a.jsonl: line 7: messages: …assistant"],
  [[user("Hi"), assistant("Ho", { weight: 0 })], "a.jsonl: line 7: messages: …assistant"],
  [[assistant("Ho")], "a.jsonl: line 7: messages: …before…assistant"],
  [[{ role: "human", content: "Hi" }, assistant("Ho")], "a.jsonl: line 7: chat: messages[0].role"],
  [[user("Hi"), assistant("Ho"), { role: "gpt", content: "x" }], "a.jsonl: line 7: chat: messages[2].role"],
  [[user("Hi"), null], "a.jsonl: line 7: chat: messages[1]"],
])("a conversation without anything to learn, or that cannot be written, is refused with its line: %j", async (messages, message) => {
  await expect(encode({ messages: messages as ChatMessage[] })).rejects.toThrow(facts(message));
});

test("a long text is encoded in blocks to the ids of the whole", async () => {
  const long = Array.from({ length: 3000 }, (_, i) => prose.replace("fox", `fox no. ${i}`)).join("");
  expect([...splitIntoBlocks(tokenizer, long)].length).toBeGreaterThan(3);
  expect([...splitIntoBlocks(tokenizer, long)].join("")).toBe(long);
  expect([...(await encodeLongText(tokenizer, long))]).toEqual(tokenizer.encode(long));
  const letters = "abc".repeat(50_000);
  expect([...splitIntoBlocks(tokenizer, letters)]).toEqual([letters]);
});

test("the encoding of a long text ends with the signal", async () => {
  const controller = new AbortController();
  setImmediate(() => controller.abort(new Error("enough")));
  await expect(encodeLongText(tokenizer, prose.repeat(3000), controller.signal)).rejects.toThrow("enough");
});

test.each(["The fox", "👍 up", "Äpfel", "1", " a", "<end_of_sentence>x"])("the bytes of the first token of %j", (text) => {
  const ids = tokenizer.encode(text);
  // Token by token: what a byte-level token is written as has a character for every byte.
  const [first] = ids;
  const expected = tokenizer.specialIds.has(first!) ? tokenizer.tokenOf(first!).length : [...tokenizer.tokenOf(first!)].length;
  expect(firstTokenBytes(tokenizer, ids)).toBe(expected);
});
