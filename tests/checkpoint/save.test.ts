import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import { saveCheckpoint } from "../../src/checkpoint/save.js";
import {
  expectSaved,
  type Files,
  json,
  open,
  rawBuffers,
  rawTensors,
  SMALL,
  SMALL_HF,
  SMALL_HYPENET,
  safetensors,
  sharded,
  singleFile,
  storedAs,
} from "../support/checkpoints.js";
import { goldenCases } from "../support/golden.js";
import { random } from "../support/random.js";

const indexOf = (files: Files) => JSON.parse(new TextDecoder().decode(files.get("model.safetensors.index.json")));
const configOf = (files: Files) => JSON.parse(new TextDecoder().decode(files.get("config.json")));

describe("load ∘ save is the identity on files", () => {
  for (const dtype of ["float32", "bfloat16", "float16"]) {
    for (const config of [SMALL, SMALL_HF, SMALL_HYPENET]) {
      test(`${config.model_type} in ${dtype}, one file and several`, async () => {
        for (const files of [singleFile(storedAs(dtype, config)), sharded(storedAs(dtype, config), 4)]) {
          const first = await loadCheckpoint(files);
          await expectSaved(first, files);
          const second = await loadCheckpoint(await saveCheckpoint(first));
          await expectSaved(second, files);
          first.rt.dispose();
          second.rt.dispose();
        }
      });
    }
  }

  test("NaN payloads, infinities and negative zeros included", async () => {
    for (const dtype of ["float32", "bfloat16", "float16"]) {
      const config = storedAs(dtype);
      const tensors = rawTensors(config);
      const { integer } = random(5);
      for (const { bytes } of tensors) bytes.set(bytes.map(() => integer(256)));
      const files = singleFile(config, tensors);
      const checkpoint = await loadCheckpoint(files);
      await expectSaved(checkpoint, files);
      checkpoint.rt.dispose();
    }
  });

  test("buffers, order, metadata, text files and the configuration's own formatting", async () => {
    const tensors = [...rawBuffers(0), ...rawTensors(SMALL_HF).reverse()];
    const files: Files = new Map([
      ["config.json", new TextEncoder().encode(JSON.stringify(SMALL_HF))],
      ["model.safetensors", safetensors(tensors, { format: "pt", note: "kept" })],
      ["generation_config.json", json({ temperature: 1 })],
      ["merges.txt", new TextEncoder().encode("#version: 0.2\n")],
    ]);
    const checkpoint = await loadCheckpoint(files);
    await expectSaved(checkpoint, files);
    checkpoint.rt.dispose();
  });

  test("what PyTorch and transformers wrote: every byte of the golden files", async () => {
    const cases = goldenCases();
    expect(cases.length).toBeGreaterThan(3);
    for (const { directory } of cases) {
      const checkpoint = await loadCheckpoint(directory);
      for (const [name, bytes] of await saveCheckpoint(checkpoint)) {
        expect(Buffer.compare(bytes, await readFile(join(directory, name))), `${directory}: ${name}`).toBe(0);
      }
      checkpoint.rt.dispose();
    }
  });

  test("widened on loading, written as stored", async () => {
    for (const dtype of ["bfloat16", "float16"]) {
      const files = singleFile(storedAs(dtype));
      const checkpoint = await loadCheckpoint(files, { dtype: "f32" });
      await expectSaved(checkpoint, files);
      checkpoint.rt.dispose();
    }
  });
});

describe("what is written otherwise than it was read", () => {
  test("rounded on loading: written as bf16, said in the configuration, and stable from then on", async () => {
    for (const [stored, key] of [
      [SMALL, "torch_dtype"],
      [SMALL_HF, "dtype"],
      [SMALL_HYPENET, "torch_dtype"],
      [storedAs("float16"), "torch_dtype"],
    ] as const) {
      const checkpoint = await loadCheckpoint(singleFile(stored), { dtype: "bf16" });
      expect(checkpoint.config.dtype).toBe("bf16");
      const saved = await saveCheckpoint(checkpoint);
      expect(configOf(saved)).toEqual({ ...stored, [key]: "bfloat16" });
      const { header } = open(saved.get("model.safetensors")!);
      const original = open(singleFile(stored).get("model.safetensors")!).header;
      for (const { name, shape } of rawTensors(stored)) {
        const precise = shape.length === 1 || name.endsWith(".gate.weight");
        expect(header[name]!.dtype, name).toBe(precise ? original[name]!.dtype : "BF16");
      }
      const again = await loadCheckpoint(saved);
      await expectSaved(again, saved);
      checkpoint.rt.dispose();
      again.rt.dispose();
    }
  });

  test("a single file gets the name that loaders look for, and the format that transformers asks for", async () => {
    const tensors = rawTensors(SMALL);
    const checkpoint = await loadCheckpoint(
      new Map([
        ["config.json", json(SMALL)],
        ["weights.safetensors", safetensors(tensors, {})],
      ]),
    );
    await expectSaved(checkpoint, singleFile(SMALL));
    checkpoint.rt.dispose();
  });

  test("a configuration that was given is written", async () => {
    const checkpoint = await loadCheckpoint(singleFile().get("model.safetensors")!, { config: SMALL });
    await expectSaved(checkpoint, singleFile());
    checkpoint.rt.dispose();
  });

  test("in smaller files with an index", async () => {
    const checkpoint = await loadCheckpoint(singleFile());
    const tensors = rawTensors(SMALL);
    const total = tensors.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    for (const maxShardBytes of [1, 2000, total - 1]) {
      const saved = await saveCheckpoint(checkpoint, undefined, { maxShardBytes });
      const shards = [...saved.keys()].filter((name) => name.endsWith(".safetensors"));
      expect(shards).toEqual(
        shards.map((_, i) => `model-${String(i + 1).padStart(5, "0")}-of-${String(shards.length).padStart(5, "0")}.safetensors`),
      );
      expect(shards.length).toBeGreaterThan(1);
      for (const shard of shards) {
        const { header, data } = open(saved.get(shard)!);
        expect(data.byteLength <= maxShardBytes || Object.keys(header).length === 2).toBe(true);
      }
      const { metadata, weight_map } = indexOf(saved);
      expect(metadata.total_size).toBe(total);
      expect(Object.keys(weight_map).sort()).toEqual(tensors.map(({ name }) => name).sort());
      const again = await loadCheckpoint(saved);
      const whole = await saveCheckpoint(again, undefined, { maxShardBytes: total });
      expect(Buffer.compare(whole.get("model.safetensors")!, singleFile().get("model.safetensors")!)).toBe(0);
      expect(whole.has("model.safetensors.index.json")).toBe(false);
      again.rt.dispose();
    }
    checkpoint.rt.dispose();
  });

  test("the index's own metadata is kept", async () => {
    const files = sharded();
    const index = indexOf(files);
    files.set("model.safetensors.index.json", json({ metadata: { total_parameters: 7, ...index.metadata }, weight_map: index.weight_map }));
    const checkpoint = await loadCheckpoint(files);
    await expectSaved(checkpoint, files);
    checkpoint.rt.dispose();
  });

  test("weights alone can be saved, with their configuration", async () => {
    const { config, weights, rt } = await loadCheckpoint(singleFile());
    const saved = await saveCheckpoint({ config, weights });
    expect([...saved.keys()]).toEqual(["model.safetensors", "config.json"]);
    expect(configOf(saved)).toEqual(SMALL);
    rt.dispose();
  });

  test("a signal ends it", async () => {
    const checkpoint = await loadCheckpoint(singleFile());
    await expect(saveCheckpoint(checkpoint, undefined, { signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
    checkpoint.rt.dispose();
  });
});
