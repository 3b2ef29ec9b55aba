import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { facts } from "../support/facts.js";
import { missingPackages } from "../support/lock-file.js";
import { maxAbs, maxAbsDiff, product, q8Product, quantization } from "../support/tolerance.js";

const bench = fileURLToPath(new URL("../../bench/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lightning-m1-bench-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Report {
  group: string;
  heats?: { title: string; results: { name: string; rates: Record<string, { median: number }>; report?: object }[] }[];
  series?: { name: string; points: { position: number; prefillHere?: number; abort?: { endedAfterMs: number } }[] }[];
  skipped: { name: string; reason: string }[];
}

function run(groups: string, ...flags: string[]): Report[] {
  const file = join(folder, `${groups}.json`);
  execFileSync(process.execPath, [join(bench, "run.mjs"), "--quick", "--own", "--only", groups, "--json", file, ...flags], {
    cwd: folder,
    stdio: "pipe",
  });
  return JSON.parse(readFileSync(file, "utf8"));
}

describe("the short form of every group runs, without peers and from any directory", () => {
  test.each(["products", "int8", "lightning", "attention", "threads", "model", "profile", "train", "rollouts"])(
    "%s",
    (group) => {
      const [{ heats = [], skipped }] = run(group) as [Report];
      expect(skipped).toEqual([]);
      const results = heats.flatMap(({ results }) => results);
      for (const build of ["simd", "relaxed"]) expect(results.map(({ name }) => name).join()).toContain(`lightning-m1 ${build}`);
      for (const { name, rates } of results) {
        expect(Object.keys(rates).length, name).toBeGreaterThan(0);
        for (const { median } of Object.values(rates)) expect(median, name).toBeGreaterThan(0);
      }
      // Up to 16 processes start, one after the other.
    },
    180_000,
  );

  test("streaming", () => {
    const [{ heats = [], skipped }] = run("streaming") as [Report];
    expect(skipped).toEqual([]);
    const [{ results }] = heats as [NonNullable<Report["heats"]>[number]];
    expect(results.map(({ name }) => name)).toEqual(
      ["simd", "simd 2 threads", "relaxed", "relaxed 2 threads"].map((name) => `lightning-m1 ${name}`),
    );
    for (const { rates } of results) {
      for (const rate of ["hits", "read", "first", "decode"]) expect(rates[rate]!.median, rate).toBeGreaterThan(0);
      // Of so small files most of the time is messages, which nothing hides.
      expect(rates.hidden!.median).toBeLessThan(1);
    }
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("lightning-m1-streaming-"))).toEqual([]);
  });

  test("pretrained", () => {
    const [{ heats = [], skipped }] = run("pretrained") as [Report];
    const browser = existsSync(process.env.CHROMIUM ?? "/usr/bin/chromium");
    expect(skipped.map(({ name }) => name).filter((name) => browser || !name.includes("in a page"))).toEqual([]);
    expect(heats.map(({ title }) => title)).toEqual(["q8", "q4"]);
    for (const { name, rates } of heats.flatMap(({ results }) => results)) {
      for (const rate of ["load", "loaded", "memory", "prefill", "decode"])
        expect(rates[rate]!.median, `${name} ${rate}`).toBeGreaterThan(0);
    }
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("lightning-m1-pretrained-"))).toEqual([]);
  }, 120_000);

  test("long", () => {
    const [{ series = [], skipped }] = run("long") as [Report];
    expect(skipped).toEqual([]);
    expect(series.map(({ name }) => name)).toEqual(["all lightning", "7:1", "all softmax"]);
    for (const { points } of series) expect(points.filter(({ prefillHere }) => prefillHere)).toHaveLength(3);
    expect(series.flatMap(({ points }) => points.filter(({ abort }) => abort))).toHaveLength(1);
  });
});

test("groups and shapes are the caller's", () => {
  const reports = run(" products, int8 ", "--shapes", "3x8x5,1x16x9");
  expect(reports.map(({ group, heats }) => [group, ...heats!.map(({ title }) => title)])).toEqual([
    ["products", "product 3×8×5", "product 1×16×9"],
    ["int8", "product 3×8×5", "product 1×16×9"],
  ]);
});

test.each([
  [
    ["--only", "sums"],
    '--only: expected products, int8, lightning, attention, threads, model, profile, train, rollouts, long, streaming, pretrained, got "sums"',
  ],
  [["--only", "products", "--shapes", "1x2"], '--shapes: expected MxKxN,…, got "1x2"'],
  [["--only", "products", "--shapes", "1x2x0"], '--shapes: expected MxKxN,…, got "1x2x0"'],
  [["--only", "products,long", "--shapes", "1x2x3"], "--shapes: expected with --only products, int8, threads, got long"],
  [["--json", ""], `--json: …""`],
  [["--json", join(folder, "missing/figures.json")], `--json: …file…${JSON.stringify(join(folder, "missing/figures.json"))}`],
  [["--fast"], "'--fast'"],
])("%j is refused at once, in one line", (flags, message) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(bench, "run.mjs"), ...flags], { encoding: "utf8" });
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^bench: .* \(--help shows the options\)\n$/);
  expect(stderr).toMatch(facts(message));
});

test("--help names the groups and every option", () => {
  const { status, stdout } = spawnSync(process.execPath, [join(bench, "run.mjs"), "--help"], { encoding: "utf8" });
  expect(status).toBe(0);
  for (const word of ["attention", "--only", "--shapes", "--own", "--quick", "--json", "--report"]) expect(stdout).toContain(word);
});

test("figures of parts of a group are shown and not kept", () => {
  const kept = () => readdirSync(join(bench, "results")).map((name) => [name, statSync(join(bench, "results", name)).mtimeMs]);
  const before = kept();
  const stdout = execFileSync(process.execPath, [join(bench, "run.mjs"), "--own", "--only", "int8", "--shapes", "1x8x8"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(stdout).toMatch(/not kept.*\n\nint8\n/s);
  expect(kept()).toEqual(before);
});

describe("contestants stand in other harnesses: the product of what they are given, copied in and out", () => {
  const [M, K, N] = [3, 16, 10];
  const A = Float32Array.from({ length: M * K }, (_, i) => Math.sin(i));
  const W = Float32Array.from({ length: K * N }, (_, i) => Math.cos(i));
  const columns = Float32Array.from({ length: N * K }, (_, i) => W[(i % K) * N + Math.floor(i / K)]!);
  const exact = (a: Float32Array) =>
    Float64Array.from({ length: M * N }, (_, i) => {
      const [row, column] = [a.subarray(Math.floor(i / N) * K), columns.subarray((i % N) * K)];
      return Array.from({ length: K }, (_, k) => row[k]! * column[k]!).reduce((sum, term) => sum + term);
    });

  test.each([
    ["contestant.mjs", product(A, columns, K)],
    ["contestant-int8.mjs", K * maxAbs(A) * quantization(127, maxAbs(W)) + q8Product(A, columns, K)],
  ])("%s", async (name, tolerance) => {
    const { setup, prepare } = await import(pathToFileURL(join(bench, name)).href);
    expect(await setup()).toMatch(/lightning-m1 (simd|relaxed)/);
    const given = A.slice();
    const { run, result, dispose } = await prepare({ M, N, K }, given, W);
    for (const first of [A[0]!, -A[1]!]) {
      given[0] = first;
      run();
      expect(maxAbsDiff(result(), exact(given))).toBeLessThanOrEqual(tolerance);
    }
    dispose();
  });
});

test("a report needs what draws, and no peer", () => {
  const drawing = [...readFileSync(join(bench, "plot.mjs"), "utf8").matchAll(/import\("([^"]+)"\)/g)].map(([, name]) => name);
  const { dependencies } = JSON.parse(readFileSync(join(bench, "package.json"), "utf8"));
  expect(Object.keys(dependencies).sort()).toEqual(drawing.sort());
});

test("the peers' versions are exact, and their lock file names no address, and every platform's packages", () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(bench, "package.json"), "utf8"));
  expect(Object.values<string>({ ...dependencies, ...devDependencies }).filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  const lock = readFileSync(join(bench, "package-lock.json"), "utf8");
  expect(lock).not.toMatch(/"resolved"|https?:\/\/[^"]*\.tgz/);
  expect(missingPackages(JSON.parse(lock))).toEqual([]);
});
