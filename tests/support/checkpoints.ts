import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { expect } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.js";
import { saveCheckpoint } from "../../src/checkpoint/save.js";
import { graph } from "../../src/model/graph.js";

/** Files of a checkpoint by name. */
export type Files = Map<string, Uint8Array>;

/** A tensor as it is stored in a file. */
export interface RawTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The smallest configuration with every kind of tensor: both kinds of attention, two experts, and odd sizes. */
export const SMALL: Readonly<Record<string, unknown>> = {
  architectures: ["MiniMaxM1ForCausalLM"],
  model_type: "minimax_m1",
  torch_dtype: "float32",
  vocab_size: 21,
  hidden_size: 12,
  intermediate_size: 10,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 6,
  rotary_dim: 4,
  num_local_experts: 2,
  attn_type_list: [0, 1],
  max_position_embeddings: 64,
};

/** The same model with the keys of transformers. */
export const SMALL_HF: Readonly<Record<string, unknown>> = {
  architectures: ["MiniMaxForCausalLM"],
  model_type: "minimax",
  dtype: "float32",
  vocab_size: 21,
  hidden_size: 12,
  intermediate_size: 10,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 6,
  num_local_experts: 2,
  layer_types: ["linear_attention", "full_attention"],
  max_position_embeddings: 64,
};

/** The smallest HypeNet with every kind of tensor, grouped lightning heads and odd sizes. */
export const SMALL_HYPENET: Readonly<Record<string, unknown>> = {
  architectures: ["HypeNetForCausalLM"],
  model_type: "hypenet",
  torch_dtype: "float32",
  vocab_size: 21,
  hidden_size: 12,
  intermediate_size: 10,
  num_hidden_layers: 2,
  mixer_types: ["lightning-attn", "attn"],
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 6,
  attn_use_rope: false,
  attn_use_output_gate: true,
  attn_logits_scaling: "hype 500",
  lightning_nh: 6,
  lightning_nkv: 2,
  lightning_head_dim: 4,
  lightning_use_qk_norm: true,
  lightning_use_output_norm: true,
  lightning_use_output_gate: true,
  tie_word_embeddings: true,
  max_position_embeddings: 64,
};

/** Returns every tensor of the configuration's graph, filled with arbitrary finite numbers of its dtype. */
export function rawTensors(config: Record<string, unknown>, seed = 1): RawTensor[] {
  const generator = xoroshiro128plus(seed);
  return graph(config).tensors.map(({ name, shape, dtype, bytes: size }) => {
    const words = new Uint32Array(Math.ceil(size / 4));
    // The top byte of each little-endian number keeps its exponent away from that of ∞ and NaN.
    const finite = dtype === "f32" ? 0xbbffffff : 0xbbffbbff;
    for (let i = 0; i < words.length; i++) words[i] = generator.next() & finite;
    return { name, dtype: dtype.toUpperCase(), shape, bytes: new Uint8Array(words.buffer, 0, size) };
  });
}

/** Returns the buffers that transformers stores in a lightning layer. */
export function rawBuffers(layer: number): RawTensor[] {
  const one = (name: string, shape: number[]): RawTensor => {
    const bytes = new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)).map((_, i) => (i % 4 === 3 ? 0x3f : i));
    return { name: `model.layers.${layer}.self_attn.${name}`, dtype: "F32", shape, bytes };
  };
  return [one("slope_rate", [2, 1, 1]), one("query_decay", [2, 8, 1]), one("key_decay", [2, 8, 1]), one("diagonal_decay", [1, 2, 8, 8])];
}

/** Returns a file of these tensors in their order, with the layout of the reference implementation. */
export function safetensors(tensors: readonly RawTensor[], metadata: Record<string, string> = { format: "pt" }): Uint8Array<ArrayBuffer> {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, bytes }) => {
    const begin = end;
    end += bytes.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const data = new Uint8Array(end);
  end = 0;
  for (const { bytes } of tensors) {
    data.set(bytes, end);
    end += bytes.byteLength;
  }
  const json = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  return file(json.padEnd(Math.ceil(json.length / 8) * 8), data);
}

/** Returns a file with any header and any data. */
export function file(header: string | Uint8Array, data: Uint8Array = new Uint8Array(), headerLength?: bigint): Uint8Array<ArrayBuffer> {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.byteLength + data.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(json.byteLength), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.byteLength);
  return bytes;
}

/** Returns header and data of a well-formed file. */
export function open(bytes: Uint8Array): {
  header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  data: Uint8Array;
} {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))), data: bytes.subarray(8 + length) };
}

export function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

/** Returns a checkpoint in one file. */
export function singleFile(config: Record<string, unknown> = SMALL, tensors = rawTensors(config)): Files {
  return new Map([
    ["config.json", json(config)],
    ["model.safetensors", safetensors(tensors)],
  ]);
}

/** Returns a checkpoint in `count` files with an index. */
export function sharded(config: Record<string, unknown> = SMALL, count = 3, tensors = rawTensors(config)): Files {
  const files: Files = new Map([["config.json", json(config)]]);
  const map: Record<string, string> = {};
  const step = Math.ceil(tensors.length / count);
  for (let i = 0; i < count; i++) {
    const name = `model-0000${i + 1}-of-0000${count}.safetensors`;
    const own = tensors.slice(i * step, (i + 1) * step);
    for (const tensor of own) map[tensor.name] = name;
    files.set(name, safetensors(own));
  }
  const total_size = tensors.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const weight_map = Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
  return files.set("model.safetensors.index.json", json({ metadata: { total_size }, weight_map }));
}

/** Returns the same configuration with another stored dtype. */
export function storedAs(torchDtype: string, config: Record<string, unknown> = SMALL): Record<string, unknown> {
  return "dtype" in config ? { ...config, dtype: torchDtype } : { ...config, torch_dtype: torchDtype };
}

/** Saves a checkpoint, and expects exactly these files. */
export async function expectSaved(checkpoint: Checkpoint, files: Files): Promise<void> {
  const saved = await saveCheckpoint(checkpoint);
  expect([...saved.keys()].sort()).toEqual([...files.keys()].sort());
  for (const [name, bytes] of saved) expect(Buffer.compare(bytes, files.get(name)!), name).toBe(0);
}

/** Runs a local HTTP server during `body`. */
export async function withServer<T>(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  body: (url: string, server: Server) => Promise<T>,
): Promise<T> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Returns bytes `begin` to `end` of the request's Range header. Returns undefined without this header. */
export function rangeOf(request: IncomingMessage): [begin: number, end: number] | undefined {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  return match ? [Number(match[1]), Number(match[2]) + 1] : undefined;
}

/** Responds to a request for one of these files, as a static server does. */
export function serve(files: Files, request: IncomingMessage, response: ServerResponse, root = "/"): void {
  const path = decodeURIComponent(new URL(request.url!, "http://localhost").pathname);
  const bytes = path.startsWith(root) ? files.get(path.slice(root.length)) : undefined;
  if (!bytes) return void response.writeHead(404).end("not found");
  const [begin, end] = rangeOf(request) ?? [0, bytes.byteLength];
  const part = bytes.subarray(begin, Math.min(end, bytes.byteLength));
  const range = { "content-range": `bytes ${begin}-${begin + part.byteLength - 1}/${bytes.byteLength}` };
  response.writeHead(request.headers.range ? 206 : 200, { "content-length": part.byteLength, ...(request.headers.range ? range : {}) });
  response.end(part);
}

/** Collects garbage now. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
