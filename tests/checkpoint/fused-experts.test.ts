import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WeightError } from "../../src/base/errors.js";
import { inspectCheckpoint } from "../../src/checkpoint/inspect.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import { saveCheckpoint } from "../../src/checkpoint/save.js";
import { type Files, open, type RawTensor, rawTensors, SMALL, SMALL_HF, sharded, singleFile, storedAs } from "../support/checkpoints.js";
import { goldenCases, readGolden } from "../support/golden.js";
import { greedyIds, load, loadStreamed, put, STREAMED, STREAMED_HF, streamedFiles } from "../support/streaming.js";
import { GOLDEN, maxAbsDiff } from "../support/tolerance.js";

const bytesOf = (tensors: readonly RawTensor[]) => Uint8Array.from(tensors.flatMap(({ bytes }) => [...bytes]));

/** The tensors of a checkpoint as transformers 5 names them when it keeps its own format. */
function fused(tensors: readonly RawTensor[], layers: (layer: number) => boolean = () => true): RawTensor[] {
  const done = new Set<string>();
  return tensors.flatMap((tensor) => {
    const [, prefix, layer, rest] = /^(model\.layers\.(\d+)\.)block_sparse_moe\.(.*)$/.exec(tensor.name) ?? [];
    if (!prefix || !layers(Number(layer))) return [tensor];
    if (rest === "gate.weight") return [{ ...tensor, name: `${prefix}mlp.gate.weight` }];
    if (done.has(prefix)) return [];
    done.add(prefix);
    const own = tensors.filter(({ name }) => name.startsWith(`${prefix}block_sparse_moe.experts.`));
    const expert = (e: number, w: string) => own.find(({ name }) => name.endsWith(`.experts.${e}.${w}.weight`))!;
    const count = own.length / 3;
    const [width, hidden] = expert(0, "w1").shape as [number, number];
    const gateUp = Array.from({ length: count }, (_, e) => [expert(e, "w1"), expert(e, "w3")]).flat();
    const down = Array.from({ length: count }, (_, e) => expert(e, "w2"));
    const { dtype } = tensor;
    return [
      { name: `${prefix}mlp.experts.gate_up_proj`, dtype, shape: [count, 2 * width, hidden], bytes: bytesOf(gateUp) },
      { name: `${prefix}mlp.experts.down_proj`, dtype, shape: [count, hidden, width], bytes: bytesOf(down) },
    ];
  });
}

/** The tensors of a file. */
function rawOf(bytes: Uint8Array): RawTensor[] {
  const { header, data } = open(bytes);
  return Object.entries(header).flatMap(([name, { dtype, shape, data_offsets }]) =>
    name === "__metadata__" ? [] : [{ name, dtype, shape, bytes: data.subarray(...data_offsets) }],
  );
}

const inFile = (config: Record<string, unknown>, tensors: readonly RawTensor[]): Files => singleFile(config, [...tensors]);

describe("experts in the tensors of transformers 5", () => {
  test.each([
    ["minimax", SMALL_HF, "float32"],
    ["minimax", SMALL_HF, "bfloat16"],
    ["minimax_m1", SMALL, "float16"],
  ])("every weight of %s has its bytes", async (_, base, dtype) => {
    const config = storedAs(dtype, base);
    const tensors = rawTensors(config);
    for (const files of [
      inFile(config, fused(tensors)),
      sharded(config, 3, fused(tensors)),
      inFile(
        config,
        fused(tensors, (layer) => layer === 1),
      ),
    ]) {
      const { rt, weights } = await loadCheckpoint(files);
      for (const { name, shape, bytes } of tensors) {
        expect(Buffer.compare(weights.readRows(name, 0, shape.length === 2 ? shape[0]! : 1), bytes), name).toBe(0);
      }
      rt.dispose();
    }
  });

  test("compute what transformers computes", async () => {
    const golden = goldenCases().find(({ name }) => name === "hf-minimax")!;
    const { config, inputIds, expected } = readGolden(golden);
    const weights = rawOf(readFileSync(join(golden.directory, "model.safetensors")));
    const model = await load(inFile(config, fused(weights)));
    const { logits } = model.forward(inputIds);
    expect(maxAbsDiff(logits, expected.get("logits")!.data)).toBeLessThanOrEqual(GOLDEN.logits);
  });

  test.each([
    ["minimax", STREAMED_HF],
    ["minimax_m1", STREAMED],
  ])("streamed weights of %s read the stretches that they need", async (_, config) => {
    const separate = streamedFiles(config);
    const tensors = [...separate].filter(([name]) => name.endsWith(".safetensors")).flatMap(([, bytes]) => rawOf(bytes));
    const model = await loadStreamed(put(sharded(config, 2, fused(tensors))));
    expect(await greedyIds(model, [1, 2, 3], 12)).toEqual(await greedyIds(await load(separate), [1, 2, 3], 12));
  });

  test("are saved under the published names", async () => {
    const tensors = rawTensors(SMALL_HF);
    const checkpoint = await loadCheckpoint(sharded(SMALL_HF, 2, fused(tensors)));
    const saved = await saveCheckpoint(checkpoint);
    checkpoint.rt.dispose();
    const index = JSON.parse(new TextDecoder().decode(saved.get("model.safetensors.index.json")));
    expect(Object.keys(index.weight_map).sort()).toEqual(tensors.map(({ name }) => name).sort());
    const again = await loadCheckpoint(saved);
    for (const { name, shape, bytes } of tensors) {
      expect(Buffer.compare(again.weights.readRows(name, 0, shape.length === 2 ? shape[0]! : 1), bytes), name).toBe(0);
    }
    again.rt.dispose();
  });

  test("inspect finds no fault, and counts the tensors that are stored", async () => {
    const { fault, dtypes } = await inspectCheckpoint(inFile(SMALL_HF, fused(rawTensors(SMALL_HF))));
    expect(fault).toBeUndefined();
    expect(dtypes).toMatchObject({ F32: { tensors: rawTensors(SMALL_HF).length - 2 * (6 - 2) } });
  });
});

describe("fused experts that cannot be split name the remedy", () => {
  const tensors = rawTensors(SMALL_HF);
  const all = fused(tensors);
  const change = (name: RegExp, to: (tensor: RawTensor) => RawTensor[]) =>
    all.flatMap((tensor) => (name.test(tensor.name) ? to(tensor) : [tensor]));
  const separate = tensors.filter(({ name }) => name.startsWith("model.layers.0.block_sparse_moe.experts."));

  test.each<[string, RawTensor[], RegExp]>([
    [
      "beside separate experts of the same layer",
      [...all, ...separate],
      /^model\.layers\.0: experts: expected .* got gate_up_proj and model\.layers\.0\.block_sparse_moe\.experts\.\d\.w\d\.weight/,
    ],
    ["with one separate matrix", [...all, separate[0]!], /^model\.layers\.0: experts: expected/],
    ["gate_up_proj alone", change(/0\.mlp\.experts\.down_proj/, () => []), /^model\.layers\.0: experts: expected .* got gate_up_proj/],
    ["down_proj alone", change(/1\.mlp\.experts\.gate_up_proj/, () => []), /^model\.layers\.1: experts: expected .* got down_proj/],
    [
      "with gate and up exchanged for hidden",
      change(/0\.mlp\.experts\.gate_up_proj/, (tensor) => [{ ...tensor, shape: [2, 12, 20] }]),
      /^model\.layers\.0\.mlp\.experts\.gate_up_proj: expected \[2, 20, 12\] F32, F16 or BF16, got \[2, 12, 20\] F32/,
    ],
    [
      "of another number of experts",
      change(/0\.mlp\.experts\.down_proj/, (tensor) => [{ ...tensor, shape: [4, 12, 5] }]),
      /down_proj: expected \[2, 12, 10\]/,
    ],
    [
      "in two dims",
      change(/0\.mlp\.experts\.gate_up_proj/, (tensor) => [{ ...tensor, shape: [40, 12] }]),
      /gate_up_proj: expected \[2, 20, 12\]/,
    ],
    [
      "quantised",
      change(/0\.mlp\.experts\.down_proj/, (tensor) => [{ ...tensor, dtype: "F8_E4M3", bytes: new Uint8Array(240) }]),
      /down_proj: expected .* got \[2, 12, 10\] F8_E4M3/,
    ],
  ])("%s", async (_, given, message) => {
    const error = await loadCheckpoint(inFile(SMALL_HF, given)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(WeightError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain("save_original_format=True");
    const { fault } = await inspectCheckpoint(inFile(SMALL_HF, given));
    expect(fault?.message).toBe((error as Error).message);
  });

  test("a router under both names", async () => {
    const router = tensors.find(({ name }) => name === "model.layers.0.block_sparse_moe.gate.weight")!;
    await expect(loadCheckpoint(inFile(SMALL_HF, [...all, router]))).rejects.toThrow(/gate\.weight:.*tensor/);
  });
});
