import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { MemoryError, MiniMaxM1, parseConfig } from "../../src/index.js";
import { textDataset } from "../../src/train/data.js";
import type { Example } from "../../src/train/documents.js";
import { type RunOptions, run, type StepMetrics } from "../../src/train/run.js";
import { rateAt } from "../../src/train/schedule.js";
import { trainTokenizer } from "../../src/train/tokenizer.js";
import { Trainer, type TrainerOptions } from "../../src/train/trainer.js";
import { randomIds } from "../support/random.js";
import { GRADIENTS, maxAbsDiff, normDistance } from "../support/tolerance.js";
import { shift } from "../support/training-state.js";

const tiny = {
  model_type: "minimax_m1",
  torch_dtype: "float32",
  vocab_size: 41,
  hidden_size: 24,
  intermediate_size: 20,
  num_hidden_layers: 3,
  num_attention_heads: 3,
  num_key_value_heads: 1,
  head_dim: 10,
  rotary_dim: 4,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  attn_type_list: [0, 1, 0],
  postnorm: true,
  initializer_range: 0.2,
};
const configs = {
  "as published": tiny,
  "a shared expert": { ...tiny, shared_intermediate_size: 20, postnorm: false },
  "tied embeddings": { ...tiny, tie_word_embeddings: true },
};

const create = (config: object = tiny, options = {}) => MiniMaxM1.create({ ...config }, { seed: 3, threads: 1, build: "simd", ...options });
const batch: number[][] = [randomIds(1, 30, 41), randomIds(2, 17, 41), randomIds(3, 70, 41), randomIds(4, 2, 41)];

async function gradients(examples: readonly Example[], options: TrainerOptions = {}, config: object = tiny, loading = {}) {
  using model = await create(config, loading);
  return new Trainer(model, { auxLossCoef: 0, ...options }).gradients(examples);
}

async function weights(model: MiniMaxM1): Promise<Uint8Array> {
  return (await model.save()).get("model.safetensors")!;
}

describe.each(Object.entries(configs))("gradients, %s", (_, config) => {
  let whole: Awaited<ReturnType<typeof gradients>>;
  beforeAll(async () => {
    whole = await gradients(batch, {}, config);
  });

  test("equal central differences of the loss", async () => {
    // With all experts, so that no step changes who is chosen.
    using model = await create({ ...config, num_experts_per_tok: 4 });
    const trainer = new Trainer(model, { auxLossCoef: 0.5 });
    const { gradients } = trainer.gradients(batch);
    // In the direction of the gradient itself the loss changes by its squared norm.
    const squares = [...gradients.values()].reduce((sum, g) => sum + g.reduce((own, x) => own + x * x, 0), 0);
    const h = 1e-3 / Math.sqrt(squares);
    const at = (step: number) => {
      const moved = trainer.save();
      shift(moved, gradients, step);
      using other = new Trainer(model, { auxLossCoef: 0.5 });
      const before = trainer.save();
      other.restore(moved);
      const { loss } = other.evaluate(batch);
      other.restore(before);
      return loss;
    };
    const slope = (at(h) - at(-h)) / (2 * h);
    expect(Math.abs(slope / squares - 1)).toBeLessThan(1e-3);
  });

  test.each([
    ["two threads", {}, { threads: 2 }],
    ["three threads", {}, { threads: 3 }],
  ])("are the same to the bit on %s", async (_, options, loading) => {
    expect((await gradients(batch, options, config, loading)).gradients).toEqual(whole.gradients);
  });

  test("are the same to the bit with checkpointing", async () => {
    expect(await gradients(batch, { checkpointing: true }, config)).toEqual(whole);
  });

  test("add up over micro-batches", async () => {
    const parts = await gradients(batch, { microBatchTokens: 40 }, config);
    expect(Math.abs(parts.loss - whole.loss)).toBeLessThanOrEqual(GRADIENTS.loss);
    for (const [name, gradient] of parts.gradients) expect(normDistance(gradient, whole.gradients.get(name)!), name).toBeLessThan(1e-5);
  });
});

describe("documents", () => {
  test("in one batch do not see each other", async () => {
    const together = await gradients(batch.slice(0, 2));
    const [a, b] = [await gradients([batch[0]!]), await gradients([batch[1]!])];
    const [n, m] = [a.targets, b.targets];
    expect(together.targets).toBe(n + m);
    for (const [name, gradient] of together.gradients) {
      const mean = gradient.map((_, i) => (n * a.gradients.get(name)![i]! + m * b.gradients.get(name)![i]!) / (n + m));
      expect(normDistance(gradient, mean), name).toBeLessThan(1e-5);
    }
  });

  test("with weights: a target of weight 0 counts for nothing, one of weight 2 twice", async () => {
    const ids = batch[0]!;
    const masked = await gradients([{ ids, weights: ids.map((_, t) => Number(t >= 20)) }]);
    expect(masked.targets).toBe(10);
    const heavy = await gradients([{ ids, weights: ids.map((_, t) => (t >= 20 ? 2 : 0)) }]);
    for (const [name, gradient] of heavy.gradients) expect(normDistance(gradient, masked.gradients.get(name)!), name).toBeLessThan(1e-6);
    // What comes after the last target that counts does not matter either.
    const cut = await gradients([{ ids: ids.slice(0, 25), weights: ids.slice(0, 25).map((_, t) => Number(t >= 20)) }]);
    const same = await gradients([{ ids, weights: ids.map((_, t) => Number(t >= 20 && t < 25)) }]);
    expect(Math.abs(cut.loss - same.loss)).toBeLessThanOrEqual(GRADIENTS.loss);
  });

  test.each([
    ["none", [], /at least one document/],
    ["of one token", [[1]], /at least one target/],
    ["of a foreign id", [[1, 41]], /token 1: expected an integer id within \[0, 41\)/],
    ["that are no arrays", ["abc"], /expected an array of token ids/],
    ["with too few weights", [{ ids: [1, 2, 3], weights: [1] }], /weights: expected 3, one per token, got 1/],
    ["with negative weights", [{ ids: [1, 2], weights: [1, -1] }], /weights\[1\]: expected a number of at least 0, got -1/],
    ["with weights that are NaN", [{ ids: [1, 2], weights: [1, Number.NaN] }], /got NaN/],
    ["without anything", [null], /Trainer: batch\[0\]/],
  ])("%s are refused", async (_, examples, message) => {
    using model = await create();
    const before = await weights(model);
    const trainer = new Trainer(model);
    expect(() => trainer.step(examples as never)).toThrow(message);
    expect(() => trainer.gradients(examples as never)).toThrow(message);
    expect(await weights(model)).toEqual(before);
  });
});

describe("a trainer", () => {
  test("lowers the loss of what it is shown", async () => {
    using model = await create();
    const trainer = new Trainer(model, { lr: 5e-3 });
    const first = trainer.step(batch).loss;
    for (let i = 0; i < 40; i++) trainer.step(batch);
    expect(trainer.evaluate(batch).loss).toBeLessThan(first / 2);
  });

  test("gives all its memory back, and needs no more of it from step to step", async () => {
    using model = await create();
    const { usedBytes } = model.memory;
    const trainer = new Trainer(model, { microBatchTokens: 40 });
    for (let i = 0; i < 3; i++) trainer.step(batch);
    const during = model.memory;
    for (let i = 0; i < 10; i++) trainer.step(batch);
    expect(model.memory.usedBytes).toBe(during.usedBytes);
    // The most at once depends on how many tokens an expert gets.
    expect(model.memory.peakBytes).toBeLessThan(1.05 * during.peakBytes);
    trainer.dispose();
    expect(model.memory.usedBytes - usedBytes).toBeLessThan(1 << 20);
  });

  test("needs memory in proportion to the length of a document, and less with checkpointing", async () => {
    const peak = async (length: number, checkpointing = false) => {
      using model = await create({ ...tiny, max_position_embeddings: 10_000 });
      const trainer = new Trainer(model, { checkpointing });
      const { usedBytes } = model.memory;
      trainer.step([randomIds(1, length, 41)]);
      return model.memory.peakBytes - usedBytes;
    };
    const [one, two, four] = [await peak(1000), await peak(2000), await peak(4000)];
    expect((four - two) / (two - one)).toBeGreaterThan(1.8);
    expect((four - two) / (two - one)).toBeLessThan(2.2);
    expect(await peak(4000, true)).toBeLessThan(0.7 * four);
  });

  test("refuses gradients that are not finite, and leaves the weights", async () => {
    using model = await create();
    const trainer = new Trainer(model, { lr: 1e30, weightDecay: 0, clipNorm: 1e6 });
    let message = "";
    let before = await weights(model);
    for (let i = 0; i < 5 && message === ""; i++) {
      before = await weights(model);
      try {
        trainer.step(batch);
      } catch (error) {
        message = (error as Error).message;
      }
    }
    expect(message).toMatch(/expected finite gradients, got loss .* \(a lower learning rate/);
    expect(await weights(model)).toEqual(before);
  });

  test.each([false, true])("loses nothing when memory runs out anywhere in a step (checkpointing: %s)", async (checkpointing) => {
    using model = await create();
    const { rt } = model.transformer;
    const trainer = new Trainer(model, { checkpointing, microBatchTokens: 40 });
    trainer.gradients(batch);
    const before = await weights(model);
    const { usedBytes } = model.memory;
    const { keep } = rt;
    let allocations = 0;
    for (let failing = 1; ; failing += 7) {
      allocations = 0;
      rt.keep = function (...args) {
        if (++allocations === failing) throw new MemoryError("none left");
        return keep.apply(this, args);
      };
      let message = "";
      try {
        trainer.gradients(batch);
      } catch (error) {
        message = (error as Error).message;
      } finally {
        rt.keep = keep;
      }
      expect(model.memory.usedBytes, `after failing allocation ${failing}`).toBe(usedBytes);
      if (allocations < failing) break;
      expect(message).toBe("none left");
    }
    expect(allocations).toBeGreaterThan(300);
    expect(await weights(model)).toEqual(before);
    expect(trainer.step(batch).loss).toBeGreaterThan(0);
  });

  test("refuses a learning rate that is none, and to go on after dispose", async () => {
    using model = await create();
    const before = await weights(model);
    const trainer = new Trainer(model);
    for (const lr of [Number.NaN, -1, Number.POSITIVE_INFINITY])
      expect(() => trainer.step(batch, lr)).toThrow(/step: lr: expected a number of at least 0/);
    trainer.dispose();
    trainer.dispose();
    for (const use of [
      () => trainer.step(batch),
      () => trainer.gradients(batch),
      () => trainer.save(),
      () => trainer.restore(new Uint8Array(8)),
    ]) {
      expect(use).toThrow(/Trainer: used after dispose/);
    }
    expect(await weights(model)).toEqual(before);
  });

  test("refuses weights that are not float32", async () => {
    const directory = fileURLToPath(new URL("../golden/m1-tiny", import.meta.url));
    using model = await MiniMaxM1.load(directory, { dtype: "bf16", threads: 1 });
    expect(() => new Trainer(model)).toThrow(/expected float32 in memory, got bf16 \(load it with dtype: "f32"\)/);
    using narrow = await MiniMaxM1.load(directory, { kv: "q8", threads: 1 });
    expect(() => new Trainer(narrow)).toThrow(/expected float32 keys and values, got q8/);
  });

  test.each([
    [{ lr: 0 }, /Trainer: lr: expected a number above 0, got 0/],
    [{ betas: [0.9] }, /Trainer: betas: expected two numbers within \[0, 1\)/],
    [{ betas: [0.9, 0.9999999999] }, /Trainer: betas: expected two numbers within/],
    [{ eps: 1e-60 }, /Trainer: eps: expected a number within \[1e-56, 1e26\], got 1e-60/],
    [{ clipNorm: -1 }, /Trainer: clipNorm: expected a number above 0, got -1/],
    [{ momentum: 0.9 }, /Trainer: momentum: unknown option/],
  ])("refuses %j", async (options, message) => {
    using model = await create();
    expect(() => new Trainer(model, options as never)).toThrow(message);
  });
});

describe("AdamW", () => {
  test("moves by the learning rate where gradients are as small as 1e-14, which ε = 1e-8 would not", async () => {
    const moved = async (eps: number) => {
      using model = await create(tiny, { seed: 5 });
      const scale = 1e-12;
      const trainer = new Trainer(model, { lr: 1e-3, eps, weightDecay: 0, clipNorm: scale });
      const head = async () => new Float32Array((await weights(model)).slice(-4 * tiny.vocab_size * tiny.hidden_size).buffer);
      const before = await head();
      trainer.step(batch);
      return maxAbsDiff(await head(), before);
    };
    expect(await moved(1e-15)).toBeGreaterThan(0.5e-3);
    expect(await moved(1e-8)).toBeLessThan(1e-5);
  });

  test("decays only what it is told to", async () => {
    using model = await create();
    const name = "model.norm.weight";
    const options = { lr: 1e-2, weightDecay: 1, clipNorm: 1e-30, eps: 1 };
    const ones = async () => model.forward([[1]], { hiddenStates: true }).hiddenStates.at(-1)!;
    const before = await ones();
    new Trainer(model, { ...options, decays: (parameter) => parameter === name }).step(batch);
    const after = await ones();
    for (const [i, x] of after.entries()) expect(Math.abs(x / before[i]! - 0.99)).toBeLessThan(1e-5);
  });
});

describe("runs", () => {
  const data = textDataset(randomIds(9, 2000, 41), { seed: 4 });
  const options: RunOptions = {
    steps: 12,
    batchTokens: 100,
    schedule: { warmup: 3 },
    windows: [
      { from: 0, tokens: 20 },
      { from: 6, tokens: 50 },
    ],
    heldOut: { data: textDataset(randomIds(10, 300, 41)), documents: 3, every: 5 },
  };
  const collect = async (trainer: Trainer, more: Partial<RunOptions> = {}, stop = Number.POSITIVE_INFINITY) => {
    const all: Omit<StepMetrics, "tokensPerSecond">[] = [];
    for await (const { tokensPerSecond, ...step } of run(trainer, data, { ...options, ...more })) {
      expect(tokensPerSecond).toBeGreaterThan(0);
      all.push(step);
      if (step.step === stop) break;
    }
    return all;
  };

  test("go on in another model to the same numbers, bit for bit", async () => {
    using one = await create();
    const whole = await collect(new Trainer(one));
    expect(whole.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(whole.filter(({ heldOutLoss }) => heldOutLoss !== undefined).map(({ step }) => step)).toEqual([5, 10, 12]);
    expect(new Set(whole.slice(0, 6).map(({ tokens }) => tokens))).toEqual(new Set([100]));
    let state = new Uint8Array();
    const parts: unknown[] = [];
    for (const stop of [4, 7, 12]) {
      using other = await create(tiny, { seed: state.length > 0 ? stop : 3, threads: 2 });
      const trainer = new Trainer(other);
      if (state.length > 0) trainer.restore(state);
      parts.push(...(await collect(trainer, {}, stop)));
      state = trainer.save();
      if (stop === 12) expect(await weights(other)).toEqual(await weights(one));
    }
    expect(parts).toEqual(whole);
  });

  test("end with the signal's reason, between two steps", async () => {
    using model = await create();
    const trainer = new Trainer(model);
    const controller = new AbortController();
    const going = async () => {
      for await (const { step } of run(trainer, data, { ...options, signal: controller.signal }))
        if (step === 2) controller.abort(new Error("enough"));
    };
    await expect(going()).rejects.toThrow("enough");
    expect(trainer.steps).toBe(2);
  });

  test("refuse a state that is damaged or another model's, and change nothing", async () => {
    using model = await create();
    const trainer = new Trainer(model);
    trainer.step(batch);
    const state = trainer.save();
    const before = await weights(model);
    using other = await create({ ...tiny, hidden_size: 28 });
    expect(() => new Trainer(other).restore(state)).toThrow(/is it of another model\?/);
    for (const cut of [0, 7, 100, state.length - 1]) expect(() => trainer.restore(state.subarray(0, cut))).toThrow(/training state/);
    expect(() => trainer.restore(new TextEncoder().encode("hello hello hello"))).toThrow(/training state/);
    expect(await weights(model)).toEqual(before);
    expect(trainer.steps).toBe(1);
  });

  test.each([
    [
      {
        windows: [
          { from: 5, tokens: 9 },
          { from: 0, tokens: 5 },
        ],
      },
      /run: windows: expected stages by ascending steps/,
    ],
    [{ steps: 0 }, /run: steps: expected an integer of at least 1, got 0/],
    [{ heldOut: { data: {}, documents: 1, every: 1 } }, /heldOut.data: expected a data set/],
  ])("refuse %j", async (more, message) => {
    using model = await create();
    await expect(collect(new Trainer(model), more as never)).rejects.toThrow(message);
  });

  test("refuse what is no data set", async () => {
    using model = await create();
    const going = async () => {
      for await (const _ of run(new Trainer(model), [] as never, options)) expect.unreachable();
    };
    await expect(going()).rejects.toThrow(/run: data: expected a data set/);
  });

  test("the learning rate rises, and falls along a cosine", () => {
    const rates = Array.from({ length: 110 }, (_, t) => rateAt(t, 110, { warmup: 10, floor: 0.1 }));
    expect(rates[0]).toBeCloseTo(0.1, 12);
    expect(rates[9]).toBe(1);
    expect(rates[10]).toBe(1);
    expect(rates[60]).toBeCloseTo(0.55, 12);
    expect(rates.at(-1)!).toBeGreaterThan(0.1);
    expect(rates.at(-1)!).toBeLessThan(0.101);
    expect(rateAt(500, 110, { decay: "constant" })).toBe(1);
  });
});

test("a new model is the same for the same seed, of the configured spread, and saved in its dtype", async () => {
  using a = await create({ ...tiny, torch_dtype: "bfloat16" });
  using b = await create({ ...tiny, torch_dtype: "bfloat16" });
  using c = await create({ ...tiny, torch_dtype: "bfloat16" }, { seed: 4 });
  expect(await weights(a)).toEqual(await weights(b));
  expect(await weights(a)).not.toEqual(await weights(c));
  expect(a.config).toEqual(parseConfig({ ...tiny, torch_dtype: "bfloat16" }));
  const files = await a.save();
  using loaded = await MiniMaxM1.load(files, { threads: 1 });
  expect(await weights(loaded)).toEqual(await weights(a));
  await expect(create({ ...tiny, hidden_size: 0 })).rejects.toThrow(/hidden_size/);
  await expect(MiniMaxM1.create({ ...a.config, vocabSize: 50 })).rejects.toThrow(/create: config: expected what its own source says/);
  await expect(create(tiny, { files: trainTokenizer(["a"], { vocabSize: 262 }) })).rejects.toThrow(
    /vocab_size: expected at least the tokenizer's 262, got 41/,
  );
  await expect(create(tiny, { seed: -1 })).rejects.toThrow(/create: seed/);
  await expect(create({ ...tiny, vocab_size: 2e9 })).rejects.toThrow(/create: the weights need/);
});
