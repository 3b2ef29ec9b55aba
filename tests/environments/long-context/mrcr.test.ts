// openai/mrcr: reading rows, the score, and conversations of our own in the same form.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateMrcr, type MrcrRow, mrcr, parseMrcr, scoreMrcr, sequenceRatio, totalReward } from "../../../src/environments/index.js";
import { InputError } from "../../../src/index.js";
import { answerOnce, countWords } from "./support.js";

interface Message {
  readonly role: string;
  readonly content: string;
}
const messagesOf = ({ prompt }: MrcrRow): Message[] => JSON.parse(prompt);

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const row: MrcrRow = {
  prompt: JSON.stringify([
    { role: "user", content: "Write a haiku about rain." },
    { role: "assistant", content: "Rain on the tin roof" },
    { role: "user", content: "Repeat it behind Xq7." },
  ]),
  answer: "Xq7Rain on the tin roof",
  random_string_to_prepend: "Xq7",
  n_needles: 1,
  desired_msg_index: 0,
  total_messages: 3,
  n_chars: 66,
};

describe("scoreMrcr", () => {
  test.each([
    ["the answer", "Xq7Rain on the tin roof", 1],
    ["no random string", "Rain on the tin roof", 0],
    ["something before it", "Here it is: Xq7Rain on the tin roof", 0],
    ["white space before it", " Xq7Rain on the tin roof", 0],
    ["reasoning before it", "<think>Xq7?</think>\n\nXq7Rain on the tin roof", 1],
    ["the end of reasoning twice", "<think>a</think>b</think>Xq7Rain on the tin roof", 1],
    ["reasoning without end", "<think>Xq7Rain on the tin roof", 0],
    ["nothing after it", "Xq7", 0],
    // Python 3.11: SequenceMatcher(None, "Rain on a roof", "Rain on the tin roof").ratio()
    ["another text", "Xq7Rain on a roof", 0.7647058823529411],
    ["nothing", "", 0],
  ])("%s", (_, response, expected) => expect(scoreMrcr(row, response)).toBeCloseTo(expected, 12));

  test("compares the response with the answer, not the answer with the response", () => {
    const [answer, response] = ["tide", "diet"];
    expect(sequenceRatio(answer, response)).not.toBe(sequenceRatio(response, answer));
    expect(scoreMrcr({ answer: `Z${answer}`, random_string_to_prepend: "Z" }, `Z${response}`)).toBe(sequenceRatio(response, answer));
  });

  test("an environment of one turn", async () => {
    const trace = await answerOnce(mrcr, row, row.answer);
    expect([trace.stop_condition, totalReward(trace)]).toEqual(["terminated", 1]);
    expect(trace.nodes.slice(0, 3).map(({ message: { role, content } }) => ({ role, content }))).toEqual(messagesOf(row));
    expect(totalReward(await answerOnce(mrcr, row, "Xq7Rain on a roof"))).toBeCloseTo(0.7647058823529411, 12);
  });
});

describe("parseMrcr", () => {
  test("reads JSON Lines with empty lines, line ends of Windows and further fields; and arrays", () => {
    const more = { ...row, date_added: "2025-12-05" };
    expect(parseMrcr(`\uFEFF${JSON.stringify(row)}\r\n\n${JSON.stringify(more)}\n`)).toEqual([row, more]);
    expect(parseMrcr(`\n${JSON.stringify([row, more], null, 2)}`)).toEqual([row, more]);
    expect(parseMrcr("")).toEqual([]);
  });

  test.each([
    ["a line that is not JSON", "{", 'file: line 2: expected JSON, got "{"'],
    ["a line that is not an object", "3", "file: line 2: expected an object, got 3"],
    ["a missing field", { answer: undefined }, "file: line 2: answer: expected a value, got none"],
    ["another type", { n_needles: "2" }, 'file: line 2: n_needles: expected an integer of at least 1, got "2"'],
    ["a prompt that is not JSON", { prompt: "hello" }, 'file: line 2: prompt: expected a JSON string of messages, got "hello"'],
    ["a prompt without messages", { prompt: "[]" }, "file: line 2: prompt: messages: expected at least one message, got 0"],
    ["a message without role", { prompt: '[{"content":"a"}]' }, "file: line 2: prompt: 0.role: expected messages { role, content }"],
    [
      "another role",
      { prompt: '[{"role":"me","content":"a"}]' },
      'file: line 2: prompt: 0.role: expected system, user or assistant, got "me"',
    ],
    ["another answer", { answer: "abcdef" }, 'file: line 2: answer: expected a text that begins with random_string_to_prepend, got "abc"'],
  ])("refuses %s", (_, change, message) => {
    const line = typeof change === "string" ? change : JSON.stringify({ ...row, ...change });
    const attempt = () => parseMrcr(`${JSON.stringify(row)}\n${line}`, "file");
    expect(attempt).toThrow(InputError);
    expect(attempt).toThrow(message);
  });

  test("names the row in an array", () => {
    expect(() => parseMrcr(JSON.stringify([row, 1]))).toThrow("mrcr: row 2: expected an object, got 1");
  });
});

describe("generateMrcr", () => {
  test("asks for the n-th of equal requests", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 8 }), fc.nat(7), (seed, needles, other) => {
        const ordinal = 1 + (other % needles);
        const generated = generateMrcr({ length: 30_000, seed, needles, ordinal });
        expect(parseMrcr(JSON.stringify(generated))).toEqual([generated]);
        const messages = messagesOf(generated);
        const { random_string_to_prepend: begin, desired_msg_index: index, answer } = generated;
        const request = messages[index]!;
        const equal = messages.flatMap(({ content }, i) => (content === request.content ? [i] : []));
        expect(equal.length).toBe(needles);
        expect(equal[ordinal - 1]).toBe(index);
        expect(answer).toBe(begin + messages[index + 1]!.content);
        expect(messages.map(({ role }) => role)).toEqual(messages.map((_, i) => (i % 2 === 0 ? "user" : "assistant")));
        const subject = /^Write a (.*)\.$/.exec(request.content)![1]!;
        expect(messages.at(-1)!.content).toContain(
          `the ${["1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th"][ordinal - 1]} ${subject}`,
        );
        expect(messages.at(-1)!.content).toContain(begin);
        expect(messages.slice(0, -1).some(({ content }) => content.includes(begin))).toBe(false);
        // All texts are different, and so are their scores.
        const texts = messages.flatMap(({ role, content }) => (role === "assistant" ? [content] : []));
        expect(new Set(texts).size).toBe(texts.length);
        expect(scoreMrcr(generated, answer)).toBe(1);
        for (const i of equal) if (i !== index) expect(scoreMrcr(generated, begin + messages[i + 1]!.content)).toBeLessThan(0.9);
        expect([generated.n_needles, generated.total_messages, generated.n_chars]).toEqual([
          needles,
          messages.length,
          messages.reduce((sum, { content }) => sum + content.length, 0),
        ]);
      }),
      { numRuns: 12 },
    );
  });

  test("is as long as the options say, and the same for the same options", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 6000, max: 30_000 }), fc.boolean(), (seed, length, tokens) => {
        const options = { seed, length, ...(tokens && { countTokens: countWords }) };
        const generated = generateMrcr(options);
        const texts = messagesOf(generated).map(({ content }) => (tokens ? countWords(content) : content.length));
        const total = texts.reduce((a, b) => a + b, 0);
        expect(total).toBeLessThanOrEqual(length);
        expect(total).toBeGreaterThan(length - 2500);
        expect(generateMrcr(options)).toEqual(generated);
        expect(generateMrcr({ ...options, seed: (seed ^ 1) >>> 0 })).not.toEqual(generated);
      }),
      { numRuns: 10 },
    );
  });

  test("other requests share the kind or the topic", () => {
    const generated = generateMrcr({ length: 60_000, seed: 2 });
    const messages = messagesOf(generated);
    const parts = (text: string) => /^Write a (.*) about (.*)\.$/.exec(text)?.slice(1) ?? [];
    const [kind, topic] = parts(messages[generated.desired_msg_index]!.content);
    const others = messages.filter(({ role }) => role === "user").map(({ content }) => parts(content));
    expect(others.filter(([one, other]) => one === kind && other !== topic).length).toBeGreaterThan(5);
    expect(others.filter(([one, other]) => one !== kind && other === topic).length).toBeGreaterThan(5);
    expect(others.filter(([one, other]) => one !== kind && other !== topic).length).toBeGreaterThan(5);
  });

  test("refuses options that are not possible", () => {
    expect(() => generateMrcr({ length: 9000, needles: 2, ordinal: 3 })).toThrow(
      "ordinal: expected at most 2, the number of needles, got 3",
    );
    expect(() => generateMrcr({ length: 9000, needles: 101 })).toThrow("needles: expected at most 100, got 101");
    expect(() => generateMrcr({ length: 300 })).toThrow(/^generateMrcr: length: expected at least \d+ characters for this task, got 300$/);
  });
});
