import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DeploymentError,
  type DeviceMemory,
  deploymentOptions,
  type GgufFormat,
  ggufFormats,
  ggufTensors,
  type LlamaCppDeployment,
  type LlamaCppTarget,
  llamaServerCommand,
  planDeployment,
  type Remedy,
  usableBytes,
} from "../../src/analysis/index.js";
import { graph, hypeNet2B, InputError, LightningError, minimaxM1, parseConfig, tinyM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";

const m1 = graph(minimaxM1);
/** Large enough that memory outside of tensors does not decide alone. */
const middle = graph(
  parseConfig({
    ...tinyM1.source,
    hidden_size: 1024,
    intermediate_size: 2048,
    num_local_experts: 8,
    vocab_size: 4096,
    max_position_embeddings: 2 ** 20,
  }),
);
const tiny = graph(tinyM1);
const MiB = 2 ** 20;
const GiB = 2 ** 30;

const on = (target: Omit<LlamaCppTarget, "engine"> = {}, model = m1) => planDeployment(model, { engine: "llama.cpp", ...target });

function planned(target: Omit<LlamaCppTarget, "engine">, model = middle): LlamaCppDeployment | undefined {
  try {
    return on(target, model);
  } catch (error) {
    if (error instanceof DeploymentError) return undefined;
    throw error;
  }
}

const devicesOf = ({ gpuMemory, hostMemory }: LlamaCppDeployment) => [...gpuMemory, ...(hostMemory ? [hostMemory] : [])];
const sum = (devices: readonly DeviceMemory[], part: keyof DeviceMemory) => devices.reduce((all, device) => all + Number(device[part]), 0);
const weightsOf = (format: GgufFormat, model = m1) => ggufTensors(model, format).reduce((all, { bytes }) => all + bytes, 0);

describe("the published model", () => {
  // The sizes in MiB that llama-fit-params of llama.cpp v0.5.0 reports for its CPU backend: caches and states, and buffers.
  test.each([
    [{ context: 4096 }, 160 + 280, 414],
    [{ context: 204_800 }, 8000 + 280, 516],
    [{ context: 1_000_192 }, 39_070 + 280, 1293],
    [{ context: 204_800, passTokens: 1024 }, 8000 + 280, 1416],
    [{ context: 5120, concurrency: 8 }, 8 * (200 + 280), 414],
    [{ context: 200_320, concurrency: 10, passTokens: 640, kv: "q8_0" }, 44_396, undefined],
  ] as const)("%j: caches and states, and buffers to within 3 %%, as llama.cpp reports them", (target, caches, buffers) => {
    const { hostMemory } = on({ ...target, gpusPerNode: 0, ramBytes: 10 ** 13 });
    const { keyValueBytes, stateBytes, activationBytes } = hostMemory!;
    // Four more copies of the states are checkpoints.
    expect(Math.floor((keyValueBytes + stateBytes / 5) / MiB)).toBe(caches);
    if (buffers) expect(Math.abs((activationBytes - 2 * GiB) / MiB / buffers - 1)).toBeLessThan(0.03);
  });

  test("in Q4_K_M on H800: five GPUs share consecutive layers, the embedding stays in the host's memory", () => {
    const plan = on({ context: 200_000, concurrency: 10 });
    expect(plan).toMatchObject({ gpuLayers: 81, cpuExpertLayers: 0, sequences: 10, passTokens: 520, cacheCells: 10 * 200_192 });
    expect(plan.layersPerGpu).toHaveLength(5);
    expect(sum(plan.gpuMemory, "weightsBytes")).toBe(weightsOf("Q4_K_M") - ((200_064 * 6144) / 256) * 144);
    expect(plan.hostMemory).toMatchObject({
      weightsBytes: ((200_064 * 6144) / 256) * 144,
      keyValueBytes: 0,
      stateBytes: 4 * 10 * 280 * MiB,
    });
    expect(sum(plan.gpuMemory, "keyValueBytes")).toBe(10 * 200_192 * 40 * 1024);
    expect(sum(plan.gpuMemory, "stateBytes")).toBe(10 * 280 * MiB);
  });

  test("on one H100 and 512 GB: experts of the first layers in the host's memory", () => {
    const plan = on({ gpu: "H100", gpusPerNode: 1, ramBytes: 512e9, context: 131_072 });
    expect(plan.gpuLayers).toBe(81);
    expect(plan.cpuExpertLayers).toBeGreaterThan(50);
    expect(plan.cpuExpertLayers).toBeLessThan(80);
    const [gpu] = plan.gpuMemory as [DeviceMemory];
    expect(gpu.totalBytes).toBeLessThanOrEqual(usableBytes({ memoryMiB: 81_559 }, 0.95));
    const experts = ggufTensors(m1, "Q4_K_M").filter(({ name, layer }) => name.includes("_exps") && layer! < plan.cpuExpertLayers);
    const embedding = ((200_064 * 6144) / 256) * 144;
    expect(plan.hostMemory!.weightsBytes).toBe(experts.reduce((all, { bytes }) => all + bytes, embedding));
    // One layer fewer on the host would not fit on the GPU.
    const next = ggufTensors(m1, "Q4_K_M").filter(({ name, layer }) => name.includes("_exps") && layer === plan.cpuExpertLayers - 1);
    expect(gpu.totalBytes + next.reduce((all, { bytes }) => all + bytes, 0)).toBeGreaterThan(gpu.usableBytes!);
    expect(llamaServerCommand(plan)).toContain(`--n-gpu-layers 81 --n-cpu-moe ${plan.cpuExpertLayers} --ctx-checkpoints`);
  });

  test("on a small GPU: whole layers in the host's memory, too", () => {
    const plan = on({
      gpu: { name: "24 GB", memoryMiB: 24_576, resource: "nvidia.com/gpu" },
      gpusPerNode: 1,
      ramBytes: 1e12,
      context: 10 ** 6,
    });
    expect(plan.cpuExpertLayers).toBe(80);
    expect(plan.gpuLayers).toBeLessThan(81);
    expect(plan.gpuLayers).toBeGreaterThan(0);
    expect(plan.hostMemory!.keyValueBytes + plan.gpuMemory[0]!.keyValueBytes).toBe(3907 * 256 * 40 * 1024);
  });

  test("on a machine with 512 GB of unified memory: everything in one place, once", () => {
    const machine = { name: "unified", memoryMiB: Math.floor(512e9 / MiB), resource: "nvidia.com/gpu", bandwidth: 819e9 } as const;
    const plan = on({ gpu: machine, unified: true, weights: "Q6_K" });
    expect(plan.gpuMemory).toHaveLength(1);
    expect(plan.hostMemory).toBeUndefined();
    expect(plan.gpuMemory[0]).toMatchObject({ weightsBytes: weightsOf("Q6_K"), keyValueBytes: 5 * GiB, stateBytes: 5 * 280 * MiB });
    expect(planned({ gpu: machine, unified: true, weights: "Q8_0" }, m1)).toBeUndefined();
  });

  test("the speed is what bandwidth permits: active weights, caches and states once", () => {
    const plan = on({ gpu: "H200", context: 4096, weights: "Q8_0" });
    const tensors = ggufTensors(m1, "Q8_0").filter(({ name }) => name !== "token_embd.weight");
    const read = tensors.reduce((all, { name, bytes }) => all + (name.includes("_exps") ? bytes / 16 : bytes), 0);
    const caches = 160 * MiB + 2 * 280 * MiB;
    expect(plan.decode!.alone).toBeCloseTo(4.8e12 / (read + caches), 8);
    expect(plan.decode!.together).toBeCloseTo(plan.decode!.alone, 8);
    const many = on({ gpu: "H200", context: 4096, weights: "Q8_0", concurrency: 4 }).decode!;
    const experts = tensors.filter(({ name }) => name.includes("_exps")).reduce((all, { bytes }) => all + bytes, 0);
    const others = tensors.reduce((all, { bytes }) => all + bytes, -experts);
    expect(many.together).toBeCloseTo((4 * 4.8e12) / (others + experts * (1 - (15 / 16) ** 4) + 4 * caches), 8);
    expect(many.alone).toBeCloseTo(plan.decode!.alone, 8);
  });

  test("experts on the CPU cost its bandwidth; an unknown bandwidth gives no estimate", () => {
    const target = { gpu: "H100", gpusPerNode: 1, ramBytes: 512e9 } as const;
    expect(on(target).decode).toBeUndefined();
    const slow = on({ ...target, ramBandwidth: 100e9 }).decode!.alone;
    expect(on({ ...target, ramBandwidth: 200e9 }).decode!.alone).toBeGreaterThan(1.5 * slow);
    expect(slow).toBeLessThan(10);
  });

  test("the command", () => {
    expect(llamaServerCommand(on({ context: 200_000, concurrency: 10, gpu: "H200", kv: "q8_0" }))).toBe(
      "llama-server --model MiniMax-M1-80k-Q4_K_M.gguf --ctx-size 2001920 --parallel 10 --ubatch-size 520 --flash-attn on " +
        "--cache-type-k q8_0 --cache-type-v q8_0 --n-gpu-layers 81 --tensor-split 27,28,26 --ctx-checkpoints 4 --cache-ram 0 --fit off --port 8000",
    );
    expect(llamaServerCommand(on({ gpusPerNode: 0, ramBytes: 1e12, passTokens: 4096, served: "/models/m1.gguf" }))).toBe(
      "llama-server --model /models/m1.gguf --ctx-size 131072 --parallel 1 --batch-size 4096 --ubatch-size 4096 --flash-attn on " +
        "--n-gpu-layers 0 --ctx-checkpoints 4 --cache-ram 0 --fit off --port 8000",
    );
  });
});

const targets = fc.record(
  {
    gpu: fc.record({
      name: fc.constant("X1"),
      memoryMiB: fc.integer({ min: 1, max: 6000 }),
      resource: fc.constant("nvidia.com/gpu" as const),
      bandwidth: fc.constant(1e12),
    }),
    gpusPerNode: fc.integer({ min: 0, max: 5 }),
    ramBytes: fc.integer({ min: 1, max: 6 * GiB }),
    ramBandwidth: fc.constant(1e11),
    context: fc.integer({ min: 1, max: 2 ** 20 }),
    concurrency: fc.integer({ min: 1, max: 40 }),
    weights: fc.constantFrom(...ggufFormats),
    kv: fc.constantFrom("f16", "q8_0", "q4_0"),
    utilization: fc.double({ min: 0.5, max: 1, noNaN: true }),
    passTokens: fc.integer({ min: 1, max: 2048 }),
  },
  { requiredKeys: ["gpu", "gpusPerNode", "ramBytes", "ramBandwidth", "context", "concurrency", "weights"] },
);

describe("properties", () => {
  test("plans hold every tensor once, fit everywhere, and leave no remainder of sequences", () => {
    fc.assert(
      fc.property(targets, (target) => {
        const plan = planned(target);
        if (!plan) return;
        const devices = devicesOf(plan);
        expect(sum(devices, "weightsBytes")).toBe(weightsOf(target.weights, middle));
        for (const device of devices) {
          const { weightsBytes, keyValueBytes, stateBytes, activationBytes, totalBytes } = device;
          expect(weightsBytes + keyValueBytes + stateBytes + activationBytes).toBe(totalBytes);
          expect(totalBytes).toBeLessThanOrEqual(device.usableBytes!);
        }
        expect(plan.layersPerGpu.reduce((all, layers) => all + layers, 0)).toBe(plan.gpuLayers);
        expect(plan.layersPerGpu.length).toBe(plan.gpuMemory.length);
        expect(Math.min(...plan.layersPerGpu, 9)).toBeGreaterThan(0);
        expect(plan.passTokens % plan.sequences).toBe(0);
        expect(plan.cacheCells % (256 * plan.sequences)).toBe(0);
        expect(plan.decode!.alone).toBeGreaterThan(0);
        expect(plan.decode!.together).toBeGreaterThanOrEqual(plan.decode!.alone * 0.999);
      }),
    );
  });

  test("what fits still fits with less context, fewer sequences, fewer bits, more memory and more GPUs", () => {
    fc.assert(
      fc.property(targets, fc.double({ min: 0, max: 1, noNaN: true }), (target, share) => {
        if (!planned(target)) return;
        const { gpu, gpusPerNode, context, concurrency, ramBytes, weights } = target;
        const smaller = ggufFormats
          .slice(ggufFormats.indexOf(weights))
          .filter((format) => weightsOf(format, middle) <= weightsOf(weights, middle));
        expect(planned({ ...target, context: Math.ceil(context * share) || 1 })).toBeDefined();
        if (target.passTokens === undefined)
          expect(planned({ ...target, concurrency: Math.ceil(concurrency * share) || 1, passTokens: 1 })).toBeDefined();
        expect(planned({ ...target, ramBytes: 2 * ramBytes })).toBeDefined();
        if (gpusPerNode > 0) expect(planned({ ...target, gpusPerNode: gpusPerNode + 1 })).toBeDefined();
        expect(planned({ ...target, gpu: { ...gpu, memoryMiB: 2 * gpu.memoryMiB } })).toBeDefined();
        expect(planned({ ...target, weights: smaller.at(-1)! })).toBeDefined();
      }),
    );
  });

  test("the fewest GPUs, and the fullest holds the least that a split of consecutive layers allows", () => {
    const [context, concurrency] = [4096, 37];
    const at = (gpusPerNode: number, memoryMiB: number) =>
      planned(
        { gpu: { name: "X", memoryMiB, resource: "nvidia.com/gpu" }, gpusPerNode, utilization: 1, context, weights: "F16", concurrency },
        tiny,
      );
    const loads = tinyM1.attnTypeList.map((type) => (type === 1 ? concurrency * context * 2 * 2 * 16 * 2 : concurrency * 4 * 16 * 16 * 4));
    loads.push(0);
    for (const { name, layer, bytes } of ggufTensors(tiny, "F16")) if (name !== "token_embd.weight") loads[layer ?? 8]! += bytes;
    /** The least maximum of any split of the layers from `first` on. */
    const least = (first: number, parts: number): number => {
      const load = (end: number) => loads.slice(first, end).reduce((all, bytes) => all + bytes, 0);
      if (parts === 1) return load(9);
      return Math.min(...Array.from({ length: 9 - first }, (_, i) => Math.max(load(first + i + 1), least(first + i + 1, parts - 1))));
    };
    const seen = new Set<number>();
    for (let memoryMiB = 2580; memoryMiB < 2680; memoryMiB += 2) {
      const plan = at(6, memoryMiB);
      if (!plan) continue;
      const used = plan.gpuMemory.length;
      seen.add(used);
      if (used > 1) expect(at(used - 1, memoryMiB)).toBeUndefined();
      expect(Math.max(...plan.gpuMemory.map(({ totalBytes, activationBytes }) => totalBytes - activationBytes))).toBe(least(0, used));
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  test("each remedy is sufficient", () => {
    fc.assert(
      fc.property(targets, (target) => {
        let remedies: readonly Remedy[] = [];
        try {
          on(target, middle);
        } catch (error) {
          expect(error).toBeInstanceOf(DeploymentError);
          remedies = (error as DeploymentError).remedies;
        }
        for (const { change, value } of remedies) expect(planned({ ...target, [change]: value } as typeof target), change).toBeDefined();
      }),
    );
  });
});

test("what does not fit: the needs, with units and separators, and what would fit", () => {
  expect(() => on({ gpu: "H100", gpusPerNode: 2, context: 1_000_000, concurrency: 3 })).toThrow(
    facts(
      "plan: llama.cpp on 2 H100: 3 sequences at a time of 1,000,000 tokens, weights in Q4_K_M: needs …GiB…what would fit: …GPUs per node; or …of host memory",
    ),
  );
  const machine = { name: "unified", memoryMiB: 131_072, resource: "nvidia.com/gpu" } as const;
  try {
    on({ gpu: machine, unified: true });
    expect.unreachable();
  } catch (error) {
    const { remedies } = error as DeploymentError;
    expect(remedies.map(({ change }) => change)).toEqual(["unifiedBytes"]);
    const memoryMiB = Number(remedies[0]!.value) / MiB;
    expect(planned({ gpu: { ...machine, memoryMiB }, unified: true }, m1)).toBeDefined();
    expect(planned({ gpu: { ...machine, memoryMiB: memoryMiB - 1024 }, unified: true }, m1)).toBeUndefined();
  }
});

test.each([
  [{ gpu: "RTX" }, 'plan: gpu: …"H100"…"MI300X"…{ name, memoryMiB }'],
  [{ gpusPerNode: -1 }, "plan: gpusPerNode: …integer…0…-1"],
  [{ gpusPerNode: 0 }, "plan: ramBytes: …host…none"],
  [{ ramBytes: Number.NaN }, "plan: ramBytes: …integer…1…NaN"],
  [{ ramBandwidth: 0 }, "plan: ramBandwidth: …above 0…0"],
  [{ unified: true, gpusPerNode: 2 }, "plan: unified: …one GPU"],
  [{ unified: true, ramBytes: 1 }, "plan: unified: …one GPU and no ramBytes"],
  [{ context: 10_240_001 }, "plan: context: …10,240,000…max_position_embeddings…10,240,001"],
  [{ context: 0.5 }, "plan: context: …integer…1…0.5"],
  [{ concurrency: 0 }, "plan: concurrency: …integer…1…0"],
  [{ concurrency: 257 }, "plan: concurrency: …256…llama.cpp 0.5.0…257…several servers"],
  [{ weights: "Q4" }, 'plan: weights: …"Q4_K_M"…"Q4"'],
  [{ weights: "experts_int8" }, 'plan: weights: …"Q8_0"…"experts_int8"'],
  [{ kv: "fp8" }, 'plan: kv: …"f16"…"q8_0"…"q4_0"…"fp8"'],
  [{ utilization: 1.1 }, "plan: utilization: …(0, 1]…1.1"],
  [{ served: "a b" }, "plan: served: …GGUF"],
  [{ nodes: 2 }, "plan: nodes: unknown option"],
] as const)("%j is refused", (target, message) => {
  expect(() => on(target as object)).toThrow(InputError);
  expect(() => on(target as object)).toThrow(facts(message));
});

test("engines: only those that implement the model", () => {
  expect(() => planDeployment(m1, { engine: "sglang" } as object)).toThrow(
    facts("plan: engine: SGLang never contained this model: …11466…(use vllm or llama.cpp)"),
  );
  expect(() => planDeployment(m1, { engine: "tgi" } as object)).toThrow(facts('plan: engine: …"vllm" or "llama.cpp" or "sglang"…"tgi"'));
  expect(() => on({}, graph(hypeNet2B))).toThrow(facts("plan: model: …MiniMax-M1…hypenet…llama.cpp 0.5.0"));
  expect(planDeployment(m1, { engine: "vllm" })).toEqual(planDeployment(m1));
  const narrow = graph(parseConfig({ ...tinyM1.source, head_dim: 8, rotary_dim: 4 }));
  expect(() => on({ kv: "q8_0" }, narrow)).toThrow(facts('plan: kv: …"f16"…2 × 8…"q8_0"'));
});

test("hostile values end in a plan or in an error of the library", () => {
  const hostile = [
    undefined,
    null,
    true,
    -1,
    0,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1n,
    "",
    "x",
    Symbol("s"),
    {},
    [],
    [null],
    () => 1,
    Object.create(null),
  ];
  const whole = {
    gpu: "H100",
    gpusPerNode: 2,
    ramBytes: 1e12,
    ramBandwidth: 1e11,
    unified: false,
    context: 9,
    concurrency: 1,
    weights: "Q8_0",
  };
  for (const key of [...Object.keys(whole), "kv", "utilization", "passTokens", "served", "engine", "other"]) {
    for (const value of hostile) {
      for (const call of [
        () => planDeployment(tiny, { engine: "llama.cpp", ...whole, [key]: value } as never),
        () => deploymentOptions(tiny, { [key]: value } as never),
      ]) {
        expect(failsWell(call), key).toBe(true);
      }
    }
  }
  for (const target of hostile) if (target !== undefined) expect(failsWell(() => planDeployment(tiny, target as never))).toBe(true);
});

function failsWell(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    return error instanceof LightningError;
  }
}
