import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAssistant, parseToolCalls, ReasoningSplitter } from "../../src/text/parse-assistant.js";
import { facts } from "../support/facts.js";

describe("reasoning", () => {
  test.each([
    ["<think>why</think>so", { reasoning: "why", content: "so" }],
    ["\n <think>\nwhy\n</think>\n\nso", { reasoning: "\nwhy\n", content: "\n\nso" }],
    ["<think></think>so", { reasoning: "", content: "so" }],
    ["<think>cut of", { reasoning: "cut of", content: "" }],
    ["<think>cut </thi", { reasoning: "cut </thi", content: "" }],
    ["<think>a<think>b</think>c</think>d", { reasoning: "a<think>b", content: "c</think>d" }],
    ["so <think>why</think>", { content: "so <think>why</think>" }],
    ["why</think>so", { content: "why</think>so" }],
    ["<thin", { content: "<thin" }],
    [" \n", { content: " \n" }],
    ["", { content: "" }],
  ])("%j", (text, expected) => {
    expect(parseAssistant(text)).toEqual({ ...expected, toolCalls: [], malformed: [] });
  });

  test("begins with the text where the prompt ended inside <think>", () => {
    expect(parseAssistant("why</think>so", { insideThink: true })).toMatchObject({ reasoning: "why", content: "so" });
    expect(parseAssistant("why", { insideThink: true })).toMatchObject({ reasoning: "why", content: "" });
    expect(parseAssistant("", { insideThink: true })).toMatchObject({ reasoning: "", content: "" });
  });

  test("in any cut, deltas joined are the parts of the whole", () => {
    const pieces = fc.array(fc.constantFrom("<think>", "</think>", "<", "</", "<th", "ink>", "/think>", " ", "\n", "why", "so", "é"), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(pieces, fc.array(fc.nat({ max: 60 }), { maxLength: 10 }), fc.boolean(), (list, cuts, insideThink) => {
        const text = list.join("");
        const splitter = new ReasoningSplitter({ insideThink });
        const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
        const deltas = [...at.slice(1).map((end, i) => splitter.push(text.slice(at[i], end))), splitter.end()];
        const joined = {
          reasoning: deltas.map((delta) => delta.reasoning).join(""),
          content: deltas.map((delta) => delta.content).join(""),
        };
        const whole = parseAssistant(text, { insideThink });
        expect(joined).toEqual({ reasoning: whole.reasoning ?? "", content: whole.content });
        expect(splitter.thought).toBe(whole.reasoning !== undefined);
        const tags =
          Number(splitter.thought && !insideThink) * "<think>".length +
          Number(text !== joined.reasoning && splitter.thought) * "</think>".length;
        expect(text.length).toBeGreaterThanOrEqual(joined.reasoning.length + joined.content.length);
        expect(text.trimStart().length).toBeLessThanOrEqual(joined.reasoning.length + joined.content.length + tags);
      }),
      { numRuns: 1000 },
    );
  });

  test("only what may be the beginning of a tag is held back", () => {
    const splitter = new ReasoningSplitter();
    const pushed = [" <thi", "nk>w", "hy </", "b> </thin", "k>", "so <think>", "!"].map((text) => splitter.push(text));
    expect(pushed.map(({ reasoning, content }) => [reasoning, content])).toEqual([
      ["", ""],
      ["w", ""],
      ["hy ", ""],
      ["</b> ", ""],
      ["", ""],
      ["", "so <think>"],
      ["", "!"],
    ]);
    expect(splitter.end()).toEqual({ reasoning: "", content: "" });
  });
});

describe("calls of tools", () => {
  const f = { name: "f", arguments: { a: 1 } };
  const line = '{"name": "f", "arguments": {"a": 1}}';

  test.each([
    ["one", `<tool_calls>\n${line}\n</tool_calls>`, "", [f]],
    ["two with text around", `before\n<tool_calls>\n${line}\n\n${line}\n</tool_calls>\nafter`, "before\nafter", [f, f]],
    ["two blocks", `<tool_calls>\n${line}\n</tool_calls>-\n<tool_calls>\r\n${line}\r\n</tool_calls>`, "-", [f, f]],
    ["one in one line", `<tool_calls>${line}</tool_calls>.`, ".", [f]],
    ["no end", `<tool_calls>\n${line}`, "", [f]],
    ["none", "<tool_calls>\n</tool_calls>", "", []],
    [
      "an end inside an argument",
      '<tool_calls>\n{"name": "f", "arguments": {"a": "</tool_calls>"}}\n</tool_calls>',
      "",
      [{ name: "f", arguments: { a: "</tool_calls>" } }],
    ],
    [
      "the same in one line",
      '<tool_calls>{"name": "f", "arguments": {"a": "</tool_calls>"}}</tool_calls>x',
      "x",
      [{ name: "f", arguments: { a: "</tool_calls>" } }],
    ],
    ["the tag in a sentence", "write <tool_calls> tags", "write <tool_calls> tags", []],
  ])("%s", (_, text, content, toolCalls) => {
    expect(parseAssistant(text)).toEqual({ content, toolCalls, malformed: [] });
  });

  test("in reasoning are no calls", () => {
    expect(parseAssistant(`<think><tool_calls>\n${line}\n</tool_calls></think>no`)).toMatchObject({ content: "no", toolCalls: [] });
  });

  test.each([
    ["{'name': 'f', 'arguments': {}}", "expected JSON"],
    ['{"name": "f", "arguments": {"a": ', "expected JSON"],
    ["null", "expected a JSON object"],
    ["[]", "name: expected"],
    ['{"arguments": {}}', "name: expected"],
    ['{"name": "f"}', "arguments: …JSON object"],
    ['{"name": "f", "arguments": "{}"}', "arguments: …JSON object"],
    ['{"name": "f", "arguments": []}', "arguments: …JSON object"],
    [`{"name": "f", "arguments": {"a": ${"[".repeat(50_000)}${"]".repeat(50_000)}}}`, "arguments: expected at most 100 levels"],
  ])("%s is reported beside the good ones", (bad, error) => {
    const answer = parseAssistant(`a\n<tool_calls>\n${line}\n${bad}\n${line}\n</tool_calls>b`);
    expect(answer).toMatchObject({
      content: "ab",
      toolCalls: [f, f],
      malformed: [{ line: bad, error: expect.stringMatching(facts(error)) }],
    });
  });

  test("very many closing tags in a string that does not end are read in linear time", () => {
    const began = performance.now();
    const tags = "</tool_calls>".repeat(60_000);
    expect(parseToolCalls(`<tool_calls>{"name": "${tags}`).malformed).toMatchObject([{ line: '{"name": "' }]);
    expect(parseToolCalls(`<tool_calls>{"name": "${tags}\\"", "arguments": {}}${tags}`).toolCalls).toHaveLength(1);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test("no text is lost and nothing throws: every line is content, a call, or malformed", () => {
    const pieces = fc.array(fc.constantFrom("<tool_calls>", "</tool_calls>", "\n", " ", line, "{", '"', "word", "<tool", ">"), {
      maxLength: 14,
    });
    fc.assert(
      fc.property(pieces, (list) => {
        const text = list.join("");
        const { content, toolCalls, malformed } = parseToolCalls(text);
        const letters = (part: string): string =>
          part
            .replaceAll(/<\/?tool_calls>|\s/g, "")
            .split("")
            .sort()
            .join("");
        const calls = toolCalls.map((call) => JSON.stringify(call)).join("");
        expect(letters(content + malformed.map((each) => each.line).join("") + calls)).toBe(letters(text));
      }),
      { numRuns: 1000 },
    );
  });
});
