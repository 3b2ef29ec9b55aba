import { expect, test } from "vitest";
import { parseRows } from "../../src/train/jsonl-rows.js";
import { facts } from "../support/facts.js";

const read = (text: string, onWarning?: (message: string) => void) => [...parseRows(text, "a.jsonl", onWarning)];
const dialogue = (question: string, answer: string) => [
  { role: "user", content: question },
  { role: "assistant", content: answer },
];

test.each<[string, object, object]>([
  ["prompt and answer", { prompt: "Q", answer: "A" }, { messages: dialogue("Q", "A") }],
  ["prompt and completion", { prompt: "Q", completion: "A" }, { messages: dialogue("Q", "A") }],
  ["question and answer", { question: "Q", answer: "A", id: 5 }, { messages: dialogue("Q", "A") }],
  ["question and response", { question: "Q", response: "A" }, { messages: dialogue("Q", "A") }],
  [
    "with a system message",
    { system: "S", prompt: "Q", answer: "A" },
    { messages: [{ role: "system", content: "S" }, ...dialogue("Q", "A")] },
  ],
  ["system null is none", { system: null, prompt: "Q", answer: "A", tools: null }, { messages: dialogue("Q", "A") }],
  ["messages", { messages: dialogue("Q", "A"), tools: [{ name: "t" }] }, { messages: dialogue("Q", "A"), tools: [{ name: "t" }] }],
  [
    "a conversation in two parts",
    { prompt: dialogue("1", "2"), completion: [{ role: "assistant", content: "3" }] },
    { messages: [...dialogue("1", "2").map((message) => ({ ...message, weight: 0 })), { role: "assistant", content: "3" }] },
  ],
  ["text", { text: "Once" }, { text: "Once" }],
])("a row: %s", (_, row, content) => {
  expect(read(JSON.stringify(row))).toEqual([{ where: "a.jsonl: line 1", content }]);
});

test("blank lines, CRLF, and no line break at the end", () => {
  const text = '\r\n{"text": "a"}\r\n\n  {"text": "b\\u2028"}\n{"text": "c"}';
  expect(read(text)).toEqual([
    { where: "a.jsonl: line 2", content: { text: "a" } },
    { where: "a.jsonl: line 4", content: { text: "b\u2028" } },
    { where: "a.jsonl: line 5", content: { text: "c" } },
  ]);
  expect(read("")).toEqual([]);
});

test("keys that are not read are named once", () => {
  const warnings: string[] = [];
  read('{"text": "a", "id": 1}\n{"text": "b", "id": 2, "source": "x"}', (message) => warnings.push(message));
  expect(warnings).toEqual([expect.stringMatching(facts('a.jsonl: …keys…"id", "source"'))]);
});

test.each<[string, string]>([
  ["{", "a.jsonl: line 3, column 2: expected a key"],
  ["plain text", "a.jsonl: line 3, column 1: expected a value"],
  ['{"text": "a"} {"text": "b"}', "a.jsonl: line 3, column 15: expected nothing more"],
  ['"text"', 'a.jsonl: line 3: …object… {"prompt": …, "answer": …}…{"messages": [ … ]}…{"text": …}…"text"'],
  ["[1]", "a.jsonl: line 3: …JSON object…(JSONL)…JSON array"],
  ["{}", "a.jsonl: line 3: expected one of"],
  ['{"conversations": []}', 'got the keys "conversations"'],
  ['{"prompt": "Q"}', "a.jsonl: line 3: …answer"],
  ['{"completion": "A"}', "a.jsonl: line 3: …completion"],
  ['{"prompt": "Q", "answer": "A", "completion": "B"}', "prompt…answer…prompt…answer…completion"],
  ['{"prompt": "Q", "answer": "A", "text": "T"}', "got text…prompt and answer"],
  ['{"messages": [], "text": "T"}', "got messages…text"],
  ['{"messages": []}', "a.jsonl: line 3: messages: …[]"],
  ['{"messages": {"role": "user"}}', "a.jsonl: line 3: messages: …{"],
  ['{"messages": [{"role": "assistant", "content": "A", "weight": 2}]}', "messages[0].weight: …0…1…2"],
  ['{"prompt": 5, "answer": "A"}', "a.jsonl: line 3: prompt: expected a text, got 5"],
  ['{"prompt": "Q", "answer": null}', "a.jsonl: line 3: answer: expected a text, got null"],
  ['{"prompt": "Q", "answer": ""}', "a.jsonl: line 3: answer: …characters"],
  ['{"text": "a", "text": "b"}', "a.jsonl: line 3, column 15: expected every key once"],
])("a line that cannot be read is named with its number: %s", (line, message) => {
  expect(() => read(`{"text": "a"}\n\n${line}\n{"text": "b"}`)).toThrow(facts(message));
});

test("a JSON array over several lines is named as what it is", () => {
  expect(() => read('[\n  {"text": "a"}\n]')).toThrow(facts("a.jsonl: …JSON object…(JSONL)…JSON array…-c '.[]'"));
});
