// The whole model as one ONNX graph in onnxruntime, one token per step, so only decoding is measured. The prompt is computed once, token by
// token, and every run continues from there. The two chosen experts of a layer are gathered from the stacked weights of all experts.
// Options: folder of the checkpoint, platform "web" or "node", threads.
import { readFileSync } from "node:fs";
import { Graph } from "../formats/onnx.mjs";
import { openSafetensors } from "../formats/safetensors.mjs";
import { onnxruntime } from "./onnxruntime.mjs";

/** Epsilon of the norm inside lightning attention. The published code uses this default, whatever the configuration says. */
const INNER_EPS = 1e-6;

let runtime;
let config;
let session;

export async function setup({ folder, ...options }) {
  runtime = await onnxruntime(options);
  config = JSON.parse(readFileSync(`${folder}config.json`, "utf8"));
  session = await runtime.open(modelGraph(config, openSafetensors(`${folder}model.safetensors`)));
  return `${runtime.info}, the whole model as one graph`;
}

export async function prepare({ ids, tokens }) {
  const { Tensor } = runtime.ort;
  const zeros = (...dims) => new Tensor("float32", new Float32Array(dims.reduce((product, dim) => product * dim, 1)), dims);
  const { attn_type_list, num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: dim } = config;

  function emptyState() {
    const states = attn_type_list.flatMap((kind, i) =>
      kind === 0
        ? [[`state${i}`, zeros(heads, dim, dim)]]
        : [
            [`keys${i}`, zeros(kvHeads, 0, dim)],
            [`values${i}`, zeros(kvHeads, 0, dim)],
          ],
    );
    return { position: 0, states: Object.fromEntries(states) };
  }

  async function step({ position, states }, id) {
    const [cos, sin] = rotation(position).map((angles) => new Tensor("float32", angles, [dim]));
    const out = await session.run({ id: new Tensor("int64", BigInt64Array.of(BigInt(id)), [1]), cos, sin, ...states });
    const next = Object.fromEntries(Object.keys(states).map((name) => [name, out[`${name}Next`]]));
    return { state: { position: position + 1, states: next }, id: argmax(out.logits.data) };
  }

  let after = { state: emptyState(), id: 0 };
  for (const id of ids) after = await step(after.state, id);
  let generated;
  return {
    async run() {
      let last = after;
      generated = [last.id];
      const begin = performance.now();
      for (let i = 0; i < tokens; i++) {
        last = await step(last.state, last.id);
        generated.push(last.id);
      }
      return { decode: performance.now() - begin };
    },
    result: () => generated,
  };
}

function argmax(logits) {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** Returns cosines and sines of one position's angles over the dims of a head. Dims beyond the rotary ones are not rotated. */
function rotation(position) {
  const { head_dim: dim, rotary_dim: rotary, rope_theta: theta } = config;
  const angles = Array.from({ length: rotary }, (_, i) => position * theta ** ((-2 * (i % (rotary / 2))) / rotary));
  const padded = (f, rest) => Float32Array.from({ length: dim }, (_, i) => (i < rotary ? f(angles[i]) : rest));
  return [padded(Math.cos, 1), padded(Math.sin, 0)];
}

function modelGraph(c, tensor) {
  const g = new Graph();
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: dim, num_experts_per_tok: topK } = c;
  const weight = (name) => g.constant(tensor(name).data, tensor(name).shape);
  /** The matrix is stored as [out, in], and multiplied from the right as [in, out]. */
  const linear = (x, name) => g.node("MatMul", [x, g.constant(...transposed(tensor(name)))]);
  const norm = (x, name, epsilon) => g.node("SimplifiedLayerNormalization", [x, weight(name)], { axis: -1, epsilon, stash_type: 1 });
  const reshape = (x, ...dims) => g.node("Reshape", [x, g.integers(...dims)]);
  const silu = (x) => g.node("Mul", [x, g.node("Sigmoid", [x])]);
  const residual = (x, alpha, branch) => g.node("Add", [g.node("Mul", [x, g.floats(alpha)]), branch]);

  const id = g.input("id", [1], "int64");
  const cos = g.input("cos", [dim]);
  const sin = g.input("sin", [dim]);
  const turn = g.constant(...halfTurn(dim, c.rotary_dim));
  const rope = (x) => g.node("Add", [g.node("Mul", [x, cos]), g.node("Mul", [g.node("MatMul", [x, turn]), sin])]);

  function lightning(u, i, prefix) {
    const qkv = reshape(silu(linear(u, `${prefix}qkv_proj.weight`)), heads, 3 * dim);
    const [q, k, v] = g.split("Split", [qkv], 3, { axis: 1 });
    const decay = Float32Array.from({ length: heads }, (_, h) => Math.exp(-slope(h, i, c)));
    const state = g.input(`state${i}`, [heads, dim, dim]);
    const outer = g.node("MatMul", [reshape(k, heads, dim, 1), reshape(v, heads, 1, dim)]);
    const kept = g.node("Mul", [state, g.constant(decay, [heads, 1, 1])]);
    const next = g.output(g.node("Add", [kept, outer], { name: `state${i}Next` }), [heads, dim, dim]);
    const o = reshape(g.node("MatMul", [reshape(q, heads, 1, dim), next]), 1, heads * dim);
    const gate = g.node("Sigmoid", [linear(u, `${prefix}output_gate.weight`)]);
    return linear(g.node("Mul", [gate, norm(o, `${prefix}norm.weight`, INNER_EPS)]), `${prefix}out_proj.weight`);
  }

  function softmax(u, i, prefix) {
    const q = reshape(rope(reshape(linear(u, `${prefix}q_proj.weight`), heads, 1, dim)), kvHeads, heads / kvHeads, dim);
    const k = rope(reshape(linear(u, `${prefix}k_proj.weight`), kvHeads, 1, dim));
    const v = reshape(linear(u, `${prefix}v_proj.weight`), kvHeads, 1, dim);
    const [keys, values] = [
      ["keys", k],
      ["values", v],
    ].map(([name, own]) => {
      const past = g.input(`${name}${i}`, [kvHeads, "past", dim]);
      return g.output(g.node("Concat", [past, own], { axis: 1, name: `${name}${i}Next` }), [kvHeads, "now", dim]);
    });
    const scores = g.node("MatMul", [q, g.node("Transpose", [keys], { perm: [0, 2, 1] })]);
    const p = g.node("Softmax", [g.node("Mul", [scores, g.floats(dim ** -0.5)])], { axis: -1 });
    return linear(reshape(g.node("MatMul", [p, values]), 1, heads * dim), `${prefix}o_proj.weight`);
  }

  function experts(v, prefix) {
    const p = g.node("Softmax", [linear(v, `${prefix}gate.weight`)], { axis: -1 });
    const [best, index] = g.split("TopK", [p, g.integers(topK)], 2, { axis: -1 });
    const share = g.node("Div", [best, g.node("ReduceSum", [best, g.integers(-1)], { keepdims: 1 })]);
    const chosen = reshape(index, topK);
    const gathered = (name) => {
      const all = Array.from({ length: c.num_local_experts }, (_, e) => transposed(tensor(`${prefix}experts.${e}.${name}.weight`)));
      const stacked = new Float32Array(all.length * all[0][0].length);
      for (const [e, [data]] of all.entries()) stacked.set(data, e * data.length);
      return g.node("Gather", [g.constant(stacked, [all.length, ...all[0][1]]), chosen], { axis: 0 });
    };
    const inner = g.node("Mul", [silu(g.node("MatMul", [v, gathered("w1")])), g.node("MatMul", [v, gathered("w3")])]);
    const outer = g.node("Mul", [g.node("MatMul", [inner, gathered("w2")]), reshape(share, topK, 1, 1)]);
    return g.node("ReduceSum", [outer, g.integers(0)], { keepdims: 0 });
  }

  let x = g.node("Gather", [weight("model.embed_tokens.weight"), id], { axis: 0 });
  for (const [i, kind] of c.attn_type_list.entries()) {
    const prefix = `model.layers.${i}.`;
    const u = norm(x, `${prefix}input_layernorm.weight`, c.rms_norm_eps);
    const mixed = (kind === 0 ? lightning : softmax)(u, i, `${prefix}self_attn.`);
    const alpha = kind === 0 ? c.layernorm_linear_attention_alpha : c.layernorm_full_attention_alpha;
    const v = norm(residual(u, alpha, mixed), `${prefix}post_attention_layernorm.weight`, c.rms_norm_eps);
    x = residual(v, c.layernorm_mlp_alpha, experts(v, `${prefix}block_sparse_moe.`));
  }
  const head = g.constant(...transposed(tensor("lm_head.weight")));
  g.output(g.node("MatMul", [norm(x, "model.norm.weight", c.rms_norm_eps), head], { name: "logits" }), [1, c.vocab_size]);
  return g.model();
}

/** Returns the decay rate of a head, which is lower in deeper layers. */
function slope(head, layer, { num_attention_heads: heads, num_hidden_layers: layers }) {
  return 2 ** ((-8 * (head + 1)) / heads) * (1 - layer / (layers - 1) + 1e-5);
}

/** Returns a transposed matrix as data and dims. */
function transposed({ data, shape: [rows, columns] }) {
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j];
  return [turned, [columns, rows]];
}

/** Returns the matrix that maps the halves (a, b) of the rotary dims to (−b, a), and the other dims to 0. */
function halfTurn(dim, rotary) {
  const matrix = new Float32Array(dim * dim);
  const half = rotary / 2;
  for (let i = 0; i < half; i++) {
    matrix[(i + half) * dim + i] = -1;
    matrix[i * dim + i + half] = 1;
  }
  return [matrix, [dim, dim]];
}
