import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { CHAT_TEMPLATE } from "../../src/analysis/index.js";
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
  [["--nodes", "0"], 2, '--nodes: …integer…1…"0"'],
  [["--utilization", "2"], 2, '--utilization: …number…(0, 1]…"2"'],
  [["--gpu", "RTX"], 2, "--gpu"],
  [["--json", "--kubernetes"], 2, "--json, --kubernetes: "],
  [["tiny-m1"], 2, "--served: …path…hub id…tiny-m1"],
  [["--context", "20000000"], 1, "plan: context: …10240000"],
  [["--served", "a b"], 1, "plan: served: …spaces"],
  [["nowhere.json"], 1, "nowhere.json: expected a config.json"],
] as const)("%j is refused", async (args, code, message) => {
  const { exitCode, stdout, stderr } = await run(["plan", ...args]);
  expect([exitCode, stdout]).toEqual([code, ""]);
  expect(stderr).toMatch(facts(message));
});

test("--help within 100 columns", async () => {
  const { stdout } = await run(["plan", "--help"]);
  expect(stdout).toContain("--gpus-per-node");
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});
