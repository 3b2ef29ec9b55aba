import { expect, test } from "vitest";
import { Conversation, formatChat, InputError, MiniMaxM1 } from "../src/index.js";
import { speaking, tiny } from "./cli/harness.js";

const load = () => MiniMaxM1.load(speaking());

const options = { maxTokens: 8, temperature: 0 };
const user = (content: string) => ({ role: "user" as const, content });

test("each message computes what it adds, and the answers are those of the whole conversation computed anew", async () => {
  using model = await load();
  using conversation = new Conversation(model, { system: "Be brief." });
  const first = await (await conversation.send("Hello", options)).text();
  const opening = await formatChat([{ role: "system", content: "Be brief." }, user("Hello")]);
  expect(first).toBe(await model.generate(model.tokenizer!.encode(opening), options).text());
  const { length } = conversation;
  const generation = await conversation.send("b", { ...options, maxTokens: 1 });
  await generation.text();
  const added = generation.usage.promptTokens! - length;
  expect(added).toBeGreaterThan(0);
  expect(added).toBeLessThan(length);
});

test("saved and loaded, it continues with the same answer; reset forgets", async () => {
  using model = await load();
  using conversation = new Conversation(model);
  const first = await (await conversation.send("Hello", options)).text();
  const bytes = conversation.save();
  const second = await (await conversation.send("More", options)).text();
  using other = new Conversation(model);
  other.load(bytes);
  expect(await (await other.send("More", options)).text()).toBe(second);
  conversation.reset();
  expect(conversation.length).toBe(0);
  expect(await (await conversation.send("Hello", options)).text()).toBe(first);
});

test("a model without a tokenizer is refused, and so are options that generate refuses", async () => {
  using model = await load();
  using plain = await MiniMaxM1.load(tiny);
  expect(() => new Conversation(plain)).toThrow(InputError);
  using conversation = new Conversation(model);
  await expect(conversation.send("Hello", { temperature: -1 })).rejects.toThrow(InputError);
});
