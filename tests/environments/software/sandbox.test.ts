// What the sandbox refuses, how runs are cancelled, and how records are told from what others write.

import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { InputError, SandboxError } from "../../../src/base/errors.js";
import { runTests, type TestOptions } from "../../../src/environments/index.js";
import { startFailure } from "../../../src/node/bubblewrap-command.js";
import { encodeInput, RecordReader } from "../../../src/node/record-reader.js";
import { facts } from "../../support/facts.js";
import { childCommandLines, runtimes } from "./sandboxes.js";

const ok = { "a.test.js": `import test from "node:test"; test("a", () => {});` };

describe("projects that are refused", () => {
  test.each([
    ["/etc/passwd", "absolute path"],
    ["C:/x.js", "absolute path"],
    ["../x.js", "may leave the project"],
    ["src/../../x.js", "may leave the project"],
    ["src/..", "may leave the project"],
    ["./x.js", "relative path"],
    ["src//x.js", "relative path"],
    ["src/", "relative path"],
    ["", "relative path"],
    ["a\\b.js", "relative path"],
    ["a\0.js", "relative path"],
    ["a\nb.js", "relative path"],
    [`${"x".repeat(201)}.js`, "relative path"],
    ["x/".repeat(300), "500 characters"],
    ["a.test.js/b.js", "as a file and as a folder"],
  ])("the path %j", async (path, message) => {
    for (const runtime of runtimes) {
      const run = runTests({ files: { ...ok, [path]: "" }, tests: ["a.test.js"] }, { runtime });
      await expect(run).rejects.toThrow(InputError);
      await expect(run).rejects.toThrow(facts(`runTests: project.files…${message}`));
    }
  });

  test.each([
    [undefined, "runTests: project: expected…undefined"],
    [{ files: ok }, "runTests: project.tests: expected an array"],
    [{ files: ok, tests: ["b.test.js"] }, 'runTests: project.tests[0]: expected…got "b.test.js"'],
    [{ files: { ...ok, "a.txt": "" }, tests: ["a.txt"] }, "project.tests[0]…"],
    [{ files: ok, tests: ["a.test.js", "a.test.js"] }, "project.tests: expected unique paths"],
    [{ files: ok, tests: ["a.test.js"], limits: { wallMs: 1 } }, 'project: "limits": unknown field (…Options are the second argument'],
    [{ files: { "a.js": 3 }, tests: [] }, 'project.files["a.js"]: expected the text of the file, got number'],
  ])("%j", async (project, message) => {
    await expect(runTests(project as never)).rejects.toThrow(facts(message));
  });

  test.each([
    [{ runtime: "docker" }, 'runTests: runtime: expected "quickjs" or "bubblewrap", got "docker"'],
    [{ limits: { wallMs: 0 } }, "runTests: limits.wallMs: expected milliseconds"],
    [{ limits: { memory: 1 } }, "runTests: limits.memory: unknown option"],
  ])("the options %j", async (options, message) => {
    await expect(runTests({ files: ok, tests: [] }, options as TestOptions)).rejects.toThrow(facts(message));
  });
});

describe.each(runtimes)("%s", (runtime) => {
  test("a run is cancelled while code runs, and nothing is left", async () => {
    const controller = new AbortController();
    const files = { "a.test.js": "for (;;);" };
    const run = runTests(
      { files, tests: ["a.test.js"] },
      { runtime, signal: controller.signal, limits: { wallMs: 60_000, cpuMs: 60_000 } },
    );
    setTimeout(() => controller.abort(new Error("enough")), 500);
    await expect(run).rejects.toThrow("enough");
    expect(childCommandLines().filter((line) => line.includes("bwrap"))).toEqual([]);
    await expect(runTests({ files: ok, tests: ["a.test.js"] }, { runtime, signal: controller.signal })).rejects.toThrow("enough");
    expect((await runTests({ files: ok, tests: ["a.test.js"] }, { runtime })).results).toEqual({ "a.test.js > a": "passed" });
  });

  test("of two tests with one name both must pass", async () => {
    const text = `import test from "node:test"; test("a", () => { throw new Error("first"); }); test("a", () => {});`;
    const { results, failures } = await runTests({ files: { "a.test.js": text }, tests: ["a.test.js"] }, { runtime });
    expect(results).toEqual({ "a.test.js > a": "failed" });
    expect(failures["a.test.js > a"]).toMatch(/^Error: first\n/);
  });

  test("messages are short, whatever is thrown", async () => {
    const thrown = [
      `"x".repeat(1e6)`,
      `new Error("x".repeat(1e6))`,
      "null",
      `Symbol("x")`,
      `{ get message() { throw 1; } }`,
      `Object.defineProperty(new Error("x"), "message", { get() { throw 1; } })`,
      `new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; } })`,
    ];
    const text = `import test from "node:test"; ${thrown.map((value, i) => `test("${i}", () => { throw ${value}; });`).join("\n")}`;
    const { results, failures } = await runTests({ files: { "a.test.js": text }, tests: ["a.test.js"] }, { runtime });
    expect(Object.values(results)).toEqual(thrown.map(() => "failed"));
    for (const message of Object.values(failures)) expect(message.length).toBeLessThanOrEqual(2000);
  });
});

describe("records of a process", () => {
  const key = new Uint8Array(32).fill(7);
  const line = (number: number, record: unknown, secret = key) => {
    const text = JSON.stringify(record);
    return `\n${createHmac("sha256", secret).update(`${number}:${text}`).digest("hex")} ${text}\n`;
  };

  test("only those with the right code and number are read, in any pieces", () => {
    const other = new Uint8Array(32).fill(8);
    const text = [
      line(0, { a: "ü" }),
      line(0, { a: "again" }),
      line(1, { a: "forged" }, other),
      "no end",
      line(1, { a: 2 }),
      line(3, { a: "too early" }),
      JSON.stringify({ a: "plain" }),
      line(2, { a: 3 }),
    ].join("");
    const bytes = Buffer.from(text);
    for (const size of [1, 7, 64, bytes.length]) {
      const reader = new RecordReader(key);
      for (let at = 0; at < bytes.length; at += size) reader.add(bytes.subarray(at, at + size));
      expect(reader.records).toEqual([{ a: "ü" }, { a: 2 }, { a: 3 }]);
    }
  });

  test("the input has its length before it", () => {
    const bytes = encodeInput(key, { x: "ü" });
    expect(bytes.readUInt32BE()).toBe(bytes.length - 4);
    expect(JSON.parse(bytes.subarray(4).toString())).toEqual({ key: "07".repeat(32), input: { x: "ü" } });
  });
});

test.each([
  ["bwrap: setting up uid map: Permission denied", "AppArmor…sysctl kernel.apparmor_restrict_unprivileged_userns=0"],
  ["bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "AppArmor…profile for bwrap"],
  ["bwrap: No permissions to create new namespace, likely because …", "docker run --security-opt seccomp=unconfined"],
  ["spawn EPERM", "docker run"],
  ["bwrap: execvp /prlimit: No such file or directory", "use the runtime quickjs"],
])("the error of a sandbox that does not start names the remedy: %s", (message, remedy) => {
  const error = startFailure(new Error(message));
  expect(error).toBeInstanceOf(SandboxError);
  expect(error.message).toMatch(facts(`bubblewrap: the sandbox does not start: ${message}…${remedy}`));
});
