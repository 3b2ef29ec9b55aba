import { describe, expect, test } from "vitest";
import {
  deploymentOptions,
  type EngineOptions,
  engines,
  gpus,
  type LlamaCppDeployment,
  type Precision,
  planDeployment,
} from "../../src/analysis/index.js";
import { graph, hypeNet2B, minimaxM1, tinyM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";

const m1 = graph(minimaxM1);
const PRECISIONS: readonly Precision[] = ["bf16", "int8", "fp8", "int4"];
const of = (found: readonly EngineOptions[], name: string) => found.find(({ engine }) => engine.name === name)!;
const request = { context: 200_000, concurrency: 10 } as const;

describe("200,000 tokens and ten users", () => {
  const int4 = deploymentOptions(m1, request);

  test("int4: llama.cpp, and why vLLM and SGLang have none", () => {
    expect(of(int4, "vllm").unsupported).toMatchObject({
      reason: expect.stringContaining("GPTQ"),
      remedy: expect.stringContaining("int8"),
    });
    expect(of(int4, "sglang").unsupported).toMatchObject({ reason: expect.stringMatching(/11466.*without being merged/) });
    for (const name of ["vllm", "sglang"]) expect(of(int4, name).options).toEqual([]);
    const { weights, options } = of(int4, "llama.cpp");
    expect(weights).toBe("Q4_K_M");
    const gpuRows = options.filter(({ hardware }) => hardware === "gpus").map(({ gpu, gpuCount }) => [gpu!.name, gpuCount]);
    expect(gpuRows).toEqual([
      ["H100", 5],
      ["H800", 5],
      ["A100", 5],
      ["H20", 4],
      ["H200", 3],
      ["B200", 3],
      ["MI300X", 2],
    ]);
    expect(options.filter(({ hardware }) => hardware !== "gpus").map(({ hardware }) => hardware)).toEqual(["gpu+host", "unified", "host"]);
  });

  test("every option is the plan for its hardware, and less of that hardware does not fit", () => {
    for (const { hardware, gpu, gpuCount, memoryBytes, plan } of of(int4, "llama.cpp").options) {
      const target = { engine: "llama.cpp", ...request } as const;
      const again = (less: number) =>
        hardware === "gpus"
          ? planDeployment(m1, { ...target, gpu: gpu!, gpusPerNode: gpuCount - less })
          : hardware === "unified"
            ? planDeployment(m1, {
                ...target,
                unified: true,
                gpu: { name: "unified", memoryMiB: memoryBytes! / 2 ** 20 - 1024 * less, resource: "nvidia.com/gpu" },
              })
            : planDeployment(m1, { ...target, gpusPerNode: gpuCount, ...(gpu && { gpu }), ramBytes: memoryBytes! - 2 ** 30 * less });
      expect(again(0)).toEqual(plan);
      expect(() => again(1)).toThrow(facts("needs"));
    }
  });

  test("int8: the smallest vLLM clusters", () => {
    const { options, weights } = of(deploymentOptions(m1, { ...request, precision: "int8" }), "vllm");
    expect(weights).toBe("experts_int8");
    expect(options.map(({ gpu, gpuCount, nodes }) => [gpu!.name, gpuCount, nodes])).toEqual([
      ["H100", 8, 1],
      ["H800", 8, 1],
      ["A100", 8, 1],
      ["H20", 8, 1],
      ["H200", 8, 1],
      ["B200", 4, 1],
    ]);
    for (const { plan, gpu, gpuCount } of options) {
      expect(planDeployment(m1, { ...request, gpu: gpu!, gpusPerNode: gpuCount })).toEqual(plan);
      if (gpuCount > 1) expect(() => planDeployment(m1, { ...request, gpu: gpu!, gpusPerNode: gpuCount / 2 })).toThrow(facts("needs"));
    }
  });

  test("only the GPUs that were named, or described", () => {
    const own = { name: "24 GB", memoryMiB: 24_576, resource: "nvidia.com/gpu" } as const;
    const found = of(deploymentOptions(m1, { ...request, gpus: ["H200", own] }), "llama.cpp").options;
    expect(found.filter(({ hardware }) => hardware === "gpus").map(({ gpu }) => gpu!.name)).toEqual(["H200"]);
    expect(found.find(({ hardware }) => hardware === "gpu+host")).toMatchObject({ gpu: { name: "H200" }, gpuCount: 1 });
  });
});

test("every precision of every engine has a format that is planned, or a reason and a remedy", () => {
  for (const precision of PRECISIONS) {
    const found = deploymentOptions(m1, { precision, gpus: ["B200"], context: 4096 });
    expect(found.map(({ engine }) => engine)).toEqual(engines);
    for (const { unsupported, options, weights } of found) {
      if (unsupported) expect([unsupported.reason.length, unsupported.remedy.length].every((length) => length > 10)).toBe(true);
      else expect(options.some(({ plan }) => plan.weights === weights)).toBe(true);
    }
  }
});

test("more context, users and bits never need less of a kind of hardware", () => {
  const sizes = (change: object) =>
    Object.fromEntries(
      of(deploymentOptions(m1, { context: 100_000, concurrency: 2, gpus: ["H100", "H200"], ...change }), "llama.cpp").options.map(
        (option) => [`${option.hardware} ${option.gpu?.name}`, option.hardware === "gpus" ? option.gpuCount : option.memoryBytes!],
      ),
    );
  const base = sizes({});
  for (const change of [{ context: 1_000_000 }, { concurrency: 20 }, { precision: "int8" }])
    for (const [kind, size] of Object.entries(sizes(change)))
      expect(size, `${JSON.stringify(change)} ${kind}`).toBeGreaterThanOrEqual(base[kind]!);
});

test("a GPU that holds the whole model needs no experts in host memory", () => {
  const { options } = of(deploymentOptions(tinyM1, { gpus: ["H100"] }), "llama.cpp");
  expect(options.map(({ hardware }) => hardware)).toEqual(["gpus", "unified", "host"]);
});

test("nothing fits: no options, and no error", () => {
  const found = deploymentOptions(m1, { context: 10_240_000, concurrency: 250, gpus: ["H100"] });
  expect(of(found, "llama.cpp").options).toEqual([]);
});

test("GPUs have the memory that their names say, and a bandwidth", () => {
  for (const { memoryMiB, bandwidth } of gpus) expect(memoryMiB > 80_000 && bandwidth! > 1e12 && bandwidth! < 1e13).toBe(true);
});

test("the estimated speed grows with bandwidth and falls with bits", () => {
  const alone = (precision: Precision, gpu: string) =>
    (of(deploymentOptions(m1, { precision, gpus: [gpu] }), "llama.cpp").options[0]!.plan as LlamaCppDeployment).decode!.alone;
  expect(alone("int4", "B200")).toBeGreaterThan(alone("int4", "H200"));
  expect(alone("int4", "H200")).toBeGreaterThan(alone("int8", "H200"));
});

test.each([
  [{ context: 0 }, "deploymentOptions: context: …integer…1…0"],
  [{ concurrency: Number.NaN }, "deploymentOptions: concurrency: …integer…1…NaN"],
  [{ concurrency: 0 }, "deploymentOptions: concurrency: …integer…1…0"],
  [{ precision: "int3" }, 'deploymentOptions: precision: …"bf16"…"int4"…"int3"'],
  [{ gpus: ["RTX"] }, 'gpu: …"H100"…"RTX"'],
  [{ gpus: "H100" }, "deploymentOptions: gpus: …list"],
  [{ users: 10 }, "deploymentOptions: users: unknown option"],
  [{ context: 20_000_000 }, "context: …10,240,000…20,000,000"],
] as const)("%j is refused", (bad, message) => expect(() => deploymentOptions(m1, bad as object)).toThrow(facts(message)));

test("a model that no engine implements is refused", () => expect(() => deploymentOptions(hypeNet2B)).toThrow(facts("model: …hypenet")));
