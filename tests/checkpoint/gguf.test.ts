import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { encodeFloats, type TensorType } from "../../src/checkpoint/gguf/tensor-types.js";
import {
  CheckpointError,
  ConfigError,
  decaySlopes,
  exportGguf,
  graph,
  InputError,
  MiniMaxM1,
  parseConfig,
  type SaveProgress,
  WeightError,
} from "../../src/index.js";
import { trainTokenizer } from "../../src/train/index.js";
import { json, rawTensors, SMALL_HF, SMALL_HYPENET, sharded, singleFile } from "../support/checkpoints.js";
import { type GgufFile, half, readGguf } from "../support/gguf.js";
import { random } from "../support/random.js";

/** A small model that llama.cpp can express, with sizes that are whole blocks of Q8_0. */
const CONFIG: Readonly<Record<string, unknown>> = {
  architectures: ["MiniMaxM1ForCausalLM"],
  model_type: "minimax_m1",
  torch_dtype: "float32",
  vocab_size: 37,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  rotary_dim: 8,
  rope_theta: 5000,
  rms_norm_eps: 1e-5,
  postnorm: true,
  num_local_experts: 3,
  num_experts_per_tok: 2,
  attn_type_list: [0, 1, 0],
  layernorm_full_attention_alpha: 2,
  layernorm_linear_attention_alpha: 2,
  layernorm_mlp_alpha: 2,
  max_position_embeddings: 64,
  eos_token_id: 5,
};

const [F32, F16, Q8_0, BF16] = [0, 1, 8, 30];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "gguf-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Saves a model as GGUF, and reads the file. */
async function saved(files: ReadonlyMap<string, Uint8Array>, options: { dtype?: "f32" | "f16" | "bf16" | "q8_0" } = {}): Promise<GgufFile> {
  const model = await MiniMaxM1.load(files);
  try {
    const written = await model.save(undefined, { format: "gguf", ...options });
    expect([...written.keys()]).toEqual(["model.gguf"]);
    return readGguf(written.get("model.gguf")!);
  } finally {
    model.dispose();
  }
}

/** The stored numbers of a float32 checkpoint, by name. */
function numbers(config: Readonly<Record<string, unknown>>): Map<string, Float32Array> {
  return new Map(
    rawTensors({ ...config, torch_dtype: "float32" }).map(({ name, bytes }) => [name, new Float32Array(bytes.slice().buffer)]),
  );
}

const files = (config: Readonly<Record<string, unknown>> = CONFIG) => singleFile({ ...config });

describe("the file", () => {
  test("has the model's settings under llama.cpp's names", async () => {
    const { version, metadata } = await saved(files());
    expect(version).toBe(3);
    expect(Object.fromEntries([...metadata].filter(([key]) => !key.startsWith("tokenizer.")))).toEqual({
      "general.architecture": "minimax-01",
      "general.type": "model",
      "general.name": "model",
      "general.file_type": 0,
      "minimax-01.vocab_size": 37,
      "minimax-01.context_length": 64,
      "minimax-01.embedding_length": 32,
      "minimax-01.block_count": 3,
      "minimax-01.feed_forward_length": 64,
      "minimax-01.attention.head_count": 2,
      "minimax-01.attention.head_count_kv": 1,
      "minimax-01.attention.key_length": 16,
      "minimax-01.attention.value_length": 16,
      "minimax-01.attention.layer_norm_rms_epsilon": Math.fround(1e-5),
      "minimax-01.attention.recurrent_layers": [true, false, true],
      "minimax-01.rope.freq_base": 5000,
      "minimax-01.rope.dimension_count": 8,
      "minimax-01.expert_count": 3,
      "minimax-01.expert_used_count": 2,
      "minimax-01.residual_scale": 2,
    });
  });

  test("has every weight once, with its values and its type", async () => {
    const own = numbers(CONFIG);
    for (const given of [files(), sharded({ ...CONFIG }, 4)]) {
      const { tensors } = await saved(given);
      const size = [...tensors.values()].reduce((sum, { values }) => sum + values.length, 0);
      expect(size).toBe(graph(CONFIG).parameterCount);
      const same = (name: string, source: string, shape: number[]) => {
        expect(tensors.get(name)!.shape, name).toEqual(shape);
        expect(tensors.get(name)!.values, name).toEqual(own.get(source)!);
      };
      same("token_embd.weight", "model.embed_tokens.weight", [37, 32]);
      same("output.weight", "lm_head.weight", [37, 32]);
      same("output_norm.weight", "model.norm.weight", [32]);
      same("blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight", [32]);
      same("blk.0.attn_qkv.weight", "model.layers.0.self_attn.qkv_proj.weight", [96, 32]);
      same("blk.0.attn_gate.weight", "model.layers.0.self_attn.output_gate.weight", [32, 32]);
      same("blk.0.attn_norm_2.weight", "model.layers.0.self_attn.norm.weight", [32]);
      same("blk.0.attn_output.weight", "model.layers.0.self_attn.out_proj.weight", [32, 32]);
      same("blk.1.attn_q.weight", "model.layers.1.self_attn.q_proj.weight", [32, 32]);
      same("blk.1.attn_k.weight", "model.layers.1.self_attn.k_proj.weight", [16, 32]);
      same("blk.1.attn_v.weight", "model.layers.1.self_attn.v_proj.weight", [16, 32]);
      same("blk.1.attn_output.weight", "model.layers.1.self_attn.o_proj.weight", [32, 32]);
      same("blk.2.ffn_norm.weight", "model.layers.2.post_attention_layernorm.weight", [32]);
      same("blk.2.ffn_gate_inp.weight", "model.layers.2.block_sparse_moe.gate.weight", [3, 32]);
      for (const [name, source, shape] of [
        ["gate", "w1", [64, 32]],
        ["down", "w2", [32, 64]],
        ["up", "w3", [64, 32]],
      ] as const) {
        const { shape: stacked, values } = tensors.get(`blk.2.ffn_${name}_exps.weight`)!;
        expect(stacked).toEqual([3, ...shape]);
        for (let expert = 0; expert < 3; expert++) {
          const part = values.subarray((expert * values.length) / 3, ((expert + 1) * values.length) / 3);
          expect(part).toEqual(own.get(`model.layers.2.block_sparse_moe.experts.${expert}.${source}.weight`)!);
        }
      }
    }
  });

  test.each([
    ["f32", F32, 0, 0],
    ["bf16", BF16, 32, 2 ** -8],
    ["f16", F16, 1, 2 ** -11],
    ["q8_0", Q8_0, 7, 1 / 254],
  ] as const)("with dtype %s: matrices are narrower, vectors and routers are not", async (dtype, type, fileType, error) => {
    const own = numbers(CONFIG);
    const { tensors, metadata } = await saved(files(), { dtype });
    expect(metadata.get("general.file_type")).toBe(fileType);
    expect(metadata.get("general.quantization_version")).toBe(dtype === "q8_0" ? 2 : undefined);
    for (const [name, { type: stored, shape }] of tensors) {
      expect(stored, name).toBe(shape.length === 1 || name.includes("ffn_gate_inp") ? F32 : type);
    }
    const written = tensors.get("blk.0.attn_qkv.weight")!.values;
    const exact = own.get("model.layers.0.self_attn.qkv_proj.weight")!;
    for (let from = 0; from < exact.length; from += 32) {
      const block = exact.subarray(from, from + 32);
      const largest = block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      for (const [i, x] of block.entries()) {
        // Half a step of a block in Q8_0 and the rounding of its scale; half a unit in the last place of the other types, or of the smallest float16.
        const bound =
          dtype === "q8_0" ? largest * (error + 2 ** -11) + 127 * 2 ** -25 : Math.max(Math.abs(x) * error, dtype === "f16" ? 2 ** -25 : 0);
        expect(Math.abs(written[from + i]! - x)).toBeLessThanOrEqual(bound + 1e-12);
      }
    }
  });

  test("keeps the stored precision by default", async () => {
    for (const [stored, type] of [
      ["bfloat16", BF16],
      ["float16", F16],
    ] as const) {
      const config = { ...CONFIG, torch_dtype: stored };
      const { tensors } = await saved(files(config));
      const raw = new Map(rawTensors(config).map(({ name, bytes }) => [name, bytes]));
      expect(tensors.get("output.weight")!.type).toBe(type);
      expect(tensors.get("output.weight")!.bytes).toEqual(raw.get("lm_head.weight"));
      expect(tensors.get("output_norm.weight")!.type).toBe(F32);
    }
  });

  test("rows that are not whole blocks of Q8_0 are float16", async () => {
    const { tensors } = await saved(files({ ...CONFIG, intermediate_size: 40 }), { dtype: "q8_0" });
    expect(tensors.get("blk.0.ffn_down_exps.weight")!.type).toBe(F16);
    expect(tensors.get("blk.0.ffn_up_exps.weight")!.type).toBe(Q8_0);
  });

  test("a tied head is left out, and the transformers dialect works", async () => {
    const { tensors } = await saved(files({ ...CONFIG, tie_word_embeddings: true }));
    expect(tensors.has("output.weight")).toBe(false);
    const { metadata } = await saved(files({ ...SMALL_HF, num_attention_heads: 3, num_key_value_heads: 3, head_dim: 4 }));
    expect(metadata.get("minimax-01.attention.head_count")).toBe(3);
  });

  test("is the same from the files of a checkpoint as from the loaded model, in any precision", async () => {
    const path = folder();
    const checkpoint = sharded({ ...CONFIG, torch_dtype: "bfloat16" }, 3);
    const model = await MiniMaxM1.load(checkpoint);
    await model.save(join(path, "checkpoint"));
    for (const dtype of [undefined, "f32", "f16", "q8_0"] as const) {
      await model.save(join(path, "loaded/model.gguf"), { format: "gguf", dtype });
      for (const source of [join(path, "checkpoint"), checkpoint]) {
        await exportGguf(source, join(path, "files/model.gguf"), { dtype });
        expect(Buffer.compare(readFileSync(join(path, "loaded/model.gguf")), readFileSync(join(path, "files/model.gguf")))).toBe(0);
      }
    }
    model.dispose();
  });
});

describe("numbers of heads that are not a power of two", () => {
  /** Slopes that llama.cpp computes for n heads, without the factor of the layer. */
  const llamaSlopes = (n: number) => Array.from({ length: n }, (_, h) => 2 ** (-8 / n) * 2 ** ((-8 / n) * h));

  test.each([
    [3, 1],
    [6, 2],
    [6, 6],
    [12, 4],
    [5, 1],
    [40, 8],
  ])("%i heads with %i key and value heads: every head keeps its slope and its weights", async (heads, kv) => {
    const config = { ...CONFIG, num_attention_heads: heads, num_key_value_heads: kv, head_dim: 4, rotary_dim: 4 };
    const own = numbers(config);
    const { tensors, metadata } = await saved(files(config));
    const wide = metadata.get("minimax-01.attention.head_count") as number;
    const wideKv = metadata.get("minimax-01.attention.head_count_kv") as number;
    expect(Math.log2(wide) % 1).toBe(0);
    expect(wide % wideKv).toBe(0);

    // The place of a lightning head follows from its rows of q, k and v.
    const qkv = own.get("model.layers.0.self_attn.qkv_proj.weight")!;
    const wideQkv = tensors.get("blk.0.attn_qkv.weight")!.values;
    const block = (values: Float32Array, i: number, size: number) => values.slice(i * size, (i + 1) * size);
    const size = 3 * 4 * 32;
    const slopes = decaySlopes(parseConfig(config), 0);
    const used = new Set<number>();
    for (let head = 0; head < heads; head++) {
      const place = Array.from({ length: wide }, (_, i) => i).find(
        (i) => block(wideQkv, i, size).join() === block(qkv, head, size).join(),
      )!;
      used.add(place);
      expect(llamaSlopes(wide)[place]! * (1 + 1e-5)).toBeCloseTo(slopes[head]!, 6);
      const norm = tensors.get("blk.0.attn_norm_2.weight")!.values;
      const scaled = block(own.get("model.layers.0.self_attn.norm.weight")!, head, 4).map((x) => x * Math.sqrt(heads / wide));
      expect(block(norm, place, 4)).toEqual(scaled);
    }
    expect(used.size).toBe(heads);
    for (let i = 0; i < wide; i++) if (!used.has(i)) expect(block(wideQkv, i, size).every((x) => x === 0)).toBe(true);

    // Query heads stay in the group of their key and value head.
    const q = own.get("model.layers.1.self_attn.q_proj.weight")!;
    const wideQ = tensors.get("blk.1.attn_q.weight")!.values;
    for (let head = 0; head < heads; head++) {
      const place = Array.from({ length: wide }, (_, i) => i).find((i) => block(wideQ, i, 128).join() === block(q, head, 128).join())!;
      expect(Math.floor(place / (wide / wideKv))).toBe(Math.floor(head / (heads / kv)));
      const column = (values: Float32Array, width: number, i: number) =>
        Array.from({ length: 32 }, (_, row) => values[row * width + i * 4]);
      const o = own.get("model.layers.1.self_attn.o_proj.weight")!;
      expect(column(tensors.get("blk.1.attn_output.weight")!.values, wide * 4, place)).toEqual(column(o, heads * 4, head));
    }
    const k = tensors.get("blk.1.attn_k.weight")!.values;
    expect(k.slice(0, kv * 128)).toEqual(own.get("model.layers.1.self_attn.k_proj.weight")!);
  });

  test("groups that do not fit are refused", async () => {
    const config = { ...CONFIG, num_attention_heads: 15, num_key_value_heads: 3, head_dim: 4, rotary_dim: 4 };
    await expect(saved(files(config))).rejects.toThrow(/num_attention_heads: expected a power of two.*got 15 heads with 3.*safetensors/);
  });
});

describe("refused models", () => {
  test.each([
    ["shared_intermediate_size", { shared_intermediate_size: 64 }, /shared_intermediate_size: expected 0, got 64 .*no shared expert/],
    ["postnorm", { postnorm: false }, /postnorm: expected true, got false/],
    ["different alphas", { layernorm_mlp_alpha: 3 }, /alphas: expected one value, got "?2, 2, 3"?.*one residual scale/],
    ["betas", { layernorm_mlp_beta: 0.5 }, /betas: expected 1, got "?1, 1, 0.5"?/],
    [
      "lightning only",
      { attn_type_list: [0, 0, 0] },
      /attention types: expected lightning and softmax layers, got "?lightning layers only/,
    ],
    ["softmax only", { attn_type_list: [1, 1, 1] }, /attention types: expected lightning and softmax layers, got "?softmax layers only/],
  ])("%s", async (_, change, message) => {
    const error = await saved(files({ ...CONFIG, ...change })).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toMatch(/^gguf: .*safetensors/);
  });

  test("HypeNet", async () => {
    await expect(saved(files(SMALL_HYPENET))).rejects.toThrow(/^gguf: model_type: expected .*got "?hypenet/);
  });

  test("8-bit weights in memory, NaN in Q8_0, and numbers too large for float16", async () => {
    const rounded = await MiniMaxM1.load(files(), { dtype: "q8" });
    await expect(rounded.save(undefined, { format: "gguf" })).rejects.toThrow(/without dtype "q8"/);
    rounded.dispose();
    const tensors = rawTensors({ ...CONFIG });
    new DataView(tensors[0]!.bytes.buffer).setFloat32(0, 1e5, true);
    await expect(saved(singleFile({ ...CONFIG }, tensors), { dtype: "f16" })).rejects.toThrow(
      /^model\.embed_tokens\.weight: .*65504.*got 100000.*bf16/,
    );
    new DataView(tensors[0]!.bytes.buffer).setFloat32(0, Number.NaN, true);
    await expect(saved(singleFile({ ...CONFIG }, tensors), { dtype: "q8_0" })).rejects.toThrow(WeightError);
  });

  test("options of the other format, unknown options, and paths of other names", async () => {
    const model = await MiniMaxM1.load(files());
    await expect(model.save(undefined, { dtype: "f16" })).rejects.toThrow(/save: dtype: expected only with format "gguf"/);
    await expect(model.save(undefined, { format: "gguf", maxShardBytes: 10 })).rejects.toThrow(/maxShardBytes: expected only with/);
    await expect(model.save(undefined, { format: "onnx" as "gguf" })).rejects.toThrow(InputError);
    await expect(model.save("./model", { format: "gguf" })).rejects.toThrow(/expected the path of a \.gguf file, got "\.\/model"/);
    await expect(exportGguf(files(), "model.safetensors")).rejects.toThrow(/path: expected the path of a \.gguf file/);
    await expect(exportGguf(files(), "x/.gguf")).rejects.toThrow(InputError);
    await expect(exportGguf(files(), "x.gguf", { format: "gguf" } as object)).rejects.toThrow(/format: unknown option/);
    model.dispose();
  });
});

describe("types of tensors", () => {
  const encode = (values: number[], type: TensorType) => encodeFloats(Float32Array.from(values), type, "w");

  test("float16: every number that it can represent, and all halfway cases between neighbours", () => {
    const finite = Array.from({ length: 0x7c00 }, (_, bits) => bits);
    const exact = finite.flatMap((bits) => [half(bits), -half(bits)]);
    const halves = new Uint16Array(encode(exact, "F16").slice().buffer);
    expect([...halves]).toEqual(finite.flatMap((bits) => [bits, bits | 0x8000]));
    const between = finite.slice(0, -1).map((bits) => (half(bits) + half(bits + 1)) / 2);
    const even = new Uint16Array(encode(between, "F16").slice().buffer);
    expect([...even]).toEqual(finite.slice(0, -1).map((bits) => (bits % 2 === 0 ? bits : bits + 1)));
    expect([...encode([Number.POSITIVE_INFINITY], "F16")]).toEqual([0, 0x7c]);
    expect(half(new Uint16Array(encode([Number.NaN], "F16").slice().buffer)[0]!)).toBeNaN();
    expect(() => encode([65520], "F16")).toThrow(WeightError);
  });

  test("bfloat16: halfway cases go to even, infinities and NaN stay", () => {
    const words = new Uint32Array([0x3f808000, 0x3f818000, 0x3f808001, 0xff800000, 0x7f800001, 0x80000000]);
    const halves = new Uint16Array(encodeFloats(new Float32Array(words.buffer), "BF16", "w").slice().buffer);
    expect([...halves]).toEqual([0x3f80, 0x3f82, 0x3f81, 0xff80, 0x7fc0, 0x8000]);
  });

  test("Q8_0: a block is max/127 as float16, and numbers rounded half away from zero", () => {
    // 127 · 2 makes the scale exactly 2, so that odd numbers are halfway cases.
    const values = [254, -254, 1, -1, 3, -3, 5, -5, 0, -0, ...Array.from({ length: 22 }, (_, i) => 10 * i)];
    const bytes = encode(values, "Q8_0");
    expect(bytes.length).toBe(34);
    expect(half(bytes[0]! | (bytes[1]! << 8))).toBe(2);
    const integers = new Int8Array(bytes.slice(2).buffer);
    expect([...integers].slice(0, 10)).toEqual([127, -127, 1, -1, 2, -2, 3, -3, 0, 0]);
    expect([...integers].slice(10)).toEqual(Array.from({ length: 22 }, (_, i) => 5 * i));
    expect(encode(new Array(32).fill(0), "Q8_0")).toEqual(new Uint8Array(34));
  });

  test("Q8_0: arbitrary blocks agree with the definition", () => {
    const { integer } = random(3);
    const number = () => integer(2 ** 24) / 2 ** 24;
    for (let round = 0; round < 200; round++) {
      const scale = 10 ** (4 * number() - 2);
      const values = Float32Array.from({ length: 64 }, () => (number() - 0.5) * scale);
      const bytes = encodeFloats(values.slice(), "Q8_0", "w");
      for (let block = 0; block < 2; block++) {
        const own = values.subarray(32 * block, 32 * block + 32);
        const d = Math.fround(own.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127);
        const stored = half(bytes[34 * block]! | (bytes[34 * block + 1]! << 8));
        expect(Math.abs(stored - d)).toBeLessThanOrEqual(Math.max(d * 2 ** -11, 2 ** -25));
        const inverse = Math.fround(1 / d);
        const integers = new Int8Array(bytes.slice(34 * block + 2, 34 * block + 34).buffer);
        for (const [i, x] of own.entries()) {
          const scaled = Math.fround(x * inverse);
          expect(integers[i]! + 0).toBe(Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5) + 0);
        }
      }
    }
  });
});

describe("the tokenizer", () => {
  /** The JSON of a tokenizer, of which tests change any part. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is that of a file
  type Json = any;
  const texts = ["the cat sat on the mat. The cats sat, and it's the 12th day of 2025: (a) b.", "é é é"];

  async function withTokenizer(change: (tokenizer: Json) => unknown = () => {}, config: object = {}): Promise<GgufFile> {
    const trained = await trainTokenizer(texts, { vocabSize: 300 });
    const tokenizer = JSON.parse(new TextDecoder().decode(trained.get("tokenizer.json")));
    change(tokenizer);
    const all = files({ ...CONFIG, vocab_size: 310, ...config });
    for (const [name, bytes] of trained) all.set(name, bytes);
    all.set("tokenizer.json", json(tokenizer));
    return saved(all);
  }

  test("tokens, types, merges, special ids and the chat template", async () => {
    const { metadata } = await withTokenizer();
    const get = (key: string) => metadata.get(`tokenizer.${key}`) as Json;
    const tokens: string[] = get("ggml.tokens");
    const types: number[] = get("ggml.token_type");
    expect([tokens.length, types.length, new Set(tokens).size]).toEqual([310, 310, 310]);
    expect(types[tokens.indexOf("a")]).toBe(1);
    expect(types[tokens.indexOf("<beginning_of_sentence>")]).toBe(3);
    expect(types[tokens.indexOf("<think>")]).toBe(4);
    expect([tokens[309], types[309]]).toEqual(["[PAD309]", 5]);
    expect(get("ggml.suppress_tokens")).toEqual(types.flatMap((type, id) => (type === 5 ? [id] : [])));
    expect(get("ggml.merges")[0]).toMatch(/^\S+ \S+$/);
    expect(get("ggml.model")).toBe("gpt2");
    expect(get("ggml.pre")).toBe("poro-chat");
    expect(get("ggml.eos_token_id")).toBe(5);
    expect(get("ggml.add_bos_token")).toBe(false);
    expect(get("chat_template")).toContain("<beginning_of_sentence>ai name=assistant");
  });

  test("without one, tokens stand for their ids", async () => {
    const { metadata } = await saved(files({ ...CONFIG, eos_token_id: undefined }));
    expect((metadata.get("tokenizer.ggml.tokens") as string[]).slice(0, 2)).toEqual(["<|0|>", "<|1|>"]);
    expect(new Set(metadata.get("tokenizer.ggml.token_type") as number[])).toEqual(new Set([4]));
    expect(metadata.get("tokenizer.ggml.eos_token_id")).toBe(36);
    expect(metadata.has("tokenizer.chat_template")).toBe(false);
  });

  test("several end-of-sequence ids", async () => {
    const { metadata } = await saved(files({ ...CONFIG, eos_token_id: [5, 6, 7] }));
    expect(["eos", "eot", "eom"].map((name) => metadata.get(`tokenizer.ggml.${name}_token_id`))).toEqual([5, 6, 7]);
  });

  function addMerge(tokenizer: Json, left: string, right: string): void {
    tokenizer.model.vocab[left + right] = 305;
    tokenizer.model.merges.push([left, right]);
  }

  const GPT2 = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

  test("GPT-2's pre-tokenizer", async () => {
    const { metadata } = await withTokenizer((tokenizer) => {
      tokenizer.pre_tokenizer = GPT2;
    });
    expect(metadata.get("tokenizer.ggml.pre")).toBe("trillion");
  });

  test.each<[string, (tokenizer: Json) => unknown, RegExp]>([
    ["a normaliser", (t) => Object.assign(t, { normalizer: { type: "NFC" } }), /normalizer: expected none, got \{"type":"NFC"\}/],
    [
      "another pattern",
      (t) => Object.assign(t.pre_tokenizer.pretokenizers[0].pattern, { Regex: "\\d+" }),
      /pre_tokenizer: expected a pattern that llama/,
    ],
    [
      "a prefix space",
      (t) => Object.assign(t, { pre_tokenizer: { ...GPT2, add_prefix_space: true } }),
      /pre_tokenizer: expected ByteLevel without/,
    ],
    ["merges that are ignored", (t) => Object.assign(t.model, { ignore_merges: true }), /model\.ignore_merges: expected none, got true/],
    ["a token that takes the space before it", (t) => Object.assign(t.added_tokens[0], { lstrip: true }), /added_tokens: .*without lstrip/],
    ["a merge of spaces", (t) => addMerge(t, "Ġ", "Ġ"), /merges: Ġ Ġ: expected only merges within words/],
    ["a merge of a letter and a part of a character", (t) => addMerge(t, "c", "Ã"), /merges: c Ã: expected only merges within words/],
  ])("refuses %s", async (_, change, message) => {
    const error = await withTokenizer(change).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toMatch(/^gguf: tokenizer: .*safetensors/);
  });
});

describe("writing", () => {
  test("reports progress up to the size of the file", async () => {
    const path = join(folder(), "new/folder/model.gguf");
    const seen: SaveProgress[] = [];
    await exportGguf(files(), path, { onProgress: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(10);
    expect(seen.at(-1)).toEqual({
      phase: "write",
      doneBytes: readFileSync(path).length,
      totalBytes: readFileSync(path).length,
      fraction: 1,
    });
    expect(seen.map(({ fraction }) => fraction)).toEqual(seen.map(({ fraction }) => fraction).sort((a, b) => a - b));
    const safetensors: SaveProgress[] = [];
    const model = await MiniMaxM1.load(files());
    await model.save(undefined, { onProgress: (progress) => safetensors.push(progress) });
    expect(safetensors.at(-1)!.fraction).toBe(1);
    model.dispose();
  });

  test("replaces an earlier file only when the new one is complete", async () => {
    const path = join(folder(), "model.gguf");
    writeFileSync(path, "old");
    const during = new Set<string>();
    await exportGguf(files(), path, {
      onProgress: ({ fraction }) => {
        if (fraction < 1) during.add(readFileSync(path, "utf8"));
      },
    });
    expect([...during]).toEqual(["old"]);
    expect(readGguf(readFileSync(path)).version).toBe(3);
    expect(readdirSync(join(path, ".."))).toEqual(["model.gguf"]);
  });

  test("an aborted export leaves neither a file nor a temporary one, and keeps the earlier file", async () => {
    const place = folder();
    const path = join(place, "model.gguf");
    for (const earlier of [undefined, "old"]) {
      if (earlier) writeFileSync(path, earlier);
      const controller = new AbortController();
      const reason = new Error("enough");
      const onProgress = ({ fraction }: SaveProgress) => {
        if (fraction > 0.3) controller.abort(reason);
      };
      await expect(exportGguf(files(), path, { onProgress, signal: controller.signal })).rejects.toBe(reason);
      expect(readdirSync(place)).toEqual(earlier ? ["model.gguf"] : []);
      if (earlier) expect(readFileSync(path, "utf8")).toBe(earlier);
    }
  });

  test("a disk that fails and a callback that throws leave nothing", async () => {
    const place = folder();
    const path = join(place, "model.gguf");
    const probe = await open(join(place, "probe"), "w");
    const prototype: { write(): Promise<{ bytesWritten: number }> } = Object.getPrototypeOf(probe);
    await probe.close();
    rmSync(join(place, "probe"));
    let writes = 0;
    const spy = vi.spyOn(prototype, "write").mockImplementation(async () => {
      if (++writes > 3) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      return { bytesWritten: Number.POSITIVE_INFINITY };
    });
    const error = await exportGguf(files(), path).catch((error: unknown) => error);
    spy.mockRestore();
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toContain(`${path}: cannot be written: ENOSPC`);
    expect(readdirSync(place)).toEqual([]);
    const boom = new Error("boom");
    await expect(
      exportGguf(files(), path, {
        onProgress: () => {
          throw boom;
        },
      }),
    ).rejects.toBe(boom);
    expect(readdirSync(place)).toEqual([]);
  });

  test("a directory at the path, and a path below a file, are errors before anything is written", async () => {
    const place = folder();
    mkdirSync(join(place, "taken.gguf"));
    await expect(exportGguf(files(), join(place, "taken.gguf"))).rejects.toThrow(
      /taken\.gguf: cannot be written: expected a file, got a directory/,
    );
    writeFileSync(join(place, "file"), "");
    await expect(exportGguf(files(), join(place, "file/model.gguf"))).rejects.toThrow(CheckpointError);
    if (process.getuid?.() !== 0) {
      chmodSync(place, 0o500);
      await expect(exportGguf(files(), join(place, "model.gguf"))).rejects.toThrow(/cannot be written/);
      chmodSync(place, 0o700);
    }
    expect(readdirSync(place).sort()).toEqual(["file", "taken.gguf"]);
  });

  test("refusals come before the file is created", async () => {
    const place = folder();
    await expect(exportGguf(files({ ...CONFIG, postnorm: false }), join(place, "a/model.gguf"))).rejects.toThrow(ConfigError);
    expect(existsSync(join(place, "a"))).toBe(false);
  });
});
