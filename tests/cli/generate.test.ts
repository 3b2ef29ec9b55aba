import { cpSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";
import { greedy, run, speaking, start, temporary, tiny } from "./harness.js";

const { prompt, continuation } = greedy();
const ids = prompt.join(",");

test("ids in, the published code's greedy ids out; all else on stderr", async () => {
  const { exitCode, stdout, stderr } = await run(["generate", tiny, "--ids", ids, "-n", "24"]);
  expect(exitCode).toBe(0);
  expect(stdout.trim().split(" ").map(Number)).toEqual(continuation);
  expect(stderr).toMatch(/16 prompt tokens in [\d.]+ s, 24 generated at [\d.]+ tokens\/s, ended by length$/m);
});

test("--json: a line per token, then a summary line", async () => {
  const { exitCode, stdout } = await run(["generate", tiny, "--ids", ids, "--max-tokens", "24", "--json"]);
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(exitCode).toBe(0);
  expect(lines.slice(0, -1).map(({ id }) => id)).toEqual(continuation);
  for (const { logprob } of lines.slice(0, -1)) expect(logprob).toBeLessThan(0);
  expect(lines.at(-1)).toMatchObject({ stop: "length", promptTokens: 16, generatedTokens: 24 });
});

test.each([
  [[], undefined],
  [["--temperature", "0", "--top-k", "5", "--seed", "7"], undefined],
  [["--seed", "7"], undefined],
  [["--temperature", "1", "--seed", "7"], 7],
  [["--top-p", "0.9", "--seed", "7"], 7],
  [["--min-p", "0", "--seed", "4294967295"], 4294967295],
])("the seed is told where it matters: %j, %s", async (options, seed) => {
  const args = ["generate", tiny, "--ids", ids, "-n", "2", ...options];
  const { stdout } = await run([...args, "--json"]);
  expect(JSON.parse(stdout.trimEnd().split("\n").at(-1)!).seed).toBe(seed);
  const { stderr } = await run(args);
  expect(/seed (\d+)$/m.exec(stderr)?.[1]).toBe(seed === undefined ? undefined : `${seed}`);
});

test.each([
  [["--top-p", "3"], '--top-p: …number…(0, 1]…"3"'],
  [["--top-p", "0"], "--top-p"],
  [["--min-p", "1.5"], '--min-p: …number…[0, 1]…"1.5"'],
  [["-n", "0"], '--max-tokens: …integer…1…"0"'],
  [["-n", " "], "-n, --max-tokens"],
  [["--max-tokens=-3"], "--max-tokens"],
  [["--temperature=-1"], '--temperature: …number…0…"-1"'],
  [["--temperature", "Infinity"], "--temperature"],
  [["--top-k", "0"], "--top-k"],
  [["--repetition-penalty", "0"], "--repetition-penalty"],
  [["--seed", "4294967296"], '--seed: …integer…[0, 2^32)…"4294967296"'],
  [["--seed=-1"], "--seed"],
  [["--stop", ""], "--stop"],
  [["--stop-ids", "1,,2"], "--stop-ids"],
  [["--threads", "0"], '--threads: …"auto"…integer…[1, 64]…"0"'],
  [["--threads", "65"], "--threads"],
  [["--budget", "1GiB"], "--budget: …--residency"],
  [["--residency", "resident", "--budget", "1GiB"], "--budget: …--residency"],
  ...["", "big", "1 PiB", "0", "-1", "1.2.3", "1e9", "GiB"].map((size): [string[], string] => [
    ["--residency", "streamed", `--budget=${size}`],
    `--budget: …512MiB… 1.5GB…number…${JSON.stringify(size)}`,
  ]),
  [["--residency", "elsewhere"], "elsewhere"],
])("%j is refused before anything is loaded, by generate and chat", async (options, message) => {
  for (const args of [
    ["generate", "no/such/model", "--prompt", "x"],
    ["chat", "no/such/model"],
  ]) {
    const { exitCode, stdout, stderr } = await run([...args, ...options]);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr.startsWith("error: ")).toBe(true);
    expect(stderr).toMatch(facts(message));
    expect(stderr).not.toContain("no/such/model");
  }
});

test("ids may be parted by commas, spaces or both", async () => {
  const outputs = ["1,2,3", "1 2 3", " 1, 2 ,3\n"].map(async (text) => (await run(["generate", tiny, "--ids", text, "-n", "3"])).stdout);
  expect(new Set(await Promise.all(outputs)).size).toBe(1);
});

test("--threads auto is the default", async () => {
  const threads = async (...args: string[]) =>
    /on (\d+ threads?)/.exec((await run(["generate", tiny, "--ids", "1", "-n", "1", ...args])).stderr)?.[1];
  expect(await threads("--threads", "auto")).toBe(await threads());
  expect(await threads("--threads", "3")).toBe("3 threads");
});

test("--residency streamed with a --budget gives the same ids", async () => {
  for (const budget of ["1MiB", "1.5 mb", "700000", "1GiB"]) {
    const { exitCode, stdout } = await run(["generate", tiny, "--ids", ids, "-n", "24", "--residency", "streamed", "--budget", budget]);
    expect([exitCode, stdout.trim().split(" ").map(Number)], budget).toEqual([0, continuation]);
  }
  const { exitCode, stderr } = await run(["generate", tiny, "--ids", ids, "--residency", "streamed", "--budget", "1KiB"]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: load: budgetBytes:.*[\d.]+ KiB.*1 KiB/);
});

test("--stop-ids ends the generation", async () => {
  const { stdout } = await run(["generate", tiny, "--ids", ids, "--stop-ids", `${continuation[3]}`]);
  expect(stdout.trim().split(" ").map(Number)).toEqual(continuation.slice(0, 4));
});

test("the same seed gives the same tokens, another one others", async () => {
  const sampled = async (seed: number) =>
    (await run(["generate", tiny, "--ids", ids, "-n", "16", "--temperature", "1", "--seed", `${seed}`])).stdout;
  expect(await sampled(1)).toBe(await sampled(1));
  expect(await sampled(1)).not.toBe(await sampled(2));
});

test("text from --prompt and from stdin is the same text to the library", async () => {
  const directory = speaking();
  const model = await MiniMaxM1.load(directory);
  let expected = "";
  for await (const { text } of model.generate("Once upon", { maxTokens: 12 })) expected += text;
  model.dispose();
  const given = await run(["generate", directory, "--prompt", "Once upon", "-n", "12"]);
  const piped = await run(["generate", directory, "-n", "12"], { input: "Once upon\n" });
  expect([given.exitCode, given.stdout]).toEqual([0, `${expected}\n`]);
  expect([piped.exitCode, piped.stdout]).toEqual([0, `${expected}\n`]);
});

test("--stop may be given more than once", async () => {
  const directory = speaking();
  const whole = (await run(["generate", directory, "--prompt", "Once", "-n", "12"])).stdout.slice(0, -1);
  const stop = whole.slice(2, 4);
  const { stdout } = await run(["generate", directory, "--prompt", "Once", "-n", "12", "--stop", "never there", "--stop", stop]);
  expect(stdout).toBe(`${whole.slice(0, whole.indexOf(stop))}\n`);
});

test("--chat answers a user's message", async () => {
  const directory = speaking();
  const model = await MiniMaxM1.load(directory);
  let expected = "";
  const messages = [
    { role: "system" as const, content: "Be brief." },
    { role: "user" as const, content: "Hello" },
  ];
  for await (const { text } of model.generate(messages, { maxTokens: 12 })) expected += text;
  model.dispose();
  const { exitCode, stdout } = await run(["generate", directory, "--chat", "--system", "Be brief.", "--prompt", "Hello", "-n", "12"]);
  expect([exitCode, stdout]).toEqual([0, `${expected}\n`]);
});

test("control characters reach a pipe as they are and a terminal as symbols", async () => {
  const directory = speaking();
  const args = ["generate", directory, "--prompt", "x", "-n", "400", "--temperature", "1", "--seed", "1", "--no-color"];
  const piped = await run(args);
  const shown = await run(args, { tty: true });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
  expect(piped.stdout).toMatch(control);
  expect(shown.stdout).not.toMatch(control);
});

test("a damaged checkpoint is one error line and exit code 1", async () => {
  const directory = temporary();
  cpSync(tiny, directory, { recursive: true });
  truncateSync(join(directory, "model.safetensors"), 100_000);
  const { exitCode, stdout, stderr } = await run(["generate", directory, "--ids", ids]);
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^error: model\.safetensors: .*truncated.*\n$/);
});

test.each([[["--ids", "1,2,9999"], "token 2: …integer…[0, 320)…9999"]])(
  "generate %j: exit code 1, one error line",
  async (args, message) => {
    const { exitCode, stdout, stderr } = await run(["generate", tiny, ...args]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    const errors = stderr.split("\n").filter((line) => line.startsWith("error: "));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(facts(message));
    expect(stderr).not.toContain("    at ");
  },
);

test.each([
  [["generate"], "expected a prompt"],
  [["generate", tiny, "--ids", "1", "--prompt", "x"], "got both"],
  [["generate", tiny, "--prompt", "text"], "error: prompt: …--ids…checkpoint"],
  [["generate", tiny, "--ids", "1", "--stop", "."], "error: --stop: …--stop-ids"],
  [["generate", tiny, "--prompt", ""], 'error: --prompt: …""'],
  [["chat", tiny], "error: chat: …checkpoint"],
  [["generate", tiny, "--ids", "one"], "--ids"],
  [["generate", tiny, "--ids", ""], "--ids"],
  [["generate", tiny, "--ids", "1,,2"], '--ids: …1,2,3…"1,,2"'],
  [["generate", tiny, "--ids", "1,2,"], "--ids"],
  [["generate", tiny, "--ids", "1", "-n", "many"], "--max-tokens: …integer"],
  [["generate", tiny, "--ids", "1", "--seed", "0.5"], "--seed: expected an integer"],
  [["generate", tiny, "--ids", "1", "--dtype", "int4"], "int4"],
  [["generate", tiny, "--ids"], "--ids"],
  [["generate", tiny, "more", "--ids", "1"], "more"],
  [["generate", tiny, "--unknown"], "--unknown"],
  [["generate", tiny, "--system", "x", "--prompt", "x"], "--chat"],
  [["frobnicate"], "frobnicate"],
  [["constructor"], 'command: expected generate, …, got "constructor"'],
  [[], "command: expected …, got none"],
  [["generate", "hello"], 'SOURCE: …directory…hub id, got "hello"…--prompt "hello"'],
  [["generate", tiny, "--unknown=1"], "--unknown: expected an option of this command, got"],
  [["generate", tiny, "-x"], "-x: expected an option of this command, got"],
  [["generate", tiny, "--ids"], "--ids: expected a value, got none"],
  [["generate", tiny, "--seed", "-n", "3"], "--seed: expected a value, got the option -n…--seed=-n"],
  [["generate", tiny, "--json=yes"], '--json: expected no value, got "yes"'],
  [["generate", tiny, "--kv", "f16"], '--kv: expected q8, bf16 or f32, got "f16"'],
  [["train"], "CONFIG: expected a value, got none"],
  [["analyze", "--rule", "half"], '--rule: expected causal or square, got "half"'],
])("%j is misuse: exit code 2", async (args, message) => {
  const { exitCode, stdout, stderr } = await run(args);
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^error: .*\nSee lightning-m1 .*--help\n$/);
  expect(stderr).toMatch(facts(message));
});

test("a prompt is asked for where stdin is a terminal", async () => {
  const { stderr, exitCode } = start(["generate", tiny], { tty: true });
  expect(await exitCode).toBe(2);
  expect(stderr.text).toContain("expected a prompt");
});

test("errors of the library name the option of the command line", async () => {
  const { stderr } = await run(["generate", "https://example.com/m/", "--prompt", "x", "--local-files-only"]);
  expect(stderr).toContain("(--local-files-only is set;");
});

test("stdin that is not UTF-8", async () => {
  const invocation = start(["generate", tiny]);
  invocation.stdin.end(Buffer.from([0xff, 0xfe]));
  expect(await invocation.exitCode).toBe(1);
  expect(invocation.stderr.text).toContain("stdin: expected UTF-8");
});

test("--debug adds the stack", async () => {
  const { stderr } = await run(["generate", tiny, "--ids", "9999", "--debug"]);
  expect(stderr).toMatch(/^error: .*token 0/m);
  expect(stderr).toMatch(/^ {4}at /m);
});
