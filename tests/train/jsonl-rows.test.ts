import { expect, test } from "vitest";
import { parseRows } from "../../src/train/jsonl-rows.js";

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
  expect(warnings).toEqual(['a.jsonl: keys that are not read: "id", "source"']);
});

test.each<[string, string]>([
  ["{", "a.jsonl: line 3, column 2: expected a key"],
  ["plain text", "a.jsonl: line 3, column 1: expected a value"],
  ['{"text": "a"} {"text": "b"}', "a.jsonl: line 3, column 15: expected nothing more"],
  ['"text"', 'a.jsonl: line 3: expected an object, {"prompt": …, "answer": …}, {"messages": [ … ]} or {"text": …}, got "text"'],
  ["[1]", "a.jsonl: line 3: expected one JSON object per line (JSONL), got a JSON array"],
  ["{}", "a.jsonl: line 3: expected one of"],
  ['{"conversations": []}', 'got the keys "conversations"'],
  ['{"prompt": "Q"}', "a.jsonl: line 3: expected an answer beside prompt, got none"],
  ['{"completion": "A"}', "a.jsonl: line 3: expected a prompt beside completion, got none"],
  ['{"prompt": "Q", "answer": "A", "completion": "B"}', "expected one prompt and one answer, got prompt and answer and completion"],
  ['{"prompt": "Q", "answer": "A", "text": "T"}', "got text beside prompt and answer"],
  ['{"messages": [], "text": "T"}', "got messages beside text"],
  ['{"messages": []}', "a.jsonl: line 3: messages: expected a list of messages, got []"],
  ['{"messages": {"role": "user"}}', "a.jsonl: line 3: messages: expected a list of messages, got {"],
  ['{"messages": [{"role": "assistant", "content": "A", "weight": 2}]}', "messages[0].weight: expected 0 or 1, got 2"],
  ['{"prompt": 5, "answer": "A"}', "a.jsonl: line 3: prompt: expected a text, got 5"],
  ['{"prompt": "Q", "answer": null}', "a.jsonl: line 3: answer: expected a text, got null"],
  ['{"prompt": "Q", "answer": ""}', "a.jsonl: line 3: answer: expected a text of one or more characters, got an empty one"],
  ['{"text": "a", "text": "b"}', "a.jsonl: line 3, column 15: expected every key once"],
])("a line that cannot be read is named with its number: %s", (line, message) => {
  expect(() => read(`{"text": "a"}\n\n${line}\n{"text": "b"}`)).toThrow(message);
});

test("a JSON array over several lines is named as what it is", () => {
  expect(() => read('[\n  {"text": "a"}\n]')).toThrow("a.jsonl: expected one JSON object per line (JSONL), got a JSON array (jq -c '.[]'");
});
