import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import {
  type Deployment,
  DeploymentError,
  type DeploymentTarget,
  deploymentMemory,
  type Gpu,
  gpus,
  gpusNeeded,
  kubernetesManifest,
  planDeployment,
  rayRecipe,
  serveArguments,
  serveCommand,
  tensorParallelSizes,
  usableBytes,
} from "../../src/analysis/index.js";
import { type Graph, graph, hypeNet2B, InputError, minimaxM1, parseConfig, tinyM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";

const m1 = graph(minimaxM1);
/** Replicas of 1, 3, 6 or 12 GPUs: 3 KV heads, and a vocabulary whose padding 9 does not divide. */
const odd = graph(
  parseConfig({
    ...tinyM1.source,
    vocab_size: 380,
    num_attention_heads: 12,
    num_key_value_heads: 3,
    num_local_experts: 6,
    hidden_size: 2048,
    intermediate_size: 4608,
    max_position_embeddings: 2 ** 20,
  }),
);

const targets: fc.Arbitrary<Omit<DeploymentTarget, "gpu"> & { gpu: Gpu }> = fc.record({
  gpu: fc.record({
    name: fc.constant("X1"),
    memoryMiB: fc.oneof(fc.integer({ min: 2560, max: 6500 }), fc.integer({ min: 1, max: 40_000 })),
    resource: fc.constant("nvidia.com/gpu" as const),
  }),
  gpusPerNode: fc.integer({ min: 1, max: 12 }),
  nodes: fc.integer({ min: 1, max: 9 }),
  context: fc.integer({ min: 1, max: 2 ** 20 }),
  concurrency: fc.integer({ min: 1, max: 60 }),
  weights: fc.constantFrom("bf16", "experts_int8"),
  kv: fc.constantFrom("bf16", "fp8"),
  utilization: fc.double({ min: 0.5, max: 1, noNaN: true }),
  passTokens: fc.integer({ min: 1, max: 4096 }),
  expertParallel: fc.boolean(),
} as const);

function planned(target: DeploymentTarget, model: Graph = odd): Deployment | undefined {
  try {
    return planDeployment(model, target);
  } catch (error) {
    if (error instanceof DeploymentError) return undefined;
    throw error;
  }
}

function refused(target: DeploymentTarget, model: Graph = odd): DeploymentError {
  try {
    planDeployment(model, target);
  } catch (error) {
    if (error instanceof DeploymentError) return error;
    throw error;
  }
  throw new Error("expected a refusal");
}

/** What follows a flag in a command. */
function valueAfter(words: readonly string[], flag: string): string | undefined {
  return words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined;
}

/** Where every kind of outcome has to come up, the seed is fixed. */
describe("properties", () => {
  test("a plan fits by its own arithmetic, divides the model, and uses no GPU twice", () => {
    let fitting = 0;
    fc.assert(
      fc.property(targets, (target) => {
        const plan = planned(target);
        if (!plan) return;
        fitting++;
        const { tensorParallel, replicas, nodesPerReplica, sequences, context, passTokens, memory } = plan;
        const { gpusPerNode, nodes, concurrency, weights, kv } = target as Required<DeploymentTarget>;
        expect(memory).toEqual(deploymentMemory(odd, { weights, kv, context, batch: sequences, tensorParallel, passTokens }));
        expect(memory.totalBytes).toBeLessThanOrEqual(plan.usableBytes);
        expect(plan.usableBytes).toBeLessThanOrEqual(target.gpu.memoryMiB * 2 ** 20);
        expect(tensorParallelSizes(odd.config)).toContain(tensorParallel);
        if (plan.expertParallel) expect(odd.config.numLocalExperts % tensorParallel).toBe(0);
        expect(nodesPerReplica === 1 ? gpusPerNode % tensorParallel : tensorParallel - nodesPerReplica * gpusPerNode).toBe(0);
        expect(replicas * tensorParallel).toBeLessThanOrEqual(gpusPerNode * nodes);
        expect(replicas * nodesPerReplica).toBeLessThanOrEqual(nodesPerReplica === 1 ? replicas : nodes);
        expect(replicas * sequences).toBeGreaterThanOrEqual(concurrency);
        expect(passTokens).toBeGreaterThanOrEqual(sequences);
        expect(plan.cacheTokens).toBeGreaterThanOrEqual(sequences * context);
      }),
      { numRuns: 300, seed: 1 },
    );
    expect(fitting).toBeGreaterThan(30);
  });

  test("cacheTokens is exact: one more block does not fit", () => {
    fc.assert(
      fc.property(targets, (target) => {
        const plan = planned({ ...target, concurrency: 1, nodes: 1 });
        if (!plan) return;
        const { memory, usableBytes, cacheTokens, context } = plan;
        const block = memory.keyValueBytes / Math.ceil(context / 16);
        const others = memory.totalBytes - memory.keyValueBytes;
        expect(others + (cacheTokens / 16) * block).toBeLessThanOrEqual(usableBytes);
        expect(others + (cacheTokens / 16 + 1) * block).toBeGreaterThan(usableBytes);
      }),
      { numRuns: 100 },
    );
  });

  test("a plan that fits also fits with more memory, a larger share of it, more nodes, or fewer or shorter sequences", () => {
    fc.assert(
      fc.property(targets, fc.integer({ min: 1, max: 20_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (target, more, share) => {
        if (!planned(target)) return;
        const less = (x: number) => Math.max(1, Math.floor(x * share));
        const { nodes, context, concurrency, utilization } = target as Required<DeploymentTarget>;
        for (const easier of [
          { gpu: { ...target.gpu, memoryMiB: target.gpu.memoryMiB + more } },
          { utilization: utilization + (1 - utilization) * share },
          { nodes: nodes + (more % 8) },
          { context: less(context) },
          { concurrency: less(concurrency) },
        ]) {
          expect(planned({ ...target, ...(easier as DeploymentTarget) }), JSON.stringify(easier)).toBeDefined();
        }
      }),
      { numRuns: 200 },
    );
  });

  test("every remedy makes the deployment fit and is minimal", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(targets, (target) => {
        if (planned(target)) return;
        for (const { change, value } of refused(target).remedies) {
          seen.add(change);
          const changed = { ...target, [change]: value } as DeploymentTarget;
          expect(planned(changed), `${change} ${value}`).toBeDefined();
          if (change === "context") expect(planned({ ...target, context: (value as number) + 16 })).toBeUndefined();
          if (change === "concurrency") expect(planned({ ...target, concurrency: (value as number) + 1 })).toBeUndefined();
          if (change === "nodes") expect(planned({ ...target, nodes: (value as number) - 1 })).toBeUndefined();
        }
      }),
      { numRuns: 300, seed: 1 },
    );
    expect([...seen].sort()).toEqual(["concurrency", "context", "gpu", "gpusPerNode", "nodes", "weights"]);
  });

  test("commands and manifests agree with the plan", () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(targets, fc.constantFrom("MiniMaxAI/MiniMax-M1-40k", "/models/my_Model.1", "/srv/7"), (target, served) => {
        const plan = planned({ ...target, served });
        if (!plan) return;
        const words = serveArguments(plan);
        expect(words.slice(0, 3)).toEqual(["vllm", "serve", served]);
        expect(Number(valueAfter(words, "--tensor-parallel-size"))).toBe(plan.tensorParallel);
        expect(Number(valueAfter(words, "--max-model-len"))).toBe(plan.context);
        expect(Number(valueAfter(words, "--max-num-seqs"))).toBe(plan.sequences);
        expect(Number(valueAfter(words, "--max-num-batched-tokens"))).toBe(plan.passTokens);
        expect(Number(valueAfter(words, "--gpu-memory-utilization"))).toBe(plan.utilization);
        expect(valueAfter(words, "--quantization")).toBe(plan.weights === "bf16" ? undefined : "experts_int8");
        expect(valueAfter(words, "--kv-cache-dtype")).toBe(plan.kv === "bf16" ? undefined : "fp8");
        // The parser of tool calls is for what this template asks the model to write.
        expect(valueAfter(words, "--tool-call-parser")).toBe("minimax");
        expect(valueAfter(words, "--chat-template")).toBe("/vllm-workspace/examples/tool_chat_template_minimax_m1.jinja");
        expect(words.includes("--enable-expert-parallel")).toBe(plan.expertParallel);
        expect(valueAfter(words, "--distributed-executor-backend")).toBe(plan.nodesPerReplica > 1 ? "ray" : undefined);
        expect(serveCommand(plan)).toBe(`SAFETENSORS_FAST_GPU=1 VLLM_USE_V1=0 ${words.join(" ")}`);
        expect(rayRecipe(plan).at(-1)?.command).toBe(serveCommand(plan));

        const documents = parseAllDocuments(kubernetesManifest(plan));
        expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
        const [server, service, budget] = documents.map((document) => document.toJS());
        kinds.add(server.kind);
        const name = server.metadata.name;
        expect(name).toMatch(/^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$/);
        expect(server.spec.replicas).toBe(plan.replicas);
        const group = server.spec.leaderWorkerTemplate;
        const pods = group ? [group.leaderTemplate, group.workerTemplate] : [server.spec.template];
        if (group) expect(group.size).toBe(plan.nodesPerReplica);
        for (const { spec } of pods) {
          const [{ resources, volumeMounts, image }] = spec.containers;
          expect(resources.limits["nvidia.com/gpu"] * plan.nodesPerReplica).toBe(plan.tensorParallel);
          expect(image).toBe("vllm/vllm-openai:v0.9.2");
          expect(volumeMounts.map((mount: { name: string }) => mount.name)).toEqual(
            spec.volumes.map((volume: { name: string }) => volume.name),
          );
        }
        const [{ command, ports }] = pods[0].spec.containers;
        expect(group ? command[2] : command.join(" ")).toContain(words.join(" "));
        expect(service.spec.ports[0].targetPort).toBe(ports[0].containerPort);
        expect(`${ports[0].containerPort}`).toBe(valueAfter(words, "--port"));
        // What the service looks for is what the answering pods carry; the set's own name is put on them by its controller.
        const labels = group ? { ...pods[0].metadata.labels, "leaderworkerset.sigs.k8s.io/name": name } : pods[0].metadata.labels;
        expect(service.spec.selector).toEqual(labels);
        if (!group) expect(server.spec.selector.matchLabels).toEqual(labels);
        expect(budget.kind).toBe("PodDisruptionBudget");
        expect(budget.spec.maxUnavailable).toBe(plan.replicas > 1 ? 1 : 0);
        // Of a group that spans nodes every pod counts: with one of them the whole group stops.
        expect(budget.spec.selector.matchLabels).toEqual(group ? { "leaderworkerset.sigs.k8s.io/name": name } : labels);
      }),
      { numRuns: 300, seed: 1 },
    );
    expect([...kinds].sort()).toEqual(["Deployment", "LeaderWorkerSet"]);
  });
});

describe("pods of a busy server", () => {
  const pods = [planDeployment(m1), planDeployment(m1, { weights: "bf16", nodes: 2 })].flatMap((plan) => {
    const server = parseAllDocuments(kubernetesManifest(plan))[0]!.toJS();
    const group = server.spec.leaderWorkerTemplate;
    return group ? [group.leaderTemplate.spec, group.workerTemplate.spec] : [server.spec.template.spec];
  });
  const answering = pods.map(({ containers }) => containers[0]).filter(({ ports }) => ports);

  test("have two hours to load; leave the Service after a silent minute, and are killed after ten", () => {
    expect(answering).toHaveLength(2);
    for (const { startupProbe, readinessProbe, livenessProbe } of answering) {
      for (const { httpGet, timeoutSeconds } of [startupProbe, readinessProbe, livenessProbe]) {
        expect(httpGet).toEqual({ path: "/health", port: 8000 });
        expect(timeoutSeconds).toBeGreaterThanOrEqual(10);
      }
      const seconds = [startupProbe, readinessProbe, livenessProbe].map((probe) => probe.periodSeconds * probe.failureThreshold);
      expect(seconds).toEqual([7200, 60, 600]);
    }
  });

  test("have an hour for running answers", () => {
    for (const { terminationGracePeriodSeconds, containers } of pods) {
      expect(terminationGracePeriodSeconds).toBe(3600);
      expect(containers[0].lifecycle.preStop.exec.command.slice(0, 2)).toEqual(["sh", "-c"]);
    }
  });

  test("are signalled to stop when no request runs or waits, or when the server does not answer", () => {
    const directory = mkdtempSync(join(tmpdir(), "lightning-m1-"));
    const script = (name: string, body: string) => writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    const metrics = (running: string, waiting: string) =>
      `# HELP vllm:num_requests_running Requests\nvllm:num_requests_running{engine="0",model_name="m 1"} ${running}\nvllm:num_requests_waiting{model_name="m"} ${waiting}\nvllm:num_preemptions_total{model_name="m"} 7.0\n`;
    const looks = [metrics("3.0", "10.0"), metrics("0.0", "1.0"), metrics("10.0", "0.0"), metrics("0.0", "0.0")];
    for (const [i, text] of looks.entries()) writeFileSync(join(directory, `look${i}`), text);
    // One look after the other, and a clock that stands still.
    script("curl", 'n=$(cat n); echo $((n + 1)) > n; cat "look$n"');
    script("sleep", "exit 0");
    const command = answering[0].lifecycle.preStop.exec.command as [string, ...string[]];
    const drain = (from: number) => {
      writeFileSync(join(directory, "n"), `${from}`);
      execFileSync(command[0], command.slice(1), { cwd: directory, env: { PATH: `${directory}:${process.env.PATH}` }, stdio: "pipe" });
      return Number(readFileSync(join(directory, "n"), "utf8")) - from;
    };
    expect(drain(0)).toBe(4);
    expect(drain(3)).toBe(1);
    expect(drain(9)).toBe(1);
    rmSync(directory, { recursive: true });
  });
});

describe("the published model", () => {
  test("is planned on 8 H800 by default, with the command of MiniMax's guide", () => {
    const plan = planDeployment(m1);
    expect(plan).toMatchObject({ tensorParallel: 8, replicas: 1, nodesPerReplica: 1, sequences: 1, context: 131_072 });
    const command = serveCommand(plan);
    for (const words of [
      "--tensor-parallel-size 8",
      "--quantization experts_int8",
      "--trust-remote-code",
      "--dtype bfloat16",
      "--tool-call-parser minimax",
      "--enable-auto-tool-choice",
    ]) {
      expect(command).toContain(words);
    }
  });

  test("remaining GPUs become replicas", () => {
    expect(planDeployment(m1, { gpu: "H200", concurrency: 6 })).toMatchObject({ tensorParallel: 4, replicas: 2, sequences: 3 });
    expect(planDeployment(m1, { nodes: 3 })).toMatchObject({ tensorParallel: 8, replicas: 3, nodesPerReplica: 1 });
  });

  test("with bf16 weights needs two nodes of 8 × 80 GB, joined by Ray", () => {
    const plan = planDeployment(m1, { weights: "bf16", nodes: 5 });
    expect(plan).toMatchObject({ tensorParallel: 16, replicas: 2, nodesPerReplica: 2 });
    expect(plan.notes.join()).toContain("crosses 2 nodes");
    expect(rayRecipe(plan).map(({ command }) => command.match(/ray start --\w+|vllm serve/)?.[0])).toEqual([
      "ray start --head",
      "ray start --address",
      "vllm serve",
    ]);
  });

  test("an error names what is missing and which single changes would fit", () => {
    const error = refused({ weights: "bf16", context: 1_000_000, concurrency: 2 }, m1);
    expect(error.message).toMatch(
      /8 H800 .*2 sequences.*1,000,000 tokens.*bf16.*GiB.*75\.19 GiB.*weights in experts_int8; or 16 GPUs per node; or 2 nodes; or H200 GPUs\)$/,
    );
    expect(error).toMatchObject({ name: "DeploymentError" });
    expect(error.remedies).toContainEqual({ change: "gpu", value: "H200" });
  });

  test("an error says if no single change would fit", () => {
    const error = refused({ gpusPerNode: 1, context: 10_000_000, concurrency: 500 }, m1);
    expect(error.remedies).toEqual([]);
    expect(error.message).toContain("no single change");
  });

  test("a GPU with a caution is planned with a note, and never suggested", () => {
    expect(planDeployment(m1, { gpu: "MI300X" }).notes.join()).toContain("shared memory");
    expect(refused({ gpu: "B200", weights: "bf16", gpusPerNode: 4 }, m1).remedies.map(({ value }) => value)).not.toContain("MI300X");
    expect(kubernetesManifest(planDeployment(m1, { gpu: "MI300X" }))).toContain("amd.com/gpu: 4");
  });
});

test("usableBytes of an H100 is less than what the driver reports", () => {
  const h100 = gpus.find(({ name }) => name === "H100")!;
  // torch.cuda.get_device_properties(0).total_memory of an H100 80GB HBM3
  expect(usableBytes(h100, 1)).toBeLessThanOrEqual(85_017_493_504);
  expect(usableBytes(h100, 1)).toBeGreaterThan(0.999 * 85_017_493_504);
});

test.each([
  [{ gpu: "RTX" }, 'plan: gpu: …"H100"…"MI300X"…{ name, memoryMiB }…"RTX"'],
  [{ gpu: { name: "X" } }, "plan: gpu"],
  [{ utilization: 1.1 }, "plan: utilization: …number…(0, 1]…1.1"],
  [{ nodes: 0 }, "plan: nodes: …integer…1…0"],
  [{ context: 10_240_001 }, "plan: context: …10,240,000…max_position_embeddings…10,240,001"],
  [{ served: "a b; rm -rf /" }, 'plan: served: …hub id…path…"a b; rm -rf /"'],
  [{ served: "--port" }, "plan: served: …path"],
  [{ weights: "fp8" }, 'plan: weights: …"bf16"…"experts_int8"…"fp8"'],
  [{ gpus: 8 }, "plan: gpus: unknown option"],
] as const)("%j is refused", (target, message) => {
  expect(() => planDeployment(m1, target as object)).toThrow(InputError);
  expect(() => planDeployment(m1, target as object)).toThrow(facts(message));
});

test("HypeNet has no deployment, because this version of vLLM does not implement it", () => {
  for (const plan of [
    () => planDeployment(hypeNet2B),
    () => deploymentMemory(hypeNet2B),
    () => gpusNeeded(graph(hypeNet2B), { context: 4096 }),
    () => tensorParallelSizes(hypeNet2B),
  ]) {
    expect(plan).toThrow(InputError);
    expect(plan).toThrow(facts("model: …MiniMax…hypenet…vLLM 0.9.2…estimateMemory"));
  }
});
