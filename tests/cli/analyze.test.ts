import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { PAGES, PALETTE } from "../../src/cli/picture.js";
import { minimaxM1 } from "../../src/index.js";
import { run, temporary, tiny } from "./harness.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function json(...args: string[]) {
  const { exitCode, stdout, stderr } = await run(["analyze", ...args, "--json"]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

function widest(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

test("the published model's numbers, exact", async () => {
  expect(await json("minimax-m1")).toMatchObject({
    parameterCount: 456_089_655_296,
    activatedParameterCount: 45_944_920_064,
    checkpointBytes: 912_210_767_872,
    ratioToDeepSeekR1: { causal: { 65536: expect.any(Number), 100000: expect.any(Number) }, square: { 65536: expect.any(Number) } },
    reportedTrainingCost: { gpuHours: 258_048 },
  });
});

test("as text within 80 columns, without colours where no terminal is", async () => {
  const { exitCode, stdout, stderr } = await run(["analyze", "minimax-m1"]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  for (const part of [
    "456,089,655,296",
    "849.56 GiB (912.21 GB)",
    "45.94 B",
    "44.5 % holds",
    "34.4 % does not",
    "258,048 GPU-hours",
    "6.91 PFLOP",
  ]) {
    expect(stdout).toContain(part);
  }
  expect(widest(stdout)).toBeLessThanOrEqual(80);
  expect(stdout).not.toContain("\u001b");
});

test("the model in the box by default, and whatever has a config.json", async () => {
  const box = await json();
  expect(box).toMatchObject({ name: "the model in the box", parameterCount: 3_411_392, claims: [], readings: [] });
  for (const source of [tiny, join(tiny, "config.json")]) expect((await json(source)).parameterCount).toBe(790_016);
  const folder = temporary();
  writeFileSync(join(folder, "config.json"), JSON.stringify(minimaxM1.source));
  // Known by its numbers, whatever it is called.
  expect((await json(folder)).claims).toHaveLength(2);
});

test("--tokens and --rule", async () => {
  const { flops } = await json("tiny-m1", "--tokens", "1, 7");
  for (const rule of ["causal", "square"]) expect(flops[rule].prompt.map(({ tokens }: { tokens: number }) => tokens)).toEqual([1, 7]);
  expect(flops.square.generation[1].softmaxAttention).toBeGreaterThan(flops.causal.generation[1].softmaxAttention);
  const { stdout } = await run(["analyze", "minimax-m1", "--rule", "square", "--tokens", "65536"]);
  expect(stdout).toContain("7.61 PFLOP");
});

test("--benchmarks: the table, and which claims hold", async () => {
  const { exitCode, stdout } = await run(["analyze", "--benchmarks"]);
  expect(exitCode).toBe(0);
  for (const part of ["63.9", "2.25 points", "not so  80k", "holds   40k"]) expect(stdout).toContain(part);
  expect(widest(stdout)).toBeLessThanOrEqual(84);
  const report = await json("--benchmarks");
  expect(report.tauBenchAverages).toMatchObject({ "MiniMax-M1-80k": 62.75, "MiniMax-M1-40k": 63.9, "DeepSeek-R1": null });
  expect(report.benchmarks).toHaveLength(17);
});

test("the cost of a training", async () => {
  const { exitCode, stdout } = await run(["analyze", "--gpus", "512", "--days", "21", "--dollars", "534700"]);
  expect([exitCode, stdout]).toEqual([0, "  512 GPUs · 21 days · 24 h = 258,048 GPU-hours\n  $534,700 in all, $2.07 for a GPU-hour\n"]);
  expect(await json("--gpus", "8", "--price", "2.5", "--dollars", "4800")).toMatchObject({ days: 10, gpuHours: 1920 });
});

test.each([
  [["--gpus", "8", "--days", "2"], 2, "--gpus, --days, --price, --dollars: expected three of them, got --gpus, --days"],
  [["--gpus", "8", "--days", "2", "--price", "0"], 2, '--price: expected a number above 0, got "0"'],
  [["--gpus", "8", "--days", "2", "--price", "1", "--dollars", "1"], 1, "dollars: expected 384.00 = 8 GPUs · 2 days · 24 h · $1, got 1"],
  [["tiny-m1", "--gpus", "8"], 2, "MODEL: expected without --gpus"],
  [["tiny-m1", "--benchmarks"], 2, "MODEL: expected without --benchmarks"],
  [["--figure", "flops.gif"], 2, '--figure: expected a file that ends in .svg, .png, .json, got "flops.gif"'],
  [["--dark"], 2, "--dark: expected with --figure"],
  [["--tokens", "0"], 2, "--tokens: expected at most five lengths"],
  [["--tokens", "1e3"], 2, "--tokens: expected at most five lengths"],
  [["--rule", "half"], 2, "half"],
  [["no-such-model"], 1, "no-such-model: expected a preset (minimax-m1, tiny-m1), a config.json or a directory with one"],
  [[join(tiny, "missing.json")], 1, "expected a config.json, got nothing (there is no such file)"],
  [[root], 1, "config.json: expected a config.json, got nothing"],
  [["--figure", "/no/such/folder/flops.json"], 1, "/no/such/folder/flops.json: expected a file that can be written"],
])("%j is refused in one line", async (args, code, message) => {
  const { exitCode, stdout, stderr } = await run(["analyze", ...args]);
  expect([exitCode, stdout]).toEqual([code, ""]);
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/\n\s+at /);
});

describe("pictures", () => {
  const figure = async (name: string, ...args: string[]) => {
    const path = join(temporary(), name);
    const { exitCode, stdout } = await run(["analyze", ...args, "--figure", path]);
    expect([exitCode, stdout]).toEqual([0, ""]);
    return readFileSync(path);
  };

  test.each([
    ["comparison", []],
    ["benchmarks", ["--benchmarks"]],
    ["a small model's", ["tiny-m1"]],
  ])("SVG: %s", async (_, args) => {
    const svg = (await figure("figure.svg", ...args)).toString();
    expect(svg).toContain("@media (prefers-color-scheme: dark)");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    const { document } = parseHTML(svg);
    const picture = document.querySelector("svg")!;
    const width = Number(picture.getAttribute("width"));
    // What the panels write has its margins; titles, notes and legends must not be cut. DejaVu Sans, a wide face, takes half of its size for a glyph, bold 0.61.
    const own = [...picture.children].filter(({ tagName }) => tagName.toLowerCase() === "text");
    expect(own.length).toBeGreaterThan(5);
    for (const text of own) {
      const size = Number(text.getAttribute("font-size") ?? 12);
      const glyph = (text.hasAttribute("font-weight") ? 0.64 : 0.55) * size;
      expect(Number(text.getAttribute("x")) + glyph * text.textContent!.length, text.textContent!).toBeLessThanOrEqual(width);
    }
  });

  test("PNG: two pixels for a unit, on a solid page of either kind", async () => {
    for (const [scheme, ...args] of [["light"], ["dark", "--dark"]] as const) {
      const png = await figure("figure.png", "--benchmarks", ...args);
      expect(png.subarray(1, 4).toString()).toBe("PNG");
      expect(png.readUInt32BE(16)).toBe(1800);
      const at = png.indexOf("IDAT");
      const pixels = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)), { finishFlush: 2 });
      // Before the first pixel stands how its row is filtered, which leaves it as it is.
      expect(`#${pixels.subarray(1, 4).toString("hex")}`).toBe(PAGES[scheme].paper);
    }
  });

  test("JSON: the numbers of the figure", async () => {
    const { points, ratioToDeepSeekR1 } = JSON.parse((await figure("figure.json")).toString());
    const at = (model: string) => points.find((point: { model: string; tokens: number }) => point.model === model && point.tokens === 1e6);
    expect(at("MiniMax-M1").causal / at("DeepSeek-R1").causal).toBeCloseTo(0.1005, 4);
    expect(ratioToDeepSeekR1.square["100000"]).toBeCloseTo(0.2224, 4);
  });

  test.each([
    ["generation-flops.svg", []],
    ["benchmarks.svg", ["--benchmarks"]],
  ])("the documentation's %s is what the command draws", async (name, args) => {
    expect(readFileSync(join(root, "docs", name), "utf8")).toBe((await figure("figure.svg", ...args)).toString());
  });

  test("colours are told from either page", () => {
    for (const color of Object.values(PALETTE))
      for (const { paper } of Object.values(PAGES)) expect(contrast(color, paper)).toBeGreaterThanOrEqual(3);
    for (const { ink, paper } of Object.values(PAGES)) expect(contrast(ink, paper)).toBeGreaterThanOrEqual(7);
  });

  test("what draws is loaded only by the picture, when one is asked for", () => {
    const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const using = sources.filter((name) => /@observablehq\/plot|linkedom|resvg-wasm/.test(readFileSync(join(root, "src", name), "utf8")));
    expect(using).toEqual(["cli/picture.ts"]);
    const picture = readFileSync(join(root, "src/cli/picture.ts"), "utf8");
    expect(picture).not.toMatch(/from "(@observablehq\/plot|linkedom|@resvg\/resvg-wasm)"/);
  });
});

/** Of two colours, as WCAG 2 defines it. */
function contrast(one: string, other: string): number {
  const [light, dark] = [one, other].map(luminance).sort((a, b) => b - a);
  return (light! + 0.05) / (dark! + 0.05);
}

function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = Number.parseInt(color.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
