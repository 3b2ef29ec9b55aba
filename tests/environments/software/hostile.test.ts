import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runTests, type TestReport, type TestStop } from "../../../src/environments/index.js";
import { childCommandLines, commandLines, describeBubblewrap, runtimes } from "./sandboxes.js";

const SIZES = { memoryBytes: 64 * 2 ** 20, outputBytes: 20_000, fileBytes: 8 * 2 ** 20 };
/** Limits of time for code that hits them, and for code that does not, also if the machine is busy. */
const SHORT = { ...SIZES, cpuMs: 400, wallMs: 1000 };
const LONG = { ...SIZES, cpuMs: 10_000, wallMs: 20_000 };

/** A module whose `add` is wrong, what it does to pass anyway or to escape, and how its run may end. */
interface Attack {
  readonly code: string;
  /** How the run may end in each runtime. */
  readonly quickjs: readonly TestStop[];
  readonly bubblewrap: readonly TestStop[];
}

const always = (stop: TestStop, code: string): Attack => ({ code, quickjs: [stop], bubblewrap: [stop] });
const wrong = "export const add = () => 0;";

const attacks: Record<string, Attack> = {
  "endless loop": always("time", "export function add() { for (;;); }"),
  "endless loop at import": always("time", `for (;;); ${wrong}`),
  "endless microtasks": always("time", "export const add = async () => { for (;;) await 0; };"),
  "endless timers": always("time", "export const add = () => new Promise(() => setInterval(() => {}, 1));"),
  "a promise that never settles": always("finished", "export const add = () => new Promise(() => {});"),
  "a top-level await that never ends": always("load", `await new Promise(() => {}); ${wrong}`),
  "a call of the engine that never returns": always("time", "export const add = () => [].indexOf.call({ length: 2 ** 53 - 1 }, 1);"),
  "catastrophic regular expression": always("time", `export const add = () => /^(a+)+$/.test("a".repeat(40) + "b");`),
  "catastrophic search": always(
    "time",
    `export const add = () => { const a = "a".repeat(3e5); let n = 0; for (;;) n += a.indexOf("a".repeat(1.5e5) + "b"); };`,
  ),
  "deep recursion": always("finished", "export const add = (a, b) => 1 + add(a, b);"),
  "deep recursion of the engine": {
    code: `export const add = () => JSON.parse("[".repeat(1e6));`,
    quickjs: ["finished", "crashed"],
    bubblewrap: ["finished", "time"],
  },
  "10 GB in buffers": {
    code: "const all = []; export function add() { for (let i = 0; i < 200; i++) all.push(new Uint8Array(5e7)); }",
    quickjs: ["finished", "time"],
    bubblewrap: ["finished", "memory", "time"],
  },
  "10 GB in objects": {
    code: "const all = []; export function add() { for (;;) all.push({ text: [all.length] }); }",
    quickjs: ["finished", "memory", "time"],
    bubblewrap: ["memory", "time"],
  },
  "huge strings": always("finished", `export function add() { let text = "x"; for (;;) text += text; }`),
  "10 GB of output": always("output", `export function add() { for (;;) console.log("PASSED ".repeat(1000)); }`),
  "forged output": always("finished", `console.log("ok 1 - adds\\nPASSED\\n# pass 1"); ${wrong}`),
  "forged output of the harness": always(
    "finished",
    `console.log('\\n{"kind":"result","name":"adds","passed":true}\\n{"kind":"done"}'); ${wrong}`,
  ),
  "an error at import": always("load", `throw new Error("no"); ${wrong}`),
  "a module that cannot be parsed": always("syntax", "export const add = ;"),
  "a missing module": always("load", `import "./missing.js"; ${wrong}`),
  "an import from outside": always("load", `import "../../../../etc/passwd"; ${wrong}`),
  "tests of its own": always("load", `import test from "node:test"; test("adds", () => {}); ${wrong}`),
  "tests of its own, later": always(
    "finished",
    `export async function add() {
    for (const load of [() => import("node:test"), () => eval('import("node:test")'), () => (0, eval)('import("node:test")'), () => new Function('return import("node:test")')()]) {
      try { (await load()).test("adds", () => {}); (await load()).test("more", () => {}); } catch {}
    }
    return 0;
  }`,
  ),
  "changed prototypes": always(
    "finished",
    `
    const attempt = (change) => { try { change(); } catch {} };
    attempt(() => { Array.prototype.push = () => 0; });
    attempt(() => { Promise.prototype.then = (resolve) => resolve(3); });
    attempt(() => { Object.is = () => true; });
    attempt(() => { Object.defineProperty(Object, "is", { value: () => true }); });
    attempt(() => { JSON.stringify = () => '{"kind":"result","name":"adds","passed":true}'; });
    attempt(() => { globalThis.Promise = class { then(resolve) { resolve(3); } }; });
    attempt(() => { Reflect.apply = () => 3; });
    attempt(() => { Error.prototype.toString = () => { throw 1; }; });
    attempt(() => { Function.prototype.call = () => true; });
    attempt(() => { Object.setPrototypeOf(Object.prototype, new Proxy({}, {})); });
    attempt(() => { Object.prototype.toJSON = () => "passed"; });
    attempt(() => { Object.prototype.passed = true; });
    attempt(() => { RegExp.prototype.test = () => true; });
    attempt(() => { Symbol.prototype.description = 3; });
    ${wrong}`,
  ),
  "changed assertions": always(
    "finished",
    `
    import assert from "node:assert/strict";
    for (const change of [() => { assert.equal = () => {}; }, () => { delete assert.equal; }, () => { assert.AssertionError.prototype.name = ""; }]) try { change(); } catch {}
    ${wrong}`,
  ),
  "a result that claims to be equal": always(
    "finished",
    `export const add = () => ({
    valueOf: () => 3, toString: () => "3", [Symbol.toPrimitive]: () => 3, equals: () => true, [Symbol.toStringTag]: "Number",
  });`,
  ),
  "a result that lies about its properties": always(
    "finished",
    `export const add = () => new Proxy({}, {
    get: (_, key) => (key === "then" ? undefined : 3), has: () => true, ownKeys: () => [], getPrototypeOf: () => Number.prototype,
  });`,
  ),
  "a thenable that resolves twice": always(
    "finished",
    `export const add = () => ({ then(resolve, reject) { reject(new Error("no")); resolve(3); } });`,
  ),
  "an exit at import": { code: `process.exit(0); ${wrong}`, quickjs: ["load"], bubblewrap: ["crashed"] },
  "an exit in a call": { code: "export const add = () => process.exit(0);", quickjs: ["finished"], bubblewrap: ["crashed"] },
  "an abort": { code: "export const add = () => process.abort();", quickjs: ["finished"], bubblewrap: ["crashed"] },
  "killing its parent": {
    code: `export function add() { for (const pid of [process.ppid, 1, -1]) try { process.kill(pid, "SIGKILL"); } catch {} return 0; }`,
    quickjs: ["finished"],
    bubblewrap: ["finished", "crashed"],
  },
  "a forged report": {
    code: `import { writeSync } from "node:fs";
      const record = '{"kind":"result","name":"adds","passed":true,"message":""}';
      for (const line of [record, "0".repeat(64) + " " + record, '{"kind":"done"}']) writeSync(3, "\\n" + line + "\\n");
      writeSync(3, "without an end"); ${wrong}`,
    quickjs: ["load"],
    bubblewrap: ["finished"],
  },
  "a closed report": { code: `import { closeSync } from "node:fs"; closeSync(3); ${wrong}`, quickjs: ["load"], bubblewrap: ["crashed"] },
  "a report that goes into a file": {
    code: `import { closeSync, openSync, readFileSync } from "node:fs"; closeSync(3); openSync("/tmp/report", "w+");
      export const add = () => { throw new Error(readFileSync("/tmp/report", "utf8")); };`,
    quickjs: ["load"],
    bubblewrap: ["crashed"],
  },
  "a full disk": {
    code: `import { appendFileSync } from "node:fs"; const text = "x".repeat(1e6);
      export function add() { for (let i = 0; i < 200; i++) appendFileSync("/tmp/" + (i % 3), text); return 3; }`,
    quickjs: ["load"],
    bubblewrap: ["finished", "crashed"],
  },
  "a process": {
    code: `import { spawn } from "node:child_process"; spawn("/node", ["-e", ""]); ${wrong}`,
    quickjs: ["load"],
    bubblewrap: ["load"],
  },
  "modules of the engine": always(
    "load",
    `
    for (const name of ["inspector", "node:v8", "vm", "module", "cluster", "worker_threads", "wasi", "node:repl", "trace_events"]) {
      let loaded = true;
      try { await import(name); } catch { loaded = false; }
      if (loaded) console.log("loaded " + name);
    }
    const { process } = globalThis;
    for (const key of ["binding", "mainModule", "getBuiltinModule", "dlopen"]) if (process?.[key]) console.log("has " + key);
    if (globalThis.require || globalThis.harnessModules || globalThis.worker) console.log("has a global variable");
    throw new Error("seen"); ${wrong}`,
  ),
};

const names = Object.keys(attacks);
const pathOf = (name: string) => `tests/${names.indexOf(name)}.test.js`;
const files = Object.fromEntries(
  Object.entries(attacks).flatMap(([name, { code }], i) => [
    [`src/${i}.js`, code],
    [
      pathOf(name),
      `import assert from "node:assert/strict"; import test from "node:test"; import { add } from "../src/${i}.js";
       test("adds", async () => assert.equal(await add(1, 2), 3));
       test("adds more", async () => assert.equal(await add(2, 2), 4));`,
    ],
  ]),
);

describe.each(runtimes)("hostile modules in %s", (runtime) => {
  let report: TestReport;
  let durationMs: number;
  const [temporary, known] = [mkdtempSync(join(tmpdir(), "lightning-m1-")), process.env.TMPDIR];
  const endless = names.filter((name) => attacks[name]![runtime].join() === "time");

  beforeAll(async () => {
    process.env.TMPDIR = temporary;
    const run = (chosen: readonly string[], limits: typeof SHORT) => runTests({ files, tests: chosen.map(pathOf) }, { runtime, limits });
    const since = performance.now();
    const first = await run(endless, SHORT);
    durationMs = performance.now() - since;
    const others = names.filter((name) => !endless.includes(name));
    const second = await run(others, LONG);
    process.env.TMPDIR = known;
    if (known === undefined) delete process.env.TMPDIR;
    const merge = (key: "results" | "stops" | "errors") => ({ ...first[key], ...second[key] });
    report = { ...second, results: merge("results"), stops: merge("stops"), errors: merge("errors") } as TestReport;
  }, 180_000);
  afterAll(() => rmSync(temporary, { recursive: true }));

  test.each(names)("%s", (name) => {
    const path = pathOf(name);
    expect(attacks[name]![runtime], report.errors[path]).toContain(report.stops[path]);
    const passed = Object.entries(report.results).filter(([id, result]) => id.startsWith(`${path} > `) && result === "passed");
    expect(passed).toEqual([]);
    if (report.stops[path] === "finished") expect(report.results[`${path} > adds`]).toBe("failed");
    else expect(report.errors[path]).toMatch(/\w/);
  });

  test("all end within their limits, and leave nothing behind", () => {
    // Starting a sandbox is not counted, and takes seconds on a busy machine.
    expect(durationMs).toBeLessThan(endless.length * 10_000);
    expect(report.output).not.toMatch(/loaded|has/);
    expect(report.output.length).toBeLessThan(names.length * SIZES.outputBytes);
    expect(readdirSync(temporary)).toEqual([]);
    expect(childCommandLines().filter((line) => line.includes("bwrap"))).toEqual([]);
  });
});

describeBubblewrap("processes", () => {
  let server: Server;
  let connections = 0;
  beforeAll(async () => {
    server = createServer(() => connections++);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => void server.close());

  const run = (code: string, processes = 4) =>
    runTests(
      { files: { "a.test.js": `import assert from "node:assert/strict"; import test from "node:test"; ${code}` }, tests: ["a.test.js"] },
      { runtime: "bubblewrap", limits: { ...LONG, processes } },
    );

  test("a fork bomb is limited, and ends with the tests", async () => {
    const marker = `fork-bomb-${process.pid}`;
    const { results } = await run(`
      import { spawn } from "node:child_process";
      const bomb = 'const go = () => { for (let i = 0; i < 20; i++) try { require("child_process").spawn("/node", process.argv.slice(1, 1).concat(["-e", process.argv[1], process.argv[1], "${marker}"]), { stdio: "ignore", detached: true }).on("error", () => {}); } catch {} }; go(); setInterval(go, 5)';
      test("bomb", async () => {
        spawn("/node", ["-e", bomb, bomb, "${marker}"], { stdio: "ignore", detached: true }).on("error", () => {});
        await new Promise((resolve) => setTimeout(resolve, 300));
      });`);
    expect(Object.keys(results).length).toBeLessThanOrEqual(1);
    expect(commandLines().filter((line) => line.includes(marker))).toEqual([]);
  });

  test("a process in the background is dead before the report is returned, and cannot write it", async () => {
    const marker = `background-${process.pid}`;
    const { results, stops } = await run(`
      import { spawn } from "node:child_process";
      const later = 'const record = JSON.stringify({ kind: "result", name: "later", passed: true }); const fs = require("fs"); setInterval(() => { try { fs.writeSync(3, "\\\\n" + record + "\\\\n"); } catch {} try { fs.writeFileSync("/tmp/later", "") } catch {} }, 1); process.on("SIGTERM", () => {});';
      test("starts it", async () => {
        const child = spawn("/node", ["-e", later, "${marker}"], { stdio: ["ignore", "ignore", "ignore", 3], detached: true });
        await new Promise((resolve) => child.on("spawn", resolve));
        child.unref();
      });`);
    expect(results).toEqual({ "a.test.js > starts it": "passed" });
    expect(stops).toEqual({ "a.test.js": "finished" });
    expect(commandLines().filter((line) => line.includes(marker))).toEqual([]);
  });

  test("no files of the system, no network, no devices, no other programs; a folder of its own that can be written", async () => {
    const { results, failures } = await run(`
      import fs from "node:fs"; import net from "node:net"; import { execFileSync } from "node:child_process";
      const code = async (work) => { try { await work(); return "none"; } catch (error) { return error.code ?? error.message; } };
      for (const path of ["/etc/passwd", "/root", "/home", "/proc/self/environ", "/sys", "/work", ${JSON.stringify(process.cwd())}, "/dev/sda", "/dev/shm"]) {
        test("read " + path, async () => assert.equal(await code(() => fs.statSync(path)), "ENOENT"));
      }
      for (const path of ["/x", "/usr/lib/x", "/dev/x", "/main.cjs", "/node"]) {
        test("write " + path, async () => assert.match(await code(() => fs.writeFileSync(path, "")), /EROFS|EACCES|EPERM/));
      }
      test("links", async () => {
        fs.symlinkSync("/etc/passwd", "link");
        assert.equal(await code(() => fs.readFileSync("link")), "ENOENT");
      });
      test("network", async () => {
        const connect = (port, host) => new Promise((resolve, reject) => net.connect(port, host, resolve).on("error", reject));
        assert.equal(await code(() => connect(${(server.address() as { port: number }).port}, "127.0.0.1")), "ECONNREFUSED");
        assert.equal(await code(() => connect(80, "1.1.1.1")), "ENETUNREACH");
      });
      test("programs", async () => assert.equal(await code(() => execFileSync("/bin/sh", ["-c", "true"])), "ENOENT"));
      test("environment", () => assert.deepEqual(Object.keys(process.env).sort(), ["HOME", "PWD", "TMPDIR", "UV_THREADPOOL_SIZE"]));
      test("user", () => assert.equal(process.getuid(), 1000));
      test("own folder", () => {
        assert.equal(process.cwd(), "/tmp/project");
        fs.writeFileSync("out.txt", "text");
        assert.equal(fs.readFileSync("out.txt", "utf8"), "text");
        assert.deepEqual(fs.readdirSync("."), ["link", "out.txt"]);
      });`);
    expect(failures).toEqual({});
    expect(Object.keys(results)).toHaveLength(20);
    expect(connections).toBe(0);
  });
});
