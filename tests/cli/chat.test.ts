import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { AnswerWriter } from "../../src/cli/text/answer-writer.js";
import { openTerminal } from "../../src/cli/text/terminal.js";
import { Conversation } from "../../src/conversation.js";
import { formatChat, MiniMaxM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";
import { Capture, run, speaking, start, temporary } from "./harness.js";

const N = 10;

/** What the library answers when each time the whole conversation is computed anew. */
async function expectedAnswers(directory: string, messages: readonly string[], system?: string): Promise<string[]> {
  const model = await MiniMaxM1.load(directory);
  const encode = (text: string) => [...model.tokenizer!.encode(text)];
  const ids: number[] = [];
  const answers: string[] = [];
  for (const [i, content] of messages.entries()) {
    const user = { role: "user" as const, content };
    const opening = system ? [{ role: "system" as const, content: system }, user] : [user];
    const turn = (await formatChat([user])).replace("<begin_of_document>", "");
    ids.push(...encode(i === 0 ? await formatChat(opening) : `<end_of_sentence>\n${turn}`));
    let answer = "";
    for await (const { id, text, stop } of model.generate([...ids], { maxTokens: N })) {
      ids.push(id);
      answer += text;
      if (stop) expect(stop).toBe("length");
    }
    answers.push(answer);
  }
  model.dispose();
  return answers;
}

test("a piped chat: an answer per line, as if the whole conversation were computed anew", async () => {
  const directory = speaking();
  const { exitCode, stdout, stderr } = await run(["chat", directory, "-n", `${N}`, "--system", "Be brief."], {
    input: "Hello\n\nHow are you?\nBye\n",
  });
  expect([exitCode, stdout]).toEqual([
    0,
    (await expectedAnswers(directory, ["Hello", "How are you?", "Bye"], "Be brief.")).map((answer) => `${answer}\n`).join(""),
  ]);
  expect(stdout + stderr).not.toContain("\u001b");
});

test("only new tokens are computed", async () => {
  const directory = speaking();
  const { stderr } = await run(["chat", directory, "-n", "3"], { input: "a fairly long first message, to be told apart\nb\n" });
  const counts = [...stderr.matchAll(/(\d+) prompt tokens/g)].map((match) => Number(match[1]));
  const turn = "\n<>user name=user\nb<>\n<>ai name=assistant\n".replaceAll("<>", "x").length + 1;
  expect(counts).toHaveLength(2);
  expect(counts[1]).toBe(turn);
});

test("/save and /load go on exactly; /reset begins anew", async () => {
  const directory = speaking();
  const file = join(temporary(), "state");
  const [first, second] = await expectedAnswers(directory, ["Hello", "More"]);
  const args = ["chat", directory, "-n", `${N}`];
  const saved = await run(args, { input: `Hello\n/save ${file}\nMore\n/reset\nHello\n/exit\nMore\n` });
  expect([saved.exitCode, saved.stdout]).toEqual([0, `${first}\n${second}\n${first}\n`]);
  expect(existsSync(file)).toBe(true);
  const loaded = await run(args, { input: `/load ${file}\nMore\n` });
  expect([loaded.exitCode, loaded.stdout]).toEqual([0, `${second}\n`]);
});

test.each([
  ["/load nowhere", "/load…/save…file"],
  ["/load /", "/load /:…/save…directory"],
  ["/save /", "/save /: cannot be written: "],
  ["/frobnicate", "/frobnicate"],
  ["/save", "/save FILE"],
])("%s in a pipe: an error, exit code 1", async (line, message) => {
  const { exitCode, stderr } = await run(["chat", speaking()], { input: `${line}\n` });
  expect(exitCode).toBe(1);
  expect(stderr.split("\n").find((line) => line.startsWith("error: "))).toMatch(facts(message));
});

test("a file that is no session is refused", async () => {
  const directory = speaking();
  const file = join(directory, "state");
  writeFileSync(file, "not a session");
  const { exitCode, stderr } = await run(["chat", directory], { input: `/load ${file}\n` });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: /m);
});

test("a save that fails leaves nothing behind", async () => {
  const directory = temporary();
  await run(["chat", speaking()], { input: `/save ${join(directory, "missing", "state")}\n` });
  expect(readdirSync(directory)).toEqual([]);
});

test("in a terminal Ctrl-C stops an answer and keeps the conversation, errors too, and Ctrl-C at the prompt ends it", async () => {
  const { stdin, stdout, stderr, exitCode } = start(["chat", speaking(), "-n", "4000"], { tty: true, env: { NO_COLOR: "1" } });
  await stderr.has("> ");
  stdin.write("Hello\r");
  while (stdout.text.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
  stdin.write("\u0003");
  await stderr.has("ended by Ctrl-C");
  stdin.write("/load nowhere\r");
  await stderr.has("error: /load");
  stdin.write("More\r");
  const before = stdout.text.length;
  while (stdout.text.length < before + 5) await new Promise((resolve) => setTimeout(resolve, 5));
  stdin.write("\u0003");
  await new Promise((resolve) => setTimeout(resolve, 50));
  stdin.write("\u0003");
  expect(await exitCode).toBe(130);
  expect(stderr.text).not.toContain("    at ");
});

test.each([
  [true, "\u001b[2m<think>why</think>\u001b[22mbecause\n"],
  [false, "<think>why</think>because\n"],
])("reasoning stands between its tags, and is dimmed where there are colours (tty %s)", async (tty, expected) => {
  const stdout = new Capture(tty);
  const { signal } = new AbortController();
  const writer = new AnswerWriter(openTerminal({ stdin: new PassThrough(), stdout, stderr: stdout, env: {}, signal }));
  await writer.push("<think>why</think>because");
  await writer.end();
  expect(stdout.text).toBe(expected);
});

test("the end of an answer that the model wrote itself is not written again", async () => {
  const model = await MiniMaxM1.load(speaking());
  const end = model.tokenizer!.idOf("<end_of_sentence>")!;
  const lengths = [];
  for (const answer of [[5], [5, end]]) {
    const session = model.session();
    await session.append([...model.tokenizer!.encode(await formatChat([{ role: "user", content: "a" }])), ...answer]);
    using conversation = new Conversation(model);
    conversation.load(session.save());
    const before = conversation.length;
    const generation = await conversation.send("b", { maxTokens: 1 });
    await generation.text();
    lengths.push(generation.usage.promptTokens! - before);
  }
  expect(lengths[1]).toBe(lengths[0]! - 1);
  model.dispose();
});

test("the bundled model starts a new conversation for each message, and a hint says so", async () => {
  const { exitCode, stdout, stderr } = await run(["chat", "--no-color"], { input: "Compute 3 + 4 - 2\nCompute 9 - 4 + 1\n" });
  expect(exitCode).toBe(0);
  expect([...stdout.matchAll(/<answer>(\d+)<\/answer>/g)].map(([, answer]) => answer)).toEqual(["5", "6"]);
  expect(stderr).toContain("new conversation");
});
