import { describe, expect, test, vi } from "vitest";
import { CheckpointError, ConfigError, InputError, type LightningError, MemoryError, WeightError } from "../../src/base/errors.js";
import { estimateMemory } from "../../src/checkpoint/estimate-memory.js";
import { inspectCheckpoint } from "../../src/checkpoint/inspect.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import type { LoadOptions, Progress } from "../../src/checkpoint/load-options.js";
import { readTensors } from "../../src/checkpoint/read-tensors.js";
import { saveCheckpoint } from "../../src/checkpoint/save.js";
import { MiniMaxM1 } from "../../src/minimax-m1.js";
import { parseConfig } from "../../src/model/config.js";
import { graph } from "../../src/model/graph.js";
import { minimaxM1, tinyM1 } from "../../src/model/presets.js";
import { Runtime } from "../../src/runtime/runtime.js";
import {
  type Files,
  json,
  open,
  type RawTensor,
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
import { facts } from "../support/facts.js";

/** Loads, and expects the bytes of every weight to be those given. */
async function expectLoaded(files: Files, tensors: readonly RawTensor[], options: LoadOptions = {}): Promise<void> {
  const { rt, weights } = await loadCheckpoint(files, options);
  expect([...weights.specs()].map(({ name }) => name).sort()).toEqual(tensors.map(({ name }) => name).sort());
  for (const { name, shape, bytes } of tensors) {
    const rows = shape.length === 2 ? shape[0]! : 1;
    expect(Buffer.compare(weights.readRows(name, 0, rows), bytes), name).toBe(0);
  }
  rt.dispose();
}

/** Expects an error of this class and text, and every runtime that was made to be disposed. */
async function expectRefused(files: Files, kind: typeof LightningError, message: RegExp, options: LoadOptions = {}): Promise<void> {
  const create = vi.spyOn(Runtime, "create");
  try {
    const error = await loadCheckpoint(files, options).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
    for (const { value } of create.mock.results) expect((await value).memory.reservedBytes).toBe(0);
  } finally {
    create.mockRestore();
  }
}

function edit(change: (tensors: RawTensor[]) => readonly RawTensor[], config = SMALL): Files {
  return singleFile(config, [...change(rawTensors(config))]);
}

describe("loading", () => {
  for (const dtype of ["float32", "bfloat16", "float16"]) {
    for (const config of [SMALL, SMALL_HF]) {
      test(`${config.model_type} in ${dtype}: every weight's bytes are the file's`, async () => {
        const stored = storedAs(dtype, config);
        const tensors = rawTensors(stored);
        await expectLoaded(singleFile(stored), tensors);
        await expectLoaded(sharded(stored), tensors);
        await expectLoaded(singleFile(stored), tensors, { dtype: "f32" });
      });
    }
  }

  test("mixed dtypes and any order of tensors", async () => {
    const [f32, bf16, f16] = ["float32", "bfloat16", "float16"].map((dtype) => rawTensors(storedAs(dtype))) as [
      RawTensor[],
      RawTensor[],
      RawTensor[],
    ];
    const mixed = f32.map((_, i) => [f32, bf16, f16][i % 3]![i]!).reverse();
    await expectLoaded(singleFile(SMALL, mixed), mixed);
  });

  test("matrices are resident as stored, or in the precision asked for; vectors and routers in float32", async () => {
    const resident = async (stored: string, dtype?: "f32" | "bf16") => {
      const { rt, weights } = await loadCheckpoint(singleFile(storedAs(stored)), { dtype });
      const at = (name: string) => weights.at(`model.layers.0.${name}.weight`).dtype;
      const dtypes = [at("self_attn.qkv_proj"), at("input_layernorm"), at("block_sparse_moe.gate")];
      rt.dispose();
      return dtypes.join();
    };
    expect(await resident("float32")).toBe("f32,f32,f32");
    expect(await resident("bfloat16")).toBe("bf16,f32,f32");
    expect(await resident("float16")).toBe("f32,f32,f32");
    expect(await resident("float32", "bf16")).toBe("bf16,f32,f32");
    expect(await resident("bfloat16", "f32")).toBe("f32,f32,f32");
  });

  test("as bf16, what chooses or weighs experts stays float32, every other matrix becomes bf16", async () => {
    const shared = { ...SMALL, shared_intermediate_size: 10 };
    for (const stored of [shared, storedAs("bfloat16", shared), SMALL_HF]) {
      const { rt, weights } = await loadCheckpoint(singleFile(stored), { dtype: "bf16" });
      for (const { name, shape } of weights.specs()) {
        const precise = shape.length === 1 || /\.(block_sparse_moe\.gate|coefficient)\.weight$/.test(name);
        expect(weights.at(name).dtype, name).toBe(precise ? "f32" : "bf16");
      }
      if (stored !== SMALL_HF) expect(weights.at("model.layers.1.coefficient.weight").dtype).toBe("f32");
      expect(weights.at("model.layers.1.block_sparse_moe.gate.weight").dtype).toBe("f32");
      rt.dispose();
    }
  });

  test("a larger model is read in many pieces", async () => {
    const config = { ...tinyM1.source, vocab_size: 9001, hidden_size: 256, num_hidden_layers: 1, attn_type_list: [0] };
    const tensors = rawTensors(config);
    await expectLoaded(singleFile(config), tensors);
  });

  test("the configuration may be given, and then comes before the file", async () => {
    const bytes = singleFile().get("model.safetensors")!;
    for (const source of [bytes, bytes.slice().buffer, new Blob([bytes as BlobPart])]) {
      const { config, rt } = await loadCheckpoint(source, { config: SMALL });
      expect(config.vocabSize).toBe(21);
      rt.dispose();
    }
    const { rt, config } = await loadCheckpoint(singleFile(), { config: { ...SMALL, rms_norm_eps: 0.5 } });
    expect(config.rmsNormEps).toBe(0.5);
    rt.dispose();
  });

  test("text files are kept, others are not", async () => {
    const files = singleFile()
      .set("tokenizer.json", json({ model: {} }))
      .set("README.md", json("hello"));
    const checkpoint = await loadCheckpoint(files);
    expect([...checkpoint.files.keys()].sort()).toEqual(["config.json", "tokenizer.json"]);
    expect(checkpoint.files.get("tokenizer.json")).toEqual(files.get("tokenizer.json"));
    checkpoint.rt.dispose();
  });

  test("unknown keys of the configuration warn", async () => {
    const warnings: string[] = [];
    const config = { ...SMALL, tokenizer_class: "GPT2Tokenizer" };
    (await loadCheckpoint(singleFile(config), { onWarning: (message) => warnings.push(message) })).rt.dispose();
    expect(warnings.join()).toMatch(/tokenizer_class/);
  });

  test("the only .safetensors file counts as the model, whatever its name", async () => {
    const files = singleFile();
    files.set("weights.safetensors", files.get("model.safetensors")!).delete("model.safetensors");
    await expectLoaded(files, rawTensors(SMALL));
  });

  test("transformers' buffers are kept beside the weights", async () => {
    const buffers = rawBuffers(0);
    const checkpoint = await loadCheckpoint(singleFile(SMALL_HF, [...buffers, ...rawTensors(SMALL_HF)]));
    expect(checkpoint.buffers).toEqual(buffers);
    checkpoint.rt.dispose();
    await expectRefused(singleFile(SMALL, [...rawTensors(SMALL), ...buffers]), WeightError, /slope_rate:.*weight/);
  });

  test("a tied model may store its head once more", async () => {
    const tied = { ...SMALL, tie_word_embeddings: true };
    await expectLoaded(singleFile(tied), rawTensors(tied));
    const embedding = rawTensors(tied).find(({ name }) => name === "model.embed_tokens.weight")!;
    const head: RawTensor = { ...embedding, name: "lm_head.weight" };
    const checkpoint = await loadCheckpoint(singleFile(tied, [head, ...rawTensors(tied)]));
    expect(checkpoint.buffers).toEqual([head]);
    expect(() => checkpoint.weights.at("lm_head.weight")).toThrow(WeightError);
    checkpoint.rt.dispose();
  });

  test("a tied model whose stored head differs from the embedding is refused", async () => {
    // Larger than the samples that are compared.
    const tied = { ...SMALL, tie_word_embeddings: true, vocab_size: 9001 };
    const tensors = rawTensors(tied);
    const embedding = tensors.find(({ name }) => name === "model.embed_tokens.weight")!;
    for (const at of [0, embedding.bytes.length >> 1, embedding.bytes.length - 1]) {
      const bytes = embedding.bytes.slice();
      bytes[at]! ^= 1;
      const files = singleFile(tied, [...tensors, { ...embedding, name: "lm_head.weight", bytes }]);
      await expectRefused(files, WeightError, /^lm_head\.weight:.*model\.embed_tokens\.weight.*tie_word_embeddings/);
    }
  });
});

describe("progress", () => {
  test("one total, known from the start, never falling, ending at 1", async () => {
    for (const files of [singleFile(), sharded()]) {
      const seen: Progress[] = [];
      (await loadCheckpoint(files, { onProgress: (progress) => seen.push(progress) })).rt.dispose();
      const total = [...files].filter(([name]) => name.endsWith(".safetensors")).reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
      expect(seen[0]).toEqual({ loadedBytes: 0, totalBytes: total, fraction: 0, phase: "download" });
      expect(seen.at(-1)).toEqual({ loadedBytes: total, totalBytes: total, fraction: 1, phase: "load" });
      for (const [i, { loadedBytes, totalBytes, fraction }] of seen.entries()) {
        expect(totalBytes).toBe(total);
        expect(fraction).toBe(loadedBytes / total);
        expect(loadedBytes).toBeGreaterThanOrEqual(seen[i - 1]?.loadedBytes ?? 0);
      }
    }
  });

  test("an error in the listener ends the load", async () => {
    const fault = new Error("from the listener");
    await expect(
      loadCheckpoint(singleFile(), {
        onProgress: () => {
          throw fault;
        },
      }),
    ).rejects.toBe(fault);
  });
});

describe("aborting", () => {
  test("before the start, and at every report of progress, the signal's own reason is thrown and nothing stays", async () => {
    const reason = { custom: "reason" };
    await expect(loadCheckpoint(sharded(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const create = vi.spyOn(Runtime, "create");
    let reports = 0;
    (await loadCheckpoint(sharded(), { onProgress: () => reports++ })).rt.dispose();
    for (let at = 1; at <= reports; at++) {
      const controller = new AbortController();
      let seen = 0;
      const onProgress = () => ++seen === at && controller.abort(reason);
      await expect(loadCheckpoint(sharded(), { signal: controller.signal, onProgress })).rejects.toBe(reason);
      expect(seen).toBe(at);
    }
    for (const { value } of create.mock.results) expect((await value).memory.reservedBytes).toBe(0);
    create.mockRestore();
  });

  test("after the call and before the first file", async () => {
    const controller = new AbortController();
    const loading = loadCheckpoint(singleFile(), { signal: controller.signal });
    controller.abort();
    await expect(loading).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("configuration and index", () => {
  test("a configuration with the constants that Python's json module writes", async () => {
    const text = JSON.stringify({ ...SMALL, best_losses: [0, Infinity] }).replace("null]", "Infinity]");
    const warnings: string[] = [];
    const { rt } = await loadCheckpoint(singleFile().set("config.json", new TextEncoder().encode(text)), {
      onWarning: (w) => warnings.push(w),
    });
    expect(warnings).toEqual([expect.stringContaining("best_losses")]);
    rt.dispose();
    const wrong = text.replace("Infinity]", "1]").replace("{", '{"rms_norm_eps":NaN,');
    expect(wrong).toContain("NaN");
    await expectRefused(singleFile().set("config.json", new TextEncoder().encode(wrong)), ConfigError, /rms_norm_eps:.*number.*0.*NaN/);
  });

  test("missing or damaged configuration", async () => {
    const files = singleFile();
    files.delete("config.json");
    await expectRefused(files, CheckpointError, /config\.json: missing/);
    await expectRefused(
      files.set("config.json", new TextEncoder().encode('{"a": 1,\n "b"')),
      CheckpointError,
      /^config\.json: line 2, column 5: expected ":"/,
    );
    await expectRefused(files.set("config.json", new Uint8Array([0xff, 0xfe])), CheckpointError, /^config\.json: expected UTF-8/);
    await expectRefused(files.set("config.json", json([1])), ConfigError, /expected a JSON object/);
    await expectRefused(
      files.set("config.json", json({ ...SMALL, architectures: ["MiniMaxM2ForCausalLM"], model_type: "minimax_m2" })),
      ConfigError,
      /minimax_m2/,
    );
  });

  test("no weights, several files without an index, other formats", async () => {
    const files = sharded();
    files.delete("model.safetensors.index.json");
    await expectRefused(files, CheckpointError, /3 \.safetensors files.*index/);
    await expectRefused(new Map([["config.json", json(SMALL)]]), CheckpointError, /expected model\.safetensors or/);
    await expectRefused(
      new Map([
        ["config.json", json(SMALL)],
        ["pytorch_model.bin", new Uint8Array(1)],
      ]),
      CheckpointError,
      /another format/,
    );
  });

  test("an index that is damaged", async () => {
    const files = sharded();
    const index = (value: unknown) => new Map(files).set("model.safetensors.index.json", json(value));
    await expectRefused(index({}), CheckpointError, /weight_map:.*tensor/);
    await expectRefused(index({ weight_map: [] }), CheckpointError, /weight_map/);
    await expectRefused(index({ weight_map: { a: 1 } }), CheckpointError, /weight_map: a:.*safetensors/);
    await expectRefused(
      new Map(files).set("model.safetensors.index.json", new TextEncoder().encode("{")),
      CheckpointError,
      /index\.json: line 1/,
    );
    const text = new TextDecoder().decode(files.get("model.safetensors.index.json"));
    const twice = text.replace('"weight_map": {', '"weight_map": {\n"lm_head.weight": "model-00001-of-00003.safetensors",');
    await expectRefused(
      new Map(files).set("model.safetensors.index.json", new TextEncoder().encode(twice)),
      CheckpointError,
      /expected every key once/,
    );
  });

  test("shard names cannot leave the directory", async () => {
    for (const name of [
      "../model.safetensors",
      "/etc/x.safetensors",
      "a/b.safetensors",
      "..\\x.safetensors",
      "C:x.safetensors",
      "..safetensors",
      "",
      "x.bin",
      ".safetensors",
    ]) {
      const files = sharded().set("model.safetensors.index.json", json({ weight_map: { "lm_head.weight": name } }));
      await expectRefused(files, CheckpointError, /weight_map: lm_head\.weight:.*safetensors/);
    }
  });

  test("shards that are missing, or hold other tensors than the index says", async () => {
    const files = sharded();
    files.delete("model-00002-of-00003.safetensors");
    await expectRefused(files, CheckpointError, /model-00002-of-00003\.safetensors: missing/);

    const { weight_map } = JSON.parse(new TextDecoder().decode(sharded().get("model.safetensors.index.json")));
    const index = (map: Record<string, string>) => sharded().set("model.safetensors.index.json", json({ weight_map: map }));
    await expectRefused(
      index({ ...weight_map, "lm_head.weight": "model-00001-of-00003.safetensors" }),
      CheckpointError,
      /lm_head\.weight: expected in model-00001-.*got it in model-00003/,
    );
    await expectRefused(
      index({ ...weight_map, extra: "model-00001-of-00003.safetensors" }),
      CheckpointError,
      /extra: expected in .*got no such tensor/,
    );
  });

  describe("an index that does not list all that lies in its files", () => {
    const [first, second] = ["model-00001-of-00001.safetensors", "model-overlay-00001.safetensors"] as const;
    const tensors = rawTensors(SMALL);
    const older = rawTensors(SMALL, 2);
    const norm = "model.norm.weight";
    const others = tensors.filter(({ name }) => name !== norm);
    const one = (from: readonly RawTensor[], name = norm) => from.find((tensor) => tensor.name === name)!;
    const extra: RawTensor = { name: "old.scale", dtype: "F8_E4M3", shape: [3], bytes: new Uint8Array(3) };
    const indexed = (files: Record<string, readonly RawTensor[]>, map: Record<string, string> = {}): Files => {
      const weight_map = { ...Object.fromEntries(tensors.map(({ name }) => [name, first])), ...map };
      return new Map([
        ["config.json", json(SMALL)],
        ["model.safetensors.index.json", json({ weight_map })],
        ...Object.entries(files).map(([name, own]) => [name, safetensors(own)] as const),
      ]);
    };

    test.each<[string, Files, string]>([
      [
        "of two copies the newer",
        indexed({ [first]: [...others, one(older)], [second]: [one(tensors)] }, { [norm]: second }),
        `${norm} in ${first}`,
      ],
      [
        "of two copies the one in the first file",
        indexed({ [first]: tensors, [second]: [one(older), one(tensors, "lm_head.weight")] }, { "lm_head.weight": second }),
        `lm_head.weight in ${first}, ${norm} in ${second}`,
      ],
      ["a tensor of no model", indexed({ [first]: [extra, ...tensors] }), `old.scale in ${first}`],
    ])("%s", async (_, files, left) => {
      const warnings: string[] = [];
      const onWarning = (message: string) => warnings.push(message);
      const fractions: number[] = [];
      await expectLoaded(files, tensors, { onWarning, onProgress: ({ fraction }) => fractions.push(fraction) });
      expect(warnings).toEqual([expect.stringMatching(facts(`model.safetensors.index.json: weight_map: …${left}`))]);
      expect(fractions.at(-1)).toBe(1);
      expect((await inspectCheckpoint(files)).fault).toBeUndefined();
      expect([...(await readTensors(files)).keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
      const checkpoint = await loadCheckpoint(files);
      const saved = await saveCheckpoint(checkpoint);
      checkpoint.rt.dispose();
      await expectLoaded(saved, tensors, { onWarning: (message) => expect(message).toBe("nothing") });
    });

    test("a weight of the model is missing then, and the message says where it is", async () => {
      const files = indexed({ [first]: tensors });
      const { weight_map } = JSON.parse(new TextDecoder().decode(files.get("model.safetensors.index.json")));
      delete weight_map[norm];
      files.set("model.safetensors.index.json", json({ weight_map }));
      await expectRefused(
        files,
        WeightError,
        /model\.norm\.weight: missing \(it is in model-00001-of-00001\.safetensors, but .* does not list it\)/,
      );
    });

    test("many are counted", async () => {
      const warnings: string[] = [];
      const many = Array.from({ length: 5 }, (_, i) => ({ ...extra, name: `old.${i}` }));
      await expectLoaded(indexed({ [first]: [...tensors, ...many] }), tensors, { onWarning: (message) => warnings.push(message) });
      expect(warnings.join()).toContain(`old.0 in ${first}, old.1 in ${first}, old.2 in ${first} and 2 more`);
    });

    test("a shard that holds what another one should", async () => {
      const files = sharded();
      files.set("model-00002-of-00003.safetensors", files.get("model-00001-of-00003.safetensors")!);
      await expectRefused(
        files,
        CheckpointError,
        /weight_map: .*: expected in model-00002-of-00003\.safetensors, got no such tensor there/,
      );
    });
  });

  test("files that are too short or too long", async () => {
    for (const name of ["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"]) {
      const whole = sharded().get(name)!;
      await expectRefused(sharded().set(name, whole.subarray(0, -1)), CheckpointError, /truncated/);
      await expectRefused(sharded().set(name, whole.subarray(0, 4)), CheckpointError, /truncated/);
      await expectRefused(sharded().set(name, new Uint8Array([...whole, 0])), CheckpointError, /too long/);
    }
  });
});

describe("weights that do not fit the configuration", () => {
  test("missing, with the nearest name", async () => {
    await expectRefused(
      edit((tensors) => tensors.filter(({ name }) => name !== "model.layers.1.self_attn.k_proj.weight")),
      WeightError,
      /^model\.layers\.1\.self_attn\.k_proj\.weight: missing; nearest is model\.layers\.1\.self_attn\.[qvo]_proj\.weight$/,
    );
    await expectRefused(
      edit((tensors) =>
        tensors.map((tensor) => (tensor.name === "model.norm.weight" ? { ...tensor, name: "model.norms.weight" } : tensor)),
      ),
      WeightError,
      /^model\.norm\.weight: missing; nearest is model\.norms\.weight/,
    );
  });

  test("the other kind of attention points to attn_type_list", async () => {
    const files = singleFile({ ...SMALL, attn_type_list: [1, 1] }, rawTensors(SMALL));
    await expectRefused(
      files,
      WeightError,
      /layers\.0\.self_attn\.q_proj\.weight: missing; nearest is model\.layers\.0\.self_attn\.qkv_proj\.weight \(layer 0 is softmax: check attn_type_list\)/,
    );
    const hf = singleFile({ ...SMALL_HF, layer_types: ["full_attention", "full_attention"] }, rawTensors(SMALL_HF));
    await expectRefused(hf, WeightError, /check layer_types/);
  });

  test("superfluous", async () => {
    const extra = { ...rawTensors(SMALL)[1]!, name: "model.surprise.weight" };
    await expectRefused(
      edit((tensors) => [...tensors, extra]),
      WeightError,
      /^model\.surprise\.weight:.*weight/,
    );
    await expectRefused(
      singleFile({ ...SMALL, num_hidden_layers: 1, attn_type_list: [0] }, rawTensors(SMALL)),
      WeightError,
      /check num_hidden_layers, 1\).*and \d+ more/,
    );
    await expectRefused(
      singleFile({ ...SMALL, num_local_experts: 1, num_experts_per_tok: 1 }, rawTensors(SMALL)),
      WeightError,
      /check num_local_experts, 1/,
    );
    await expectRefused(singleFile(SMALL, rawTensors({ ...SMALL, shared_intermediate_size: 10 })), WeightError, /shared_intermediate_size/);
  });

  test("more layers than the files have", async () => {
    const files = singleFile({ ...SMALL, num_hidden_layers: 3, attn_type_list: [0, 1, 0] }, rawTensors(SMALL));
    await expectRefused(files, WeightError, /layer 2.*num_hidden_layers/);
  });

  test("misshapen", async () => {
    await expectRefused(
      singleFile({ ...SMALL, vocab_size: 22 }, rawTensors(SMALL)),
      WeightError,
      /^model\.embed_tokens\.weight: expected \[22, 12\], got \[21, 12\]/,
    );
    const transposed = edit((tensors) =>
      tensors.map((tensor) => (tensor.name === "lm_head.weight" ? { ...tensor, shape: [12, 21] } : tensor)),
    );
    await expectRefused(transposed, WeightError, /^lm_head\.weight: expected \[21, 12\], got \[12, 21\]/);
    const flat = edit((tensors) => tensors.map((tensor) => (tensor.name === "lm_head.weight" ? { ...tensor, shape: [21 * 12] } : tensor)));
    await expectRefused(flat, WeightError, /^lm_head\.weight: expected \[21, 12\], got \[252\]/);
  });

  test("stored in a dtype that is no float, or quantised", async () => {
    const as = (dtype: string, factor: number) =>
      edit((tensors) => tensors.map((t) => (t.name === "lm_head.weight" ? { ...t, dtype, bytes: new Uint8Array(21 * 12 * factor) } : t)));
    await expectRefused(as("F8_E4M3", 1), WeightError, /^lm_head\.weight:.*F32.*F16.*BF16.*F8_E4M3/);
    await expectRefused(as("I32", 4), WeightError, /got I32/);
    await expectRefused(as("F64", 8), WeightError, /got F64/);
    await expectRefused(as("NEW_DTYPE", 3), WeightError, /got NEW_DTYPE/);
    for (const dtype of ["__proto__", "constructor", "toString"]) {
      await expectRefused(as(dtype, 4), WeightError, new RegExp(`got ${dtype}`));
      const { dtypes, fault } = await inspectCheckpoint(as(dtype, 4));
      expect(Object.getOwnPropertyDescriptor(dtypes, dtype)?.value).toEqual({ tensors: 1, bytes: 21 * 12 * 4 });
      expect(fault).toBeInstanceOf(WeightError);
      expect(({} as Record<string, unknown>).tensors).toBeUndefined();
      expect(({} as Record<string, unknown>).bytes).toBeUndefined();
    }
  });

  test("NaN is reported on request", async () => {
    for (const [dtype, nan] of [
      ["float32", [0, 0, 0xc0, 0x7f]],
      ["bfloat16", [0xc0, 0x7f]],
      ["float16", [0, 0x7e]],
    ] as const) {
      const config = storedAs(dtype);
      const poisoned = rawTensors(config);
      for (const name of ["lm_head.weight", "model.norm.weight"]) poisoned.find((tensor) => tensor.name === name)!.bytes.set(nan);
      await expectRefused(singleFile(config, poisoned), WeightError, /model\.norm\.weight \(1 elements\).*got NaN/, { checkNaN: true });
      await expectRefused(singleFile(config, poisoned), WeightError, /lm_head\.weight \(1 elements\)/, { checkNaN: true, dtype: "bf16" });
      await expectLoaded(singleFile(config, poisoned), poisoned);
      (await loadCheckpoint(singleFile(config), { checkNaN: true })).rt.dispose();
    }
  });
});

describe("memory", () => {
  test("a model beyond wasm32 is refused before any file of weights is opened", async () => {
    const config = { ...SMALL, hidden_size: 6144, intermediate_size: 9216, num_local_experts: 32 };
    await expectRefused(new Map([["config.json", json(config)]]), MemoryError, /^load: .*\d+\.\d+ GiB.*q4.*4 GiB.*"streamed"/);
  });

  test("a limit of one's own counts the precision in memory", async () => {
    const files = singleFile();
    const { weightsBytes } = estimateMemory(SMALL);
    (await loadCheckpoint(files, { maxMemoryBytes: weightsBytes })).rt.dispose();
    await expectRefused(files, MemoryError, /maxMemoryBytes allows .* \(.*dtype "q4", "q8" or "bf16", residency "streamed"/, {
      maxMemoryBytes: weightsBytes - 1,
    });
    (await loadCheckpoint(files, { maxMemoryBytes: weightsBytes - 1, dtype: "bf16" })).rt.dispose();
  });

  test("a graph of millions of tensors is refused, not built", async () => {
    const config = { ...SMALL, num_local_experts: 2 ** 31 - 1 };
    await expectRefused(new Map([["config.json", json(config)]]), ConfigError, /num_local_experts: expected at most 1000000 matrices/);
  });

  test("the estimate of the weights is what they take, 64 bytes of alignment per tensor aside", async () => {
    for (const [stored, dtype] of [
      ["float32", undefined],
      ["bfloat16", undefined],
      ["float32", "bf16"],
      ["bfloat16", "f32"],
      ["float16", undefined],
    ] as const) {
      const config = storedAs(stored);
      const { rt, weights } = await loadCheckpoint(singleFile(config), { dtype });
      const { weightsBytes } = estimateMemory(config, { dtype });
      expect(rt.memory.usedBytes).toBeGreaterThanOrEqual(weightsBytes);
      expect(rt.memory.usedBytes).toBeLessThan(weightsBytes + 64 * [...weights.specs()].length);
      rt.dispose();
    }
  });

  test("the estimate of state and scratch covers what a pass takes, and little more", async () => {
    const wide = { ...SMALL, hidden_size: 64, intermediate_size: 512, vocab_size: 320, max_position_embeddings: 512 };
    const many = {
      ...SMALL,
      hidden_size: 64,
      num_attention_heads: 16,
      num_key_value_heads: 16,
      head_dim: 64,
      max_position_embeddings: 512,
    };
    const hypeNet = { ...SMALL_HYPENET, hidden_size: 64, intermediate_size: 512, vocab_size: 320, max_position_embeddings: 512 };
    const hypeNetHeads = { ...hypeNet, intermediate_size: 64, lightning_nh: 32, lightning_nkv: 32, lightning_head_dim: 32 };
    const hypeNetSoftmax = { ...hypeNet, intermediate_size: 64, num_attention_heads: 16, num_key_value_heads: 16, head_dim: 64 };
    const hypeNets = [hypeNet, hypeNetHeads, hypeNetSoftmax];
    for (const config of [wide, many, { ...wide, shared_intermediate_size: 512, postnorm: false }, ...hypeNets]) {
      for (const [batch, context] of [
        [1, 64],
        [1, 512],
        [3, 200],
      ] as const) {
        const model = await MiniMaxM1.load(singleFile(config));
        const before = model.memory.usedBytes;
        model.forward(
          Array.from({ length: batch }, () => new Array<number>(context).fill(1)),
          { logits: "last" },
        );
        const { cacheBytes, scratchBytes } = estimateMemory(config, { batch, context });
        const taken = model.memory.peakBytes - before;
        expect(cacheBytes + scratchBytes).toBeGreaterThanOrEqual(taken);
        // 4 MiB are for workspaces and staging.
        expect(cacheBytes + scratchBytes).toBeLessThan(1.5 * taken + (4 << 20));
        model.dispose();
      }
    }
  });

  test("the estimate takes configurations, their JSON and graphs; state grows with batch and context", () => {
    const typed = estimateMemory(parseConfig(SMALL), { context: 64 });
    expect(estimateMemory(SMALL, { context: 64 })).toEqual(typed);
    // One lightning layer of 2 heads, one softmax layer of 1 head for keys and values; head dim 6 lies in panels of 8.
    expect(typed.cacheBytes).toBe(4 * (2 * 8 * 8 + 2 * 8 * 64));
    expect(estimateMemory(SMALL, { context: 65, batch: 3 }).cacheBytes).toBe(3 * 4 * (2 * 8 * 8 + 2 * 8 * 128));
    expect(estimateMemory(SMALL, { context: 64, kv: "bf16" }).cacheBytes).toBe(4 * 2 * 8 * 8 + 2 * 2 * 8 * 64);
    expect(estimateMemory(SMALL, { context: 64, kv: "q8" }).cacheBytes).toBe(4 * 2 * 8 * 8 + 2 * (8 + 4) * 64);
    // HypeNet: one lightning layer of 6 heads, head dim 4 in panels of 8, and one softmax layer as above.
    expect(estimateMemory(SMALL_HYPENET, { context: 64 }).cacheBytes).toBe(4 * (6 * 8 * 8 + 2 * 8 * 64));
    expect(typed.totalBytes).toBe(typed.weightsBytes + typed.cacheBytes + typed.scratchBytes);
  });

  test("of streamed weights, vectors and routers are in memory, and of matrices no more than the budget", () => {
    const { weightsBytes: all } = estimateMemory(SMALL);
    const streamed = (budgetBytes?: number) => estimateMemory(SMALL, { residency: "streamed", budgetBytes }).weightsBytes;
    const vectors = graph(SMALL).tensors.filter(({ shape, block }) => shape.length === 1 || block === "router");
    const small = streamed(64) - 64;
    expect(small).toBeGreaterThanOrEqual(vectors.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b), 0));
    expect(small).toBeLessThan(all / 2);
    expect(streamed(128) - streamed(64)).toBe(64);
    expect(streamed()).toBe(all);
    expect(() => estimateMemory(SMALL, { budgetBytes: 64 })).toThrow(facts('estimateMemory: budgetBytes: …"streamed"…64…resident'));
  });

  test("whether it fits: the published model only streamed, and not with any state", () => {
    const of = (options: object) => estimateMemory(minimaxM1, options).fits;
    expect(estimateMemory(SMALL).fits).toBe(true);
    expect(["q4", "q8", "bf16", "f32"].map((dtype) => of({ dtype }))).toEqual([false, false, false, false]);
    expect(of({ residency: "streamed" })).toBe(true);
    expect(of({ residency: "streamed", context: 1_048_576 })).toBe(false);
  });
});

test("a precision that does not exist is refused", async () => {
  await expectRefused(singleFile(), InputError, /^load: dtype: expected "f32" or "bf16" or "q8" or "q4", got "int8"/, {
    dtype: "int8" as never,
  });
});

test("more threads than anybody has are refused", async () => {
  for (const threads of [0, 65, 1e9, "all"]) {
    const message = /threads:.*"auto".*integer.*\[1,.*64\]/;
    await expectRefused(singleFile(), InputError, message, { threads: threads as never });
    await expect(Runtime.create("simd", { threads: threads as never })).rejects.toThrow(message);
  }
});

test("the test's own reader and writer agree", () => {
  const { header, data } = open(safetensors(rawTensors(SMALL)));
  expect(Object.keys(header)).toHaveLength(rawTensors(SMALL).length + 1);
  expect(header["lm_head.weight"]!.data_offsets[1]).toBe(data.byteLength);
});
