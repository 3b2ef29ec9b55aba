// An output head as in engines with bfloat16: input, weights and logits are rounded to 8 significant bits, sums and softmax are float32.

/** Rounds to bfloat16, ties to even; the result is a float32. */
function rounded(values) {
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = ((bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) >>> 16) << 16;
  return new Float32Array(bits.buffer);
}

/** Reads the head's weights `[vocab, hidden]` from a checkpoint in bfloat16. */
export async function headOf(model) {
  const file = (await model.save()).get("model.safetensors");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const begin = 8 + Number(view.getBigUint64(0, true));
  const { dtype, data_offsets: place } = JSON.parse(new TextDecoder().decode(file.subarray(8, begin)))["lm_head.weight"];
  if (dtype !== "BF16") throw new Error(`study: lm_head.weight: expected BF16, got ${dtype}`);
  return Float32Array.from({ length: (place[1] - place[0]) / 2 }, (_, i) => bfloat16(view.getUint16(begin + place[0] + 2 * i, true)));
}

const bfloat16 = (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0];

/** Computes log p of each token of a response to the prompt, with that head. */
export function logProbabilities(model, head, prompt, ids) {
  const size = model.config.hiddenSize;
  const hidden = rounded(model.forward([[...prompt, ...ids]], { logits: "last", hiddenStates: true }).hiddenStates.at(-1));
  return Float64Array.from(ids, (id, t) => {
    const h = hidden.subarray((prompt.length - 1 + t) * size, (prompt.length + t) * size);
    const logits = rounded(Float32Array.from({ length: head.length / size }, (_, token) => dot(h, head, token * size)));
    const most = logits.reduce((a, b) => Math.max(a, b));
    return logits[id] - most - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  });
}

function dot(h, weights, offset) {
  let sum = 0;
  for (let i = 0; i < h.length; i++) sum = Math.fround(sum + h[i] * weights[offset + i]);
  return sum;
}
