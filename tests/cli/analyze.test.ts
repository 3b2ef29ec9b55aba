import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { deploymentMemory, ggufTensors, guideClaims } from "../../src/analysis/index.js";
import { PAGE_COLORS, PALETTE } from "../../src/cli/figures/figure.js";
import { estimateMemory, graph, hypeNet2B, minimaxM1, tinyM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";
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

test("HypeNet-2B: dense MLPs, memory in this library, and no server, because vLLM does not implement it", async () => {
  const { parameterCount, flops, memory } = await json("hypenet-2b");
  expect(parameterCount).toBe(graph(hypeNet2B).parameterCount);
  expect(flops.causal.generation[0]).toMatchObject({ mlp: 1024 * 2 * 28 * 3 * 2048 * 6144, experts: 0, router: 0 });
  expect(memory.server).toEqual([]);
  const of = (dtype: string) =>
    memory.library.find((one: { dtype: string; context: number }) => one.dtype === dtype && one.context === 4096);
  expect(of("q4")).toMatchObject({ fits: true, weightsBytes: estimateMemory(hypeNet2B, { dtype: "q4" }).weightsBytes });
  expect(of("q8")).toMatchObject({ fits: true, weightsBytes: estimateMemory(hypeNet2B, { dtype: "q8" }).weightsBytes });
  const { stdout } = await run(["analyze", "hypenet-2b"]);
  expect(stdout).toContain("dense MLP");
  expect(stdout).not.toContain("GPUs that hold the model");
  expect(widest(stdout)).toBeLessThanOrEqual(80);
});

test("the published model by default, the bundled model by its name, and whatever has a config.json", async () => {
  expect(await json()).toEqual(await json("minimax-m1"));
  expect(await json("m1-puzzles")).toMatchObject({ name: "m1-puzzles", parameterCount: 3_411_392, claims: [], readings: [] });
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

describe("memory", () => {
  test("the published model's, as the library counts it", async () => {
    const { memory } = await json("minimax-m1");
    expect([memory.contexts, memory.batch]).toEqual([[4096, 131_072, 1_048_576], 1]);
    const known = graph(minimaxM1);
    const server = (weights: string, context: number) =>
      memory.server.find((one: { weights: string; context: number }) => one.weights === weights && one.context === context);
    for (const [weights, context, h800, h200] of [
      ["experts_int8", 1_048_576, 8, 4],
      ["bf16", 131_072, 16, 8],
    ] as const) {
      const found = server(weights, context);
      expect(found).toMatchObject({ ...deploymentMemory(known, { weights, context }) });
      const needed = Object.fromEntries(found.gpus.map((gpu: { name: string; needed: number }) => [gpu.name, gpu.needed]));
      expect(needed).toMatchObject({ H800: h800, H200: h200 });
    }
    expect(memory.guideClaims).toEqual(guideClaims(known));
    expect(memory.library).toHaveLength(5 * 3 * 3);
    for (const { dtype, kv, residency, context, ...estimate } of memory.library) {
      const how = residency === "streamed" ? { residency } : { dtype };
      expect(estimate).toEqual(estimateMemory(known, { ...how, kv, context }));
      expect(estimate.fits).toBe(residency === "streamed" && context === 4096);
    }
  });

  test("as text: what holds it, what the guide says, and that it has to be streamed here", async () => {
    const { stdout } = await run(["analyze", "minimax-m1"]);
    for (const line of [
      /weights, experts_int8 +447.09 GiB/,
      /keys and values, bf16 +160 MiB +5 GiB +40 GiB/,
      /experts_int8, 1,048,576 +8 +8 +4 +4/,
      /bf16, 131,072 +16 +16 +8 +8/,
      /one sequence of +2,000,000 on 8 H800\n +--max-num-seqs 1, 95 % of memory +holds \(3,234,736\)/,
      /one sequence of +5,000,000 on 8 H20\n +--max-num-seqs 1, 95 % of memory +holds \(6,257,280\)/,
      /--max-num-seqs 256, 90 % of memory +does not \(703,536\)/,
      /V0 engine sets 256 and 0\.90/,
      /streamed, kv in q8 +\S+ GiB fits +\S+ GiB no/,
      /residency: "streamed"/,
    ]) {
      expect(stdout).toMatch(line);
    }
  });

  test("a small model's: one GPU, no guide, no streaming; no more tokens than it knows", async () => {
    const { stdout } = await run(["analyze", "m1-puzzles"]);
    expect(stdout).toMatch(/bf16, 4,096 +1 +1 +1 +1\n/);
    expect(stdout).toMatch(/total, f32 +\S+ MiB fits/);
    expect(stdout).not.toMatch(/guide|streamed/);
    expect((await json("m1-puzzles")).memory.contexts).toEqual([4096]);
  });

  test("in llama.cpp: the tensors of each format, caches and states of softmax and lightning layers, at most 256 sequences", async () => {
    const { memory } = await json("minimax-m1", "--context", "4096,200k", "--batch", "2");
    for (const { weights, context, weightsBytes, keyValueBytes, stateBytes, activationBytes, totalBytes } of memory.llamaCpp) {
      expect(weightsBytes).toBe(ggufTensors(minimaxM1, weights).reduce((sum, { bytes }) => sum + bytes, 0));
      expect([keyValueBytes, stateBytes]).toEqual([2 * Math.ceil(context / 256) * 256 * 40 * 1024, 2 * 280 * 2 ** 20]);
      expect(totalBytes).toBe(weightsBytes + keyValueBytes + stateBytes + activationBytes);
    }
    expect(memory.llamaCpp.length).toBe(12);
    const { stdout } = await run(["analyze"]);
    expect(stdout).toContain("total, Q4_K_M (weights: 257.93 GiB)");
    const page = readFileSync(join(root, "docs/analysis.md"), "utf8");
    const rows = [...stdout.matchAll(/total, (\w+) \(weights: (.*?)\) +(\S+ GiB) +(\S+ GiB) +(\S+ GiB)/g)];
    expect(rows.length).toBe(6);
    for (const [, format, ...cells] of rows) expect(page).toContain(`| total, \`${format}\` | ${cells.join(" | ")} |`);
    for (const args of [["minimax-m1", "--batch", "257"], ["hypenet-2b"]]) expect((await json(...args)).memory.llamaCpp).toEqual([]);
  });

  test("--context and --batch", async () => {
    const { memory } = await json("tiny-m1", "--context", "16, 64", "--batch", "3");
    expect(memory).toMatchObject({ contexts: [16, 64], batch: 3 });
    const bytes = memory.server.map(({ keyValueBytes }: { keyValueBytes: number }) => keyValueBytes);
    expect(bytes[1]).toBe(4 * bytes[0]);
    expect(bytes[0]).toBe(deploymentMemory(tinyM1, { context: 16 }).keyValueBytes * 3);
    const { stdout } = await run(["analyze", "minimax-m1", "--context", "10240000", "--batch", "1000000"]);
    expect(stdout).toMatch(/bf16, 10,240,000 +none +none +none +none/);
  });
});

test("whatever the numbers, no line is wider than a terminal, none is no number", async () => {
  const most = 2 ** 31 - 1;
  const folder = temporary();
  const huge = { vocab_size: most, hidden_size: most, intermediate_size: most, max_position_embeddings: most };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...tinyM1.source, ...huge, head_dim: 4096 }));
  for (const args of [
    ["tiny-m1", "--tokens", "1000000000,1000000000,1000000000,1000000000,1000000000", "--context", "1,2,3,4,5"],
    ["minimax-m1", "--context", "1,10,1000000,10000000,10240000", "--batch", "1000000"],
  ]) {
    const { exitCode, stdout } = await run(["analyze", ...args]);
    expect([exitCode, widest(stdout) <= 80]).toEqual([0, true]);
    expect(stdout).not.toMatch(/NaN|Infinity|∞|undefined|null/);
  }
  const { stdout } = await run(["analyze", folder, "--batch", "1000000"]);
  expect(widest(stdout)).toBeLessThanOrEqual(80);
  expect(stdout).not.toMatch(/NaN|Infinity|∞|undefined|null/);
});

test("--benchmarks: the table, and the checked claims", async () => {
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
  expect([exitCode, stdout]).toEqual([0, "  512 GPUs · 21 days · 24 h = 258,048 GPU-hours\n  $534,700 in total, $2.07 per GPU-hour\n"]);
  expect(await json("--gpus", "8", "--price", "2.5", "--dollars", "4800")).toMatchObject({ days: 10, gpuHours: 1920 });
});

test.each([
  [["--gpus", "8", "--days", "2"], 2, "--gpus, --days, --price, --dollars: …--gpus, --days"],
  [["--gpus", "8", "--days", "2", "--price", "0"], 2, '--price: …number…[1e-15, 1e15]…"0"'],
  [["--gpus", "1e308", "--days", "2", "--price", "1"], 2, '--gpus: …number…[1e-15, 1e15]…"1e308"'],
  [["--gpus", "8", "--days", "2", "--price", "1", "--dollars", "1"], 1, "dollars: expected 384.00 = 8 GPUs · 2 days · 24 h · $1, got 1"],
  [["tiny-m1", "--gpus", "8"], 2, "MODEL: expected without --gpus"],
  [["tiny-m1", "--benchmarks"], 2, "MODEL: expected without --benchmarks"],
  [["--figure", "flops.gif"], 2, '--figure: ….svg….png….json…"flops.gif"'],
  [["--dark"], 2, "--dark: …--figure"],
  [["--tokens", "0"], 2, "--tokens: …numbers"],
  [["--tokens", "1e-3"], 2, "--tokens: …numbers"],
  [["--rule", "half"], 2, "half"],
  [["--context", "0"], 2, "--context: …1…1,000,000,000"],
  [["--context", "1,2,3,4,5,6"], 2, "--context: …5 numbers"],
  [["minimax-m1", "--context", "10240001"], 2, "--context: …10,240,000…max_position_embeddings…10,240,001"],
  [["--batch", "NaN"], 2, '--batch: …integer…[1, 1,000,000]…"NaN"'],
  [["--benchmarks", "--batch", "2"], 2, "--batch: expected without --benchmarks"],
  [["--gpus", "8", "--context", "2"], 2, "--context: expected without --gpus"],
  [["--figure", "flops.svg", "--tokens", "2"], 2, "--tokens: expected without --figure"],
  [["--figure", "flops.svg", "--benchmarks", "--json"], 2, "--json: expected without --figure"],
  [["no-such-model"], 1, '"no-such-model": no such path'],
  [[join(tiny, "missing.json")], 1, "config.json…file"],
  [[root], 1, "config.json: …config.json"],
  [["--figure", "/no/such/folder/flops.json"], 1, "/no/such/folder/flops.json: …written"],
])("%j is refused in one line", async (args, code, message) => {
  const { exitCode, stdout, stderr } = await run(["analyze", ...args]);
  expect([exitCode, stdout]).toEqual([code, ""]);
  expect(stderr).toMatch(facts(message));
  expect(stderr).not.toMatch(/\n\s+at /);
});

test("an error in a configuration names the file that was given", async () => {
  const path = join(temporary(), "bad.json");
  for (const [text, message] of [
    ["{", "expected"],
    [JSON.stringify({ ...tinyM1.source, hidden_size: "wide" }), "hidden_size: expected"],
  ] as const) {
    writeFileSync(path, text);
    const { exitCode, stderr } = await run(["analyze", path]);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`error: ${path}: `)]);
    expect(stderr).toMatch(facts(message));
    expect(stderr).not.toContain("config.json");
  }
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
      expect(`#${pixels.subarray(1, 4).toString("hex")}`).toBe(PAGE_COLORS[scheme].paper);
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
      for (const { paper } of Object.values(PAGE_COLORS)) expect(contrast(color, paper)).toBeGreaterThanOrEqual(3);
    for (const { ink, paper } of Object.values(PAGE_COLORS)) expect(contrast(ink, paper)).toBeGreaterThanOrEqual(7);
  });

  test("what draws is loaded only by the picture, when one is asked for", () => {
    const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const using = sources.filter((name) => /@observablehq\/plot|linkedom|resvg-wasm/.test(readFileSync(join(root, "src", name), "utf8")));
    expect(using.sort()).toEqual(["cli/figures/figure.ts", "cli/figures/optional-packages.ts"]);
    const figure = readFileSync(join(root, "src/cli/figures/figure.ts"), "utf8");
    expect(figure).not.toMatch(/from "(@observablehq\/plot|linkedom|@resvg\/resvg-wasm)"/);
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
