import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { LoadOptions } from "../../src/checkpoint/load-options.js";
import type { CheckpointSource } from "../../src/io/open-byte-source.js";
import { MiniMaxM1 } from "../../src/minimax-m1.js";
import { parseConfig } from "../../src/model/config.js";
import { graph } from "../../src/model/graph.js";
import { type Files, type RawTensor, sharded } from "./checkpoints.js";
import { encode } from "./number-formats.js";
import { randomWeights } from "./weights.js";

const SIZES = {
  num_hidden_layers: 3,
  hidden_size: 26,
  intermediate_size: 20,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  vocab_size: 70,
  max_position_embeddings: 512,
};

/** A configuration with three layers, four experts, rows of an odd number of words, and a vocabulary that takes several parts. */
export const STREAMED: Readonly<Record<string, unknown>> = {
  model_type: "minimax_m1",
  architectures: ["MiniMaxM1ForCausalLM"],
  torch_dtype: "float32",
  attn_type_list: [0, 1, 0],
  ...SIZES,
  rotary_dim: 4,
};

/** The same configuration with the keys of transformers. */
export const STREAMED_HF: Readonly<Record<string, unknown>> = {
  model_type: "minimax",
  architectures: ["MiniMaxForCausalLM"],
  dtype: "float32",
  layer_types: ["linear_attention", "full_attention", "linear_attention"],
  ...SIZES,
};

/** HypeNet of the same sizes, with grouped heads in both kinds of attention. */
export const STREAMED_HYPENET: Readonly<Record<string, unknown>> = {
  model_type: "hypenet",
  architectures: ["HypeNetForCausalLM"],
  torch_dtype: "float32",
  mixer_types: ["lightning-attn", "attn", "lightning-attn"],
  num_hidden_layers: 3,
  hidden_size: 26,
  intermediate_size: 20,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  vocab_size: 70,
  max_position_embeddings: 512,
  attn_use_rope: false,
  attn_use_output_gate: true,
  attn_logits_scaling: "hype 500",
  lightning_nh: 6,
  lightning_nkv: 2,
  lightning_use_qk_norm: true,
  lightning_use_output_norm: true,
  lightning_use_output_gate: true,
  tie_word_embeddings: true,
};

const STORED = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

/** Returns random weights in three files and an index. */
export function streamedFiles(source: Record<string, unknown> = STREAMED, change: (tensor: RawTensor) => RawTensor = (x) => x): Files {
  const config = parseConfig(source);
  const weights = randomWeights(config, 5);
  const tensors = graph(config).tensors.map(({ name, shape, dtype }) =>
    change({ name, shape, dtype: STORED[dtype], bytes: encode(STORED[dtype], weights.get(name)!.data) }),
  );
  return sharded(source, 3, tensors);
}

/** Writes files into a directory that is removed after the test. */
export function put(files: Files): string {
  const directory = mkdtempSync(join(tmpdir(), "lightning-m1-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), bytes);
  }
  return directory;
}

/** Loads a model that is disposed after the test. */
export async function load(source: CheckpointSource, options: LoadOptions = {}): Promise<MiniMaxM1> {
  const model = await MiniMaxM1.load(source, { build: "simd", threads: 1, ...options });
  onTestFinished(() => model.dispose());
  return model;
}

export function loadStreamed(source: CheckpointSource, options: LoadOptions = {}): Promise<MiniMaxM1> {
  return load(source, { residency: "streamed", budgetBytes: 1 << 20, ...options });
}

/** Returns the greedy continuation. */
export async function greedyIds(model: MiniMaxM1, prompt: readonly number[], maxTokens: number): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of model.generate(prompt, { maxTokens })) ids.push(id);
  return ids;
}

/**
 * Returns the smallest budget with which a checkpoint can be loaded, as the error for a smaller budget states it. It is rounded to a
 * hundredth of a KiB, so it can be up to eleven bytes too large.
 */
export async function leastBudget(source: CheckpointSource, options: LoadOptions = {}): Promise<number> {
  const message = await MiniMaxM1.load(source, { ...options, residency: "streamed", budgetBytes: 1 }).then(
    () => "",
    (error: Error) => error.message,
  );
  const [, size, unit] = /expected at least ([\d.]+) (bytes|KiB)/.exec(message)!;
  return unit === "KiB" ? Math.ceil((Number(size) + 0.005) * 1024) : Number(size);
}
