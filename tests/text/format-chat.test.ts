import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { InputError } from "../../src/base/errors.js";
import { type ChatMessage, formatChat } from "../../src/text/format-chat.js";
import { parseAssistant } from "../../src/text/parse-assistant.js";
import { chatTemplate } from "../support/chat-template.js";
import { facts } from "../support/facts.js";
import { quick } from "../support/quick.js";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("", "\n", " a ", "{{ x }}", "{% if %}", "'\"\\", "<end_of_sentence>", "<tool_calls>"),
);
const part = fc.record({ type: fc.constant("text" as const), text });
const content = fc.oneof(text, fc.array(part, { minLength: 1, maxLength: 3 }));
const call = fc.record({
  name: fc.string({ minLength: 1, maxLength: 8 }),
  arguments: fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue()),
});
const message: fc.Arbitrary<ChatMessage> = fc.oneof(
  fc.record({ role: fc.constantFrom("system" as const, "user" as const), content }),
  fc.record({
    role: fc.constant("assistant" as const),
    content,
    tool_calls: fc.option(fc.array(call, { maxLength: 2 }), { nil: undefined }),
  }),
  fc.record({ role: fc.constant("tool" as const), name: fc.string({ minLength: 1 }), content }),
);
const tool = fc.dictionary(fc.string({ unit: "binary", maxLength: 8 }), fc.jsonValue(), { maxKeys: 4 });

describe("templates without an end", () => {
  /** Takes all the steps that a template may take. */
  const slow = "macros that call themselves twice";
  /** Takes few steps, and each is long: it ends by the clock, which here runs a second per hundred readings. */
  const endsByTheClock = "loops in loops";

  const messages = [{ role: "user", content: "hi" }] as const;

  const endless: [name: string, template: string, message: RegExp][] = [
    ["a long range", "{% for i in range(1000000000) %}x{% endfor %}", /range: expected at most \d+ items, got 1000000000/],
    ["a range without a step", "{{ range(1, 5, 0) }}", /range: step: expected a number other than 0, got 0/],
    ["an empty range without a step", "{{ range(5, 5, 0) }}", /range: step: expected a number other than 0, got 0/],
    ["a falling range without a step", "{{ range(5, 1, 0) }}", /range: step: expected a number other than 0, got 0/],
    [slow, "{% macro f(f, n) %}{% if n > 0 %}{{ f(f, n - 1) }}{{ f(f, n - 1) }}{% endif %}{% endmacro %}{{ f(f, 60) }}", /template.*ends/],
    [
      endsByTheClock,
      "{% for i in range(1000) %}{% for j in range(1000) if false %}{% endfor %}{% for j in range(100) %}{% for k in range(100) %}{% endfor %}{% endfor %}{% endfor %}",
      /template that ends within 10 s/,
    ],
    [
      "lists that double",
      "{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
      /lists of 1048576 items, got 2097152/,
    ],
    [
      "texts that double",
      "{% set ns = namespace(l='ab') %}{% for i in range(100) %}{% set ns.l = ns.l ~ ns.l %}{% endfor %}",
      /texts of at most 134217728 characters/,
    ],
  ];
  test.each(endless.filter(([name]) => !(quick && name === slow)))("%s: refused", async (name, template, message) => {
    if (name === endsByTheClock) {
      let readings = 0;
      const clock = vi.spyOn(performance, "now").mockImplementation(() => 10 * readings++);
      onTestFinished(() => clock.mockRestore());
    }
    const error = await formatChat(messages, { template }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(/^chat: template: /);
    expect((error as Error).message).toMatch(message);
  });

  test("range, raise_exception and strftime_now are as ever", async () => {
    const template =
      "{{ range(3) | join(',') }} {{ range(1, 6, 2) | join(',') }} {{ range(5, 0, -2) | join(',') }} {{ range(3, 1) | length }} {{ strftime_now('%Y') }}";
    expect(await formatChat(messages, { template })).toBe(`0,1,2 1,3,5 5,3,1 0 ${new Date().getFullYear()}`);
    await expect(formatChat(messages, { template: "{{ raise_exception('no user') }}" })).rejects.toThrow("chat: template: no user");
  });
});

describe("the built-in format", () => {
  test("is what the published template renders", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 6 }),
        fc.array(tool, { maxLength: 3 }),
        fc.boolean(),
        async (messages, tools, addGenerationPrompt) => {
          const options = { tools, addGenerationPrompt };
          expect(await formatChat(messages, options)).toBe(await formatChat(messages, { ...options, template: chatTemplate }));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("of a conversation with tools, written out", async () => {
    const prompt = await formatChat(
      [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "Weather in Zürich?" }] },
        { role: "assistant", content: "Looking.", tool_calls: [{ name: "weather", arguments: { city: "Zürich", days: [1, 2] } }] },
        { role: "tool", content: [{ type: "text", name: "weather", text: "sunny" }] },
        { role: "tool", name: "clock", content: "noon" },
      ],
      { tools: [{ name: "weather", parameters: { city: "ö", "1": [] } }, { name: "clock" }] },
    );
    expect(prompt).toBe(`<begin_of_document><beginning_of_sentence>system ai_setting=assistant
Be brief.<end_of_sentence>
<beginning_of_sentence>system tool_setting=tools
You are provided with these tools:
<tools>
{"name": "weather", "parameters": {"1": [], "city": "ö"}}
{"name": "clock"}
</tools>

If you need to call tools, please respond with <tool_calls></tool_calls> XML tags, and provide tool-name and json-object of arguments, following the format below:
<tool_calls>
{name: <tool-name-1>, arguments: <args-json-object-1>}
...
</tool_calls><end_of_sentence>
<beginning_of_sentence>user name=user
Weather in Zürich?<end_of_sentence>
<beginning_of_sentence>ai name=assistant
Looking.
<tool_calls>
{"name": "weather", "arguments": {"city": "Zürich", "days": [1, 2]}}
</tool_calls><end_of_sentence>
<beginning_of_sentence>tool name=tools
tool name: weather
tool result: sunny

<end_of_sentence>
<beginning_of_sentence>tool name=tools
tool name: clock
tool result: noon

<end_of_sentence>
<beginning_of_sentence>ai name=assistant
`);
  });

  test("strings and lists of parts are the same, and no part is lost", async () => {
    const joined = await formatChat([{ role: "user", content: "one two" }]);
    const parts = [
      { type: "text" as const, text: "one" },
      { type: "text" as const, text: " two" },
    ];
    expect(await formatChat([{ role: "user", content: parts }])).toBe(joined);
    expect(await formatChat([{ role: "user", content: parts }], { template: chatTemplate })).toBe(joined);
  });
});

describe("calls of tools", () => {
  test("in OpenAI's form read as plain ones", async () => {
    const plain = { name: "f", arguments: { a: [1, null], b: "ü\n" } };
    const openai = { id: "call_1", type: "function", function: { name: "f", arguments: '{"a":[1,null],"b":"ü\\n"}' } };
    const [one, other] = await Promise.all(
      [plain, openai].map((each) => formatChat([{ role: "assistant", content: null, tool_calls: [each] }], { addGenerationPrompt: false })),
    );
    expect(other).toBe(one);
    expect(one).toContain(
      'assistant\n<tool_calls>\n{"name": "f", "arguments": {"a": [1, null], "b": "ü\\n"}}\n</tool_calls><end_of_sentence>',
    );
  });

  test("are read back from the turn that they were written into", async () => {
    const head = "<begin_of_document><beginning_of_sentence>ai name=assistant\n";
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.array(call, { minLength: 1, maxLength: 4 }), async (content, tool_calls) => {
        const turn = await formatChat([{ role: "assistant", content, tool_calls }], { addGenerationPrompt: false });
        const answer = parseAssistant(turn.slice(head.length, -"<end_of_sentence>\n".length));
        expect(answer).toEqual({ content, toolCalls: JSON.parse(JSON.stringify(tool_calls)), malformed: [] });
      }),
    );
  });
});

describe("histories as clients send them", () => {
  const user = { role: "user", content: "What time is it?" };
  const asked = (given: object, more: object = {}) => ({
    role: "assistant",
    content: null,
    tool_calls: [{ id: "c1", type: "function", function: { name: "clock", ...given } }],
    ...more,
  });
  const result = { role: "tool", tool_call_id: "c1", content: "12:00" };
  const format = (messages: readonly object[]) => formatChat(messages as ChatMessage[], { addGenerationPrompt: false });
  const said = async (message: object) => {
    const [head, turn] = (await format([user, { role: "assistant", ...message }])).split("ai name=assistant\n");
    expect(head).toContain("What time is it?");
    return turn!.slice(0, -"<end_of_sentence>\n".length);
  };

  test.each<[string, object]>([
    ["missing", {}],
    ["null", { arguments: null }],
    ["undefined", { arguments: undefined }],
    ["empty", { arguments: "" }],
    ["blank", { arguments: " \n" }],
    ['"null"', { arguments: "null" }],
    ['" null "', { arguments: " null " }],
    ["JSON of an empty object", { arguments: "{}" }],
    ["JSON of that JSON", { arguments: '"{}"' }],
    ["an empty object", { arguments: {} }],
  ])("arguments that are %s are none", async (_, given) => {
    expect(await format([user, asked(given), result])).toBe(await format([user, asked({ arguments: "{}" }), result]));
    expect(await said(asked(given))).toBe('<tool_calls>\n{"name": "clock", "arguments": {}}\n</tool_calls>');
    expect(await said({ tool_calls: [{ name: "clock", ...given }] })).toBe(await said(asked(given)));
  });

  test.each<[string, string, string]>([
    ["cut off", '{"zone": ', '{"zone": '],
    ["cut off inside a line", '{\n  "zone": "Eur', '{ "zone": "Eur'],
    ["a list", "[1]", "[1]"],
    ["a sentence", "noon", "noon"],
    ["a sentence as JSON", '"noon"', "noon"],
  ])("arguments that are no object's JSON reach the prompt as they are: %s", async (_, given, written) => {
    const text = await said(asked({ arguments: given }));
    expect(text).toBe(`<tool_calls>\n{"name": "clock", "arguments": ${written}}\n</tool_calls>`);
    expect(parseAssistant(text)).toMatchObject({ content: "", toolCalls: [], malformed: [{ line: text.split("\n")[1] }] });
    // The turn after it is read as ever.
    expect(await format([user, asked({ arguments: given }), result, user])).toContain("tool name: clock\ntool result: 12:00");
  });

  test.each<[string, object]>([
    ["nothing else", {}],
    ["tool_calls null", { tool_calls: null }],
    ["tool_calls []", { tool_calls: [] }],
    ["name null", { name: null }],
    ["what OpenAI's client keeps", { refusal: null, annotations: [], audio: null, function_call: null, tool_calls: null }],
    ["annotations", { annotations: [{ type: "url_citation" }] }],
    ["reasoning null", { reasoning_content: null, reasoning: null }],
    ["empty reasoning", { reasoning_content: "", reasoning: "" }],
  ])("null is absent: an assistant with %s", async (_, more) => {
    expect(await said({ content: "noon", ...more })).toBe("noon");
    for (const content of [null, undefined, [], ""]) expect(await said({ content, ...more })).toBe("");
    expect(await said(more)).toBe("");
  });

  test("null is absent in the messages of others", async () => {
    const plain = await format([{ role: "system", content: "Be brief." }, user, asked({}), result]);
    const nulls = { name: null, tool_calls: null, refusal: null, tool_call_id: null };
    const part = { type: "text", text: "What time is it?", name: null, cache_control: null };
    expect(
      await format([
        { role: "system", content: "Be brief.", ...nulls },
        { ...user, content: [part], ...nulls },
        asked({}, { name: null, refusal: null }),
        { ...result, name: null, tool_calls: null },
      ]),
    ).toBe(plain);
  });

  test.each<[object, string]>([
    [{ content: null, reasoning_content: "why" }, "<think>why"],
    [{ reasoning: "why" }, "<think>why"],
    [{ content: [], reasoning: "why" }, "<think>why"],
    [{ content: "", reasoning_content: "why" }, "<think>why</think>"],
    [{ content: "so", reasoning_content: "why" }, "<think>why</think>so"],
    [{ content: "so", reasoning: "why", reasoning_content: null }, "<think>why</think>so"],
    [{ content: "so", reasoning: "why", reasoning_content: "" }, "<think>why</think>so"],
    [{ content: "so", reasoning: "why", reasoning_content: "why" }, "<think>why</think>so"],
    [{ content: [{ type: "text", text: "so" }], reasoning: "why" }, "<think>why</think>so"],
    [{ content: "<think>why</think>so", reasoning: "why" }, "<think>why</think>so"],
    [{ content: null, refusal: "No." }, "No."],
    [{ content: [{ type: "refusal", refusal: "No." }] }, "No."],
    [
      { content: null, reasoning: "why", tool_calls: [{ name: "clock" }] },
      '<think>why</think>\n<tool_calls>\n{"name": "clock", "arguments": {}}\n</tool_calls>',
    ],
    [{ content: "", function_call: { name: "clock", arguments: "" } }, '<tool_calls>\n{"name": "clock", "arguments": {}}\n</tool_calls>'],
  ])("what an assistant said, from %j", async (message, text) => {
    expect(await said(message)).toBe(text);
  });

  test("parts without text are empty", async () => {
    for (const part of [{ type: "text", text: null }, { type: "text" }, { type: "refusal", refusal: null }]) {
      expect(await said({ content: [part] })).toBe("");
      expect(await said({ content: [part, { type: "text", text: "noon" }] })).toBe("noon");
      expect(await format([{ role: "user", content: [part] }])).toBe(await format([{ role: "user", content: "" }]));
    }
  });

  test("other names of roles", async () => {
    const call = { name: "clock", arguments: {} };
    const plain = [
      { role: "system", content: "Be brief." },
      user,
      { role: "assistant", function_call: call },
      { role: "tool", content: "1" },
    ];
    const named = plain.map((message) => ({
      ...message,
      role: { system: "developer", tool: "function" }[message.role] ?? message.role,
    }));
    expect(await format(named)).toBe(await format(plain));
  });

  test.each([
    [5, "5"],
    [[1], "[1]"],
    [[], "[]"],
    [true, "true"],
  ])("arguments %j reach the prompt as their JSON does", async (given, json) => {
    const call = (value: unknown) => said({ tool_calls: [{ function: { name: "clock", arguments: value } }] });
    expect(await call(given)).toBe(await call(json));
    expect(await call(given)).toContain(`"arguments": ${json}}`);
  });

  test("a call with its name beside an empty function", async () => {
    expect(await said({ tool_calls: [{ function: null, name: "clock" }] })).toBe(
      '<tool_calls>\n{"name": "clock", "arguments": {}}\n</tool_calls>',
    );
  });

  test("results find their calls by id, by name, and in order", async () => {
    const calls = ["a", "b", "a"].map((name, i) => ({ id: `c${i}`, function: { name } }));
    const bare = ["a", "b"].map((name) => ({ function: { name } }));
    const names = async (results: readonly object[], tool_calls: readonly object[] = calls) =>
      [
        ...(await format([{ role: "assistant", tool_calls }, ...results.map((one) => ({ role: "tool", content: "x", ...one }))])).matchAll(
          /tool name: (.*)/g,
        ),
      ].map((match) => match[1]);
    expect(await names([{ tool_call_id: "c1" }, { tool_call_id: "c0" }])).toEqual(["b", "a"]);
    expect(
      await names([
        { tool_call_id: "c1", name: null },
        { tool_call_id: "c0", name: "other" },
      ]),
    ).toEqual(["b", "other"]);
    expect(await names([{}, { tool_call_id: null }], bare)).toEqual(["a", "b"]);
    expect(await names([{ content: null }, { content: [] }, { content: "" }])).toEqual(["a", "b", "a"]);
    // A result with an id answers a call that has lost its own, and numbers are ids too.
    expect(await names([{ tool_call_id: "c7" }, { tool_call_id: "c8" }], bare)).toEqual(["a", "b"]);
    expect(await names([{ tool_call_id: "7" }], [{ id: 7, function: { name: "a" } }])).toEqual(["a"]);
    expect(await names([{ tool_call_id: 7 }], [{ id: "7", function: { name: "a" } }])).toEqual(["a"]);
    // Ids that come again belong to the latest open call.
    const again = [
      { role: "assistant", tool_calls: [{ id: "c", function: { name: "a" } }] },
      { role: "tool", tool_call_id: "c", content: "1" },
      { role: "assistant", tool_calls: [{ id: "c", function: { name: "b" } }] },
      { role: "tool", tool_call_id: "c", content: "2" },
    ];
    expect(await format(again)).toMatch(/tool name: a\ntool result: 1[\s\S]*tool name: b\ntool result: 2/);
  });
});

describe("another template", () => {
  test("reads parts, tools, the generation prompt and further variables", async () => {
    const template =
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}:{{ m.content[0].text }}]{% endfor %}{{ tools is none }}{{ add_generation_prompt }}";
    expect(await formatChat([{ role: "user", content: "hi" }], { template, variables: { bos_token: "<s>" } })).toBe("<s>[user:hi]truetrue");
  });

  test.each(["{% for %}", "{{ raise_exception('roles must alternate') }}", "{{ messages[0].content[0] + 1 }}"])(
    "%s fails with its reason",
    async (template) => {
      await expect(formatChat([{ role: "user", content: "hi" }], { template })).rejects.toThrow(InputError);
      await expect(formatChat([{ role: "user", content: "hi" }], { template })).rejects.toThrow("chat: template: ");
    },
  );
});

describe("bad input names its place", () => {
  const hi = { role: "user", content: "hi" };
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const cases: [string, unknown, string][] = [
    ["no messages", [], "messages:"],
    ["messages that are text", "hi", "messages:"],
    ["a message that is text", [hi, "hi"], "messages[1]: expected a message"],
    ["an unknown role", [hi, { role: "wizard", content: "" }], 'messages[1].role: …"wizard"'],
    ["no content", [hi, { role: "user" }], "messages[1].content: expected text"],
    ["an empty list of parts", [{ role: "user", content: [] }], "messages[0].content: expected text"],
    ["an image", [{ role: "user", content: [{ type: "text", text: "" }, { type: "image" }] }], "messages[0].content[1]: expected a part"],
    ["a part without text", [{ role: "user", content: [{ type: "text", text: 5 }] }], "messages[0].content[0]: expected a part"],
    ["a result of no tool", [hi, { role: "tool", content: "4" }], "messages[1].name: …name"],
    [
      "calls by the user",
      [{ ...hi, tool_calls: [{ name: "f", arguments: {} }] }],
      "messages[0].tool_calls: expected tool calls in assistant messages only",
    ],
    ["calls that are no list", [{ role: "assistant", content: "", tool_calls: {} }], "messages[0].tool_calls: expected a list"],
    ["a call that is null", [{ role: "assistant", tool_calls: [null] }], "messages[0].tool_calls[0]: expected a call"],
    [
      "a call without a function",
      [{ role: "assistant", tool_calls: [{ function: null }] }],
      "messages[0].tool_calls[0].name: expected the name",
    ],
    ["a call without a name", [{ role: "assistant", tool_calls: [{ arguments: {} }] }], "messages[0].tool_calls[0].name: expected"],
    [
      "arguments that are a big number",
      [{ role: "assistant", tool_calls: [{ name: "f", arguments: 5n }] }],
      "tool_calls[0].arguments: …JSON",
    ],
    [
      "arguments that are a function",
      [{ role: "assistant", tool_calls: [{ name: "f", arguments: () => 5 }] }],
      "tool_calls[0].arguments: expected plain JSON, got",
    ],
    ["a result of a call that is not there", [{ role: "tool", tool_call_id: "c9", content: "4" }], 'instead of "c9", got nothing'],
    ["spoken audio", [{ role: "assistant", content: null, audio: { id: "a" } }], "messages[0].audio: expected text only"],
    [
      "reasoning that is no text",
      [{ role: "assistant", content: "", reasoning: { effort: "low" } }],
      "messages[0].reasoning: expected text",
    ],
    [
      "arguments that JSON cannot hold",
      [{ role: "assistant", tool_calls: [{ name: "f", arguments: circular }] }],
      "tool_calls[0].arguments: expected plain JSON",
    ],
  ];
  test.each(cases)("%s", async (_, messages, text) => {
    const error = await formatChat(messages as ChatMessage[]).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InputError);
    expect(String(error)).toMatch(facts(text));
  });

  test.each([
    ["a string", ["f"]],
    ["circular", [circular]],
    ["a bigint", [{ n: 1n }]],
  ])("a tool that is %s", async (_, tools) => {
    await expect(formatChat([{ role: "user", content: "hi" }], { tools: tools as never })).rejects.toThrow("chat: tools[0]: expected");
  });
});

describe("contents reach a template as it reads them", () => {
  const messages = [
    { role: "system", content: "be brief" },
    {
      role: "user",
      content: [
        { type: "text", text: "h" },
        { type: "text", text: "i" },
      ],
    },
  ] as const;

  test.each([
    ["strings by key", "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"],
    ["strings by attribute, trimmed", "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}{% endfor %}"],
    ["strings, concatenated", "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '' }}{% endfor %}"],
    ["the first part", "{% for m in messages %}<|{{ m.role }}|>{{ m['content'][0]['text'] }}{% endfor %}"],
    ["every part", "{% for m in messages %}<|{{ m.role }}|>{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"],
    [
      "selected parts",
      "{% for m in messages %}<|{{ m.role }}|>{% for p in m['content'] | selectattr('type', 'equalto', 'text') %}{{ p.text }}{% endfor %}{% endfor %}",
    ],
    [
      "either",
      "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}",
    ],
  ])("%s", async (_, template) => {
    expect(await formatChat(messages, { template })).toBe("<|system|>be brief<|user|>hi");
  });
});
