// What a training state is worth when bytes of it change.

import { expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { Trainer } from "../../src/train/trainer.js";
import { addStateMetadata, readStateHeader } from "../../src/train/training-state.js";
import { facts } from "../support/facts.js";
import { random, randomIds } from "../support/random.js";
import { withoutChecksum } from "../support/training-state.js";

const config = {
  model_type: "minimax_m1",
  torch_dtype: "float32",
  vocab_size: 17,
  hidden_size: 8,
  intermediate_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 4,
  rotary_dim: 2,
  num_local_experts: 2,
  num_experts_per_tok: 1,
  attn_type_list: [0, 1],
  postnorm: true,
};

async function trained() {
  const model = await MiniMaxM1.create({ ...config }, { seed: 3, threads: 1, build: "simd" });
  const trainer = new Trainer(model);
  trainer.step([randomIds(1, 20, 17)]);
  trainer.progress = { batch: 4 };
  return { model, trainer, weights: async () => (await model.save()).get("model.safetensors")! };
}

/** The file that a run writes: with metadata of its own. */
function written(trainer: Trainer): Uint8Array {
  return Uint8Array.from(addStateMetadata(trainer.save(), { run: '{"seed":7}', lines: "1" }).flatMap((piece) => [...piece]));
}

test("any single changed byte is an error, in the header and in the numbers, and changes nothing", async () => {
  const { model, trainer, weights } = await trained();
  const state = written(trainer);
  trainer.restore(state);
  const before = await weights();
  const { end } = readStateHeader(state);
  const { uniform } = random(5);
  // All of the prefix and the metadata, which come first, and some of the rest.
  const metadata = new TextDecoder().decode(state).indexOf("}", new TextDecoder().decode(state).indexOf("checksum")) + 1;
  const places = [
    ...Array.from({ length: metadata }, (_, i) => i),
    ...Array.from({ length: 50 }, () => metadata + Math.floor(uniform() * (end - metadata))),
    ...Array.from({ length: 100 }, () => end + Math.floor(uniform() * (state.length - end))),
  ];
  const unnoticed: string[] = [];
  for (const at of places) {
    const damaged = state.slice();
    // Of each byte one bit, and once the digit that tells the formats apart.
    damaged[at]! ^= String.fromCharCode(state[at]!) === "2" ? 3 : 1 << (at % 8);
    try {
      trainer.restore(damaged);
      unnoticed.push(`${at}: ${String.fromCharCode(...state.subarray(at - 20, at + 20))}`);
    } catch (error) {
      expect((error as Error).message).toMatch(/^training state/);
    }
  }
  expect(unnoticed).toEqual([]);
  expect(await weights()).toEqual(before);
  expect([trainer.steps, trainer.progress]).toEqual([1, { batch: 4 }]);
  model.dispose();
});

test("a changed number is named as damage, with what to do", async () => {
  const { model, trainer } = await trained();
  const state = trainer.save();
  state[state.length - 3]! ^= 1;
  expect(() => trainer.restore(state)).toThrow(facts("training state: …checksum…copy"));
  model.dispose();
});

test("a state of the first format, which has no checksum, is read", async () => {
  const { model, trainer, weights } = await trained();
  const [state, before] = [trainer.save(), await weights()];
  trainer.step([randomIds(2, 20, 17)]);
  withoutChecksum(state);
  trainer.restore(state);
  expect(await weights()).toEqual(before);
  expect([trainer.steps, trainer.progress]).toEqual([1, { batch: 4 }]);
  model.dispose();
});

test("numbers of another state under the header of this one are refused", async () => {
  const { model, trainer } = await trained();
  const one = trainer.save();
  trainer.step([randomIds(2, 20, 17)]);
  const two = trainer.save();
  const { end } = readStateHeader(one);
  one.set(two.subarray(end), end);
  expect(() => trainer.restore(one)).toThrow(/checksum/);
  model.dispose();
});
