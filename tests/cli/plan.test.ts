import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { CHAT_TEMPLATE, ggufFormats, ggufTensors, gpus } from "../../src/analysis/index.js";
import { minimaxM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";
import { run, temporary, tiny } from "./harness.js";

test("the published model on 8 H800 within 80 columns, and the command that starts it", async () => {
  const { exitCode, stdout, stderr } = await run(["plan"]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("60,118,753,280 bytes (55.99 GiB)");
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  const command = stdout.slice(stdout.indexOf("SAFETENSORS_FAST_GPU")).replace(/ \\\n\s*/g, " ");
  expect(command).toMatch(/^SAFETENSORS_FAST_GPU=1 VLLM_USE_V1=0 vllm serve MiniMaxAI\/MiniMax-M1-80k .*--tensor-parallel-size 8 .*\n/);
  expect(command).toContain(`--chat-template ${CHAT_TEMPLATE} --tool-call-parser minimax --enable-auto-tool-choice`);
  expect(stdout).toContain("examples/tool_chat_template_minimax_m1.jinja of vLLM's sources");
});

test("every option reaches the plan", async () => {
  const options = "--gpu H20 --gpus-per-node 8 --nodes 2 --context 1000000 --concurrency 6 --weights experts_int8 --kv fp8";
  const more = "--utilization 0.9 --pass-tokens 4096 --expert-parallel --served /models/m1 --json";
  const { exitCode, stdout } = await run(["plan", "minimax-m1", ...options.split(" "), ...more.split(" ")]);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    fits: true,
    gpu: { name: "H20" },
    gpusPerNode: 8,
    context: 1_000_000,
    weights: "experts_int8",
    kv: "fp8",
    utilization: 0.9,
    passTokens: 4096,
    expertParallel: true,
    served: "/models/m1",
    replicas: 2,
    sequences: 3,
    tensorParallel: 8,
  });
});

test("several nodes: what to run where", async () => {
  const { stdout } = await run(["plan", "--weights", "bf16", "--nodes", "2"]);
  for (const part of ["ray start --head", "--address=FIRST_NODE:6379", "--tensor-parallel-size 16", "note "])
    expect(stdout).toContain(part);
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("--kubernetes: manifests on stdout, remarks on stderr", async () => {
  const { exitCode, stdout, stderr } = await run(["plan", "--weights", "bf16", "--nodes", "2", "--kubernetes"]);
  expect(exitCode).toBe(0);
  expect(parseAllDocuments(stdout).map((document) => document.toJS().kind)).toEqual(["LeaderWorkerSet", "Service", "PodDisruptionBudget"]);
  expect(stderr).toMatch(/^note: every layer crosses 2 nodes.*\n$/);
});

test("what does not fit: one line with what would, exit code 1, remedies for programs", async () => {
  const { exitCode, stdout, stderr } = await run(["plan", "--weights", "bf16", "--json"]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /^error: plan: 8 H800 .*what would fit: weights in experts_int8; or 16 GPUs per node; or 2 nodes; or H200 GPUs\)\n$/,
  );
  expect(JSON.parse(stdout)).toEqual({
    fits: false,
    remedies: [
      { change: "weights", value: "experts_int8" },
      { change: "gpusPerNode", value: 16 },
      { change: "nodes", value: 2 },
      { change: "gpu", value: "H200" },
    ],
  });
});

describe("names of GPUs and sizes", () => {
  const gpuOf = async (...args: string[]) => JSON.parse((await run(["plan", "--json", ...args])).stdout).gpu;

  test.each(["h100", "H100", "H100-80GB", "h100_80gb", "H100 80GB", "NVIDIA H100 80GB", "nvidia-h100"])("%s", async (name) =>
    expect(await gpuOf("--gpu", name)).toEqual(gpus.find((gpu) => gpu.name === "H100")),
  );
  test("every kind by its full name", async () => {
    for (const name of ["H800-80GB", "A100-80GB", "H20-96GB", "H200-141GB", "B200-192GB", "AMD Instinct MI300X 192GB"])
      expect(await gpuOf("--gpu", name)).toEqual(gpus.find((gpu) => name.includes(`${gpu.name}-`) || name.includes(`${gpu.name} `)));
  });

  test("the memory of any accelerator, with or without a known name", async () => {
    expect(await gpuOf("--gpu-memory", "96GB")).toEqual({
      name: "GPU (96GB)",
      memoryMiB: Math.floor(96e9 / 2 ** 20),
      resource: "nvidia.com/gpu",
    });
    expect(await gpuOf("--gpu", "h100", "--gpu-memory", "94GiB", "--bandwidth", "3.9TB")).toMatchObject({
      name: "H100",
      memoryMiB: 94 * 1024,
      bandwidth: 3.9e12,
    });
  });
});

test("what 200k tokens of context and ten users in INT4 need", async () => {
  const { exitCode, stdout, stderr } = await run(["plan", "--context", "200k", "--users", "10", "--precision", "INT4"]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(stdout).toBe(readFileSync(new URL("plan-int4.txt", import.meta.url), "utf8"));
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  const example = stdout
    .slice(stdout.indexOf("lightning-m1 plan"))
    .replace(/ \\\n\s*/g, " ")
    .trim()
    .split(" ");
  expect((await run(example.slice(1))).stdout).toContain("llama-server --model MiniMax-M1-80k-Q4_K_M.gguf --ctx-size 2001920");
  const json = JSON.parse((await run(["plan", "--context", "200k", "--users", "10", "--precision", "int4", "--json"])).stdout);
  expect(json).toMatchObject({ context: 200_000, concurrency: 10, precision: "int4" });
  expect(json.engines.map(({ engine, options }: { engine: string; options: object[] }) => [engine, options.length])).toEqual([
    ["vllm", 0],
    ["llama.cpp", 10],
    ["sglang", 0],
  ]);
});

describe("llama.cpp", () => {
  test("experts in the memory of the host, within 80 columns", async () => {
    const { exitCode, stdout, stderr } = await run(
      "plan --weights q4_k_m --gpu h100 --gpus-per-node 1 --ram 512GB --ram-bandwidth 400GB".split(" "),
    );
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(readFileSync(new URL("plan-llama-cpp.txt", import.meta.url), "utf8"));
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("unified memory", async () => {
    const { stdout } = await run("plan --unified-memory 512GB --bandwidth 819GB --weights Q6_K".split(" "));
    for (const part of ["all layers in unified memory", "374,191,026,176 bytes (348.49 GiB)", "iogpu.wired_limit_mb", "--n-gpu-layers 81"])
      expect(stdout).toContain(part);
    expect(stdout).not.toContain("memory of the host");
  });

  test("the CPU alone, and other models by their names", async () => {
    const { stdout } = await run("plan m1-puzzles --gpus-per-node 0 --ram 8GB --precision int8".split(" "));
    for (const part of ["all layers in the memory of the host", "give --ram-bandwidth", "--model m1-puzzles-Q8_0.gguf", "--n-gpu-layers 0"])
      expect(stdout).toContain(part);
  });

  test("every option reaches the plan", async () => {
    const { stdout } = await run(
      "plan --engine llamacpp --precision int8 --gpu H200 --gpus-per-node 6 --context 1M --users 3 --kv q8_0 --utilization 0.9 --pass-tokens 256 --served /m.gguf --json".split(
        " ",
      ),
    );
    expect(JSON.parse(stdout)).toMatchObject({
      fits: true,
      engine: "llama.cpp",
      weights: "Q8_0",
      gpu: { name: "H200" },
      context: 1_000_000,
      sequences: 3,
      kv: "q8_0",
      utilization: 0.9,
      passTokens: 258,
      served: "/m.gguf",
      command: expect.stringContaining("llama-server --model /m.gguf"),
    });
  });
});

test("a checkpoint, or its config.json, is served from where it lies", async () => {
  const directory = temporary();
  cpSync(tiny, directory, { recursive: true });
  for (const source of [directory, join(directory, "config.json")]) {
    const { exitCode, stdout } = await run(["plan", source, "--gpu", "H100", "--json"]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ served: directory, tensorParallel: 1, replicas: 8 });
  }
});

test.each([
  [["--users", "0"], 2, '--users: …integer…1…"0"'],
  [["--users", "NaN"], 2, '--users: …integer…1…"NaN"'],
  [["--users", "2", "--concurrency", "2"], 2, "--users, --concurrency: "],
  [["--context", "200kk"], 2, '--context: …integer…1…"200kk"'],
  [["--context", "-1"], 2, "--context"],
  [["--precision", "int3"], 2, '--precision: …bf16, int8, fp8, int4…"int3"'],
  [["--precision", "int4", "--weights", "Q8_0"], 2, "--precision, --weights: "],
  [["--precision", "int4", "--nodes", "2"], 2, "--nodes: …--engine"],
  [["--precision", "int4", "--engine", "vllm"], 1, "plan: vllm, int4: …GPTQ…(use int8"],
  [["--precision", "fp8", "--engine", "llama.cpp"], 1, "plan: llama.cpp, fp8: …(use int8 (Q8_0))"],
  [["--engine", "sglang"], 1, "plan: engine: SGLang never contained this model: …11466…(use vllm or llama.cpp)"],
  [["--engine", "tgi"], 2, '--engine: …vllm, llama.cpp, sglang…"tgi"'],
  [["--weights", "int4"], 2, '--weights: …experts_int8…Q4_K_M…"int4" (or --precision int4)'],
  [["--engine", "vllm", "--weights", "Q4_K_M"], 2, '--weights: expected experts_int8, bf16, got "Q4_K_M"'],
  [["--engine", "llama.cpp", "--kubernetes"], 2, "--kubernetes: …--engine vllm"],
  [["--engine", "vllm", "--ram", "1TB"], 2, "--ram: …--engine llama.cpp"],
  [["--engine", "llama.cpp", "--kv", "fp8"], 2, '--kv: …f16, q8_0, q4_0…"fp8"'],
  [["--engine", "llama.cpp", "--users", "300"], 1, "plan: concurrency: …256…300"],
  [["--gpu-memory", "1KB"], 2, "--gpu-memory: …1MiB"],
  [["--gpu-memory", "big"], 2, '--gpu-memory: …size…"big"'],
  [["--gpu", "H100-94GB"], 2, '--gpu: …H100 with 80GB…"H100-94GB"…--gpu-memory'],
  [["--gpu", "h100 80GB SXM"], 2, "--gpu: …H100, H800"],
  [["--bandwidth", "1TB"], 2, "--bandwidth: …--gpu"],
  [["--engine", "llama.cpp", "--ram-bandwidth", "1GB"], 2, "--ram-bandwidth: expected with --ram"],
  [["--unified-memory", "512GB", "--gpu", "H100"], 2, "--gpu: expected without --unified-memory"],
  [["--unified-memory", "512GB", "--gpus-per-node", "2"], 2, "--gpus-per-node: expected without --unified-memory"],
  [["--unified-memory", "128GB"], 1, "plan: llama.cpp on unified memory: …needs …GiB…what would fit: 282 GiB of unified memory"],
  [["--gpus-per-node", "0"], 2, "--ram: …host"],
  [["--gpus-per-node", "0", "--ram", "1MB"], 1, "plan: llama.cpp on 976.56 KiB of host memory: …what would fit: …of host memory"],
  [["--nodes", "0"], 2, '--nodes: …integer…1…"0"'],
  [["--utilization", "2"], 2, '--utilization: …number…(0, 1]…"2"'],
  [["--gpu", "RTX"], 2, "--gpu"],
  [["--json", "--kubernetes"], 2, "--json, --kubernetes: "],
  [["tiny-m1"], 2, "--served: …path…hub id…tiny-m1"],
  [["--context", "20000000"], 1, "plan: context: …10,240,000"],
  [["--served", "a b"], 1, "plan: served: …spaces"],
  [["nowhere.json"], 1, "nowhere.json: expected a config.json"],
] as const)("%j is refused", async (args, code, message) => {
  const { exitCode, stdout, stderr } = await run(["plan", ...args]);
  expect([exitCode, stdout]).toEqual([code, ""]);
  expect(stderr).toMatch(facts(message));
});

test("the outputs in docs/deployment.md are those of the commands above them", async () => {
  const page = readFileSync(new URL("../../docs/deployment.md", import.meta.url), "utf8");
  const shown = [...page.matchAll(/```sh\nnpx lightning-m1 (plan [^\n]*)\n```\n\n```text\n(.*?)```/gs)].map(
    ([, command, output]) => [command!, output!] as const,
  );
  expect(shown.length).toBe(2);
  for (const [command, output] of shown) expect((await run(command.split(" "))).stdout).toBe(output);
  const error = (await run("plan --gpu H800 --context 1M --users 4".split(" "))).stderr;
  expect(page).toContain(error.trim().replace(" (what would", "\n(what would"));
});

test("the sizes in docs/deployment.md are those of the formats", () => {
  const page = readFileSync(new URL("../../docs/deployment.md", import.meta.url), "utf8");
  for (const format of ggufFormats) {
    const bytes = ggufTensors(minimaxM1, format).reduce((sum, tensor) => sum + tensor.bytes, 0);
    const row = page
      .split("\n")
      .find((line) => line.startsWith("|") && line.split("|")[1]!.includes(`\`${format}\``) && line.includes(","))!;
    expect(row).toContain(`| ${bytes.toLocaleString("en-US")} | ${((8 * bytes) / 456_089_655_296).toFixed(2)} |`);
  }
});

test("--help within 100 columns", async () => {
  const { stdout } = await run(["plan", "--help"]);
  expect(stdout).toContain("--gpus-per-node");
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});
