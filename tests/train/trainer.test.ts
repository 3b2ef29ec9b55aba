import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { InputError, MemoryError, MiniMaxM1, parseConfig } from "../../src/index.js";
import { exampleDataset, textDataset } from "../../src/train/datasets.js";
import type { Example } from "../../src/train/documents.js";
import { evaluate } from "../../src/train/evaluate.js";
import { type RunOptions, run, type StepMetrics } from "../../src/train/run.js";
import { type Schedule, scheduleFactor } from "../../src/train/schedule.js";
import { trainTokenizer } from "../../src/train/tokenizer-training.js";
import { Trainer } from "../../src/train/trainer.js";
import type { TrainerOptions } from "../../src/train/trainer-options.js";
import { facts } from "../support/facts.js";
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
/** HypeNet with grouped heads of keys and values in both kinds of attention, and every norm, gate and scale. */
const hypenet = {
  model_type: "hypenet",
  torch_dtype: "float32",
  vocab_size: 41,
  hidden_size: 24,
  intermediate_size: 20,
  num_hidden_layers: 3,
  mixer_types: ["lightning-attn", "attn", "lightning-attn"],
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 10,
  attn_use_rope: true,
  attn_use_output_gate: true,
  attn_logits_scaling: "hype 20",
  lightning_nh: 6,
  lightning_nkv: 2,
  lightning_head_dim: 8,
  lightning_use_qk_norm: true,
  lightning_use_output_norm: true,
  lightning_use_output_gate: true,
  tie_word_embeddings: true,
  initializer_range: 0.2,
};
const configs = {
  "as published": tiny,
  HypeNet: hypenet,
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
    ["of a foreign id", [[1, 41]], /token 1:.*integer.*\[0,.*41\)/],
    ["that are no arrays", ["abc"], /array.*token ids/],
    ["with too few weights", [{ ids: [1, 2, 3], weights: [1] }], /weights: expected 3, one per token, got 1/],
    ["with negative weights", [{ ids: [1, 2], weights: [1, -1] }], /weights\[1\]:.*number.*0.*-1/],
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
    expect(message).toMatch(/finite gradients.*loss .*learning rate/);
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
    for (const lr of [Number.NaN, -1, Number.POSITIVE_INFINITY]) expect(() => trainer.step(batch, lr)).toThrow(/step: lr:.*number.*0/);
    trainer.dispose();
    trainer.dispose();
    for (const use of [
      () => trainer.step(batch),
      () => trainer.gradients(batch),
      () => trainer.save(),
      () => trainer.restore(new Uint8Array(8)),
    ]) {
      expect(use).toThrow(/Trainer:.*dispose/);
    }
    expect(await weights(model)).toEqual(before);
  });

  test("refuses weights that are not float32", async () => {
    const directory = fileURLToPath(new URL("../golden/m1-tiny", import.meta.url));
    using model = await MiniMaxM1.load(directory, { dtype: "bf16", threads: 1 });
    expect(() => new Trainer(model)).toThrow(/float32.*bf16.*"f32"/);
    using narrow = await MiniMaxM1.load(directory, { kv: "q8", threads: 1 });
    expect(() => new Trainer(narrow)).toThrow(/float32.*q8/);
  });

  test.each([
    [{ lr: 0 }, /Trainer: lr:.*number.*0.*0/],
    [{ betas: [0.9] }, /Trainer: betas: expected two numbers within \[0, 1\)/],
    [{ betas: [0.9, 0.9999999999] }, /Trainer: betas: expected two numbers within/],
    [{ eps: 1e-60 }, /Trainer: eps:.*number.*\[1e-56,.*1e26\].*1e-60/],
    [{ clipNorm: -1 }, /Trainer: clipNorm:.*number.*0.*-1/],
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
    expect(() => new Trainer(other).restore(state)).toThrow(/another model/);
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
    [{ steps: 0 }, /run: steps:.*integer.*1.*0/],
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
    await expect(going()).rejects.toThrow(/run: data: .*data set/);
  });

  test("the learning rate rises, and falls along a cosine", () => {
    const rates = Array.from({ length: 110 }, (_, t) => scheduleFactor(t, 110, { warmup: 10, floor: 0.1 }));
    expect(rates[0]).toBeCloseTo(0.1, 12);
    expect(rates[9]).toBe(1);
    expect(rates[10]).toBe(1);
    expect(rates[60]).toBeCloseTo(0.55, 12);
    expect(rates.at(-1)!).toBeGreaterThan(0.1);
    expect(rates.at(-1)!).toBeLessThan(0.101);
    expect(scheduleFactor(500, 110, { decay: "constant" })).toBe(1);
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
  await expect(MiniMaxM1.create({ ...a.config, vocabSize: 50 })).rejects.toThrow(/create: config: .*source/);
  await expect(create(tiny, { files: trainTokenizer(["a"], { vocabSize: 262 }) })).rejects.toThrow(/vocab_size:.*tokenizer's 262.*41/);
  await expect(create(tiny, { seed: -1 })).rejects.toThrow(/create: seed/);
  await expect(create({ ...tiny, vocab_size: 2e9 })).rejects.toThrow(/create: the weights need/);
});

describe("a data set", () => {
  const options: RunOptions = { steps: 2, batchTokens: 8 };
  const going = async (data: unknown, more: Partial<RunOptions> = {}) => {
    using model = await create();
    for await (const _ of run(new Trainer(model), data as never, { ...options, ...more }));
  };

  test.each<[unknown, string]>([
    [undefined, "undefined…index % length"],
    [null, "got null. If the data has ended"],
    [5, "got number"],
    ["x", "text…tokenizer"],
    [Promise.resolve([1, 2]), "promise…synchronous"],
    [{}, "got an object without ids"],
    [{ ids: "abc", weights: [1, 1, 1] }, "got ids that are text"],
    [{ ids: null }, "got ids that are null"],
    [new Float64Array(3), "object without ids…Int32Array…Uint32Array"],
  ])("that gives %j names the document and what was expected", async (value, message) => {
    const expected = `: …array of token ids…{ ids, weights }…${message}`;
    const third = { document: (index: number) => (index < 3 ? [1, 2, 3] : value) };
    await expect(going(third)).rejects.toThrow(facts(`run: data: document 3${expected}`));
    await expect(going(third)).rejects.toBeInstanceOf(InputError);
    const heldOut = { data: { document: () => value } as never, documents: 1, every: 1 };
    await expect(going({ document: () => [1, 2, 3] }, { heldOut })).rejects.toThrow(facts(`run: heldOut: data: document 0${expected}`));
    using model = await create();
    expect(() => evaluate(new Trainer(model), { document: () => value } as never, 1, 8)).toThrow(
      facts(`evaluate: data: document 0${expected}`),
    );
    expect(() => new Trainer(model).step([[1, 2], value] as never)).toThrow(facts(`Trainer: batch[1]${expected}`));
  });

  test.each<[unknown, string]>([
    [[], "run: data: document 0: …token"],
    [{ ids: [1, 2] }, "run: data: document 0: weights: expected 2, one per token, got none"],
    [{ ids: [1, 2], weights: [1, Number.NaN] }, "run: data: document 0: weights[1]: …number…0…NaN"],
    [[1, 99], "run: data: document 0: token 1: …integer…[0, 41"],
  ])("with a document that cannot be learned names it: %j", async (value, message) => {
    await expect(going({ document: () => value })).rejects.toThrow(facts(message));
  });

  test.each<[Partial<RunOptions>, string]>([
    [{ batchTokens: 1e9 }, "run: batchTokens: …integer…[1, 4,194,304]…1000000000"],
    [{ windows: [{ from: 0, tokens: 2 ** 22 + 1 }] }, "run: windows.0.tokens: …integer…[1, 4,194,304]…4194305"],
    [
      { heldOut: { data: { document: () => [1, 2] }, documents: 1e9, every: 1 } },
      "run: heldOut.documents: …integer…[1, 100,000]…1000000000",
    ],
  ])("beyond what memory holds is refused before anything is collected: %j", async (more, message) => {
    let asked = 0;
    await expect(going({ document: () => [1, 2, ++asked] }, more)).rejects.toThrow(facts(message));
    expect(asked).toBe(0);
  });

  test("far smaller than a batch goes round", async () => {
    using model = await create();
    const data = textDataset(randomIds(9, 50, 41));
    const steps: number[] = [];
    for await (const { tokens } of run(new Trainer(model), data, { steps: 1, batchTokens: 2000 })) steps.push(tokens);
    expect(steps).toEqual([2000]);
  });

  test("is measured in groups to the loss of all documents together", async () => {
    const small = {
      num_hidden_layers: 1,
      attn_type_list: [0],
      hidden_size: 8,
      intermediate_size: 4,
      num_local_experts: 2,
      num_experts_per_tok: 1,
    };
    using model = await create({ ...tiny, ...small });
    const trainer = new Trainer(model);
    const documents = Array.from({ length: 140 }, (_, i) => randomIds(i, i % 2 === 0 ? 1000 : 900, 41));
    const whole = trainer.evaluate(documents).crossEntropy;
    expect(evaluate(trainer, { document: (index) => documents[index]! }, documents.length, 1000)).toBeCloseTo(whole, 6);
    // Fewer documents are one group, to the bit.
    expect(evaluate(trainer, { document: (index) => documents[index]! }, 3, 1000)).toBe(
      trainer.evaluate(documents.slice(0, 3)).crossEntropy,
    );
  });
});

describe("windows of several texts", () => {
  test("never reach from one into another, and begin anywhere", () => {
    const texts = [Array.from({ length: 50 }, (_, i) => i), [100], Array.from({ length: 30 }, (_, i) => 200 + i), [300, 301]];
    const data = textDataset(texts);
    const begins = new Set<number>();
    for (let i = 0; i < 3000; i++) {
      const ids = Array.from(data.document(i, 20) as number[]);
      expect(ids).toEqual(ids.map((_, t) => ids[0]! + t));
      expect(ids.length).toBe(ids[0] === 300 ? 2 : 20);
      begins.add(ids[0]!);
    }
    expect([...begins].sort((a, b) => a - b)).toEqual([...Array(31).keys(), ...Array.from({ length: 11 }, (_, i) => 200 + i), 300]);
  });

  test("of a single text are those of the text alone; without two tokens they are refused", () => {
    const ids = randomIds(1, 100, 41);
    for (let i = 0; i < 50; i++)
      expect(textDataset([ids], { seed: 4 }).document(i, 9)).toEqual(textDataset(ids, { seed: 4 }).document(i, 9));
    expect(() => textDataset([[1], []])).toThrow(facts("textDataset: ids: …tokens"));
    expect(() => textDataset([1])).toThrow(facts("textDataset: ids: …1"));
  });
});

describe("documents of one's own", () => {
  const example = (first: number, length: number, prompt: number, plain = false) => {
    const ids = Array.from({ length }, (_, t) => first + t);
    return { ids, weights: ids.map((_, t) => Number(t >= prompt)), plain };
  };
  const firsts = (data: ReturnType<typeof exampleDataset>, from: number, count: number, window = 100) =>
    Array.from({ length: count }, (_, i) => (data.document(from + i, window) as unknown as { ids: number[] }).ids[0]!);

  test("come once in every round, in an order that depends on the seed and the round", () => {
    const examples = Array.from({ length: 20 }, (_, i) => example(10 * i, 5, 2));
    const data = exampleDataset(examples, { seed: 3 });
    const rounds = [0, 1, 2].map((round) => firsts(data, 20 * round, 20));
    for (const round of rounds) expect([...round].sort((a, b) => a - b)).toEqual(examples.map(({ ids }) => ids[0]));
    expect(new Set(rounds.map(String)).size).toBe(3);
    expect(firsts(exampleDataset(examples, { seed: 4 }), 0, 20)).not.toEqual(rounds[0]);
    // Whatever was asked before.
    expect(firsts(exampleDataset(examples, { seed: 3 }), 40, 20)).toEqual(rounds[2]);
    firsts(data, 0, 7, 3);
    expect(firsts(data, 20, 20)).toEqual(rounds[1]);
  });

  test("are cut at the end, texts anywhere; those without a target in the window are left out", () => {
    const data = exampleDataset([example(0, 9, 3), example(100, 9, 6), example(200, 50, 0, true), example(300, 1, 0)]);
    const seen = new Map<number, number>();
    for (let i = 0; i < 1000; i++) {
      const { ids, weights: own } = data.document(i, 5) as unknown as { ids: number[]; weights: number[] };
      expect([ids.length, own.length]).toEqual([5, 5]);
      seen.set(ids[0]!, (seen.get(ids[0]!) ?? 0) + 1);
    }
    expect(seen.get(0)).toBe(500);
    expect([seen.has(100), seen.has(300)]).toEqual([false, false]);
    expect(seen.size).toBe(1 + 46);
    expect(() => exampleDataset([example(100, 9, 6)]).document(0, 6)).toThrow(facts("exampleDataset: …target…6 tokens…window"));
    expect(() => exampleDataset([])).toThrow(facts("exampleDataset: …document"));
    for (const bad of [undefined, [1, 2], { ids: [1, 2] }, { ids: [1, 2], weights: [1] }]) {
      expect(() => exampleDataset([example(0, 9, 3), bad as never])).toThrow(facts("exampleDataset: document 1: …{ ids, weights }"));
    }
  });
});

test("warm-up, stable, decay: the rate stays and falls in a straight line over the last steps, wherever these are", () => {
  const rates = (steps: number, more: Schedule = {}) =>
    Array.from({ length: steps }, (_, t) => scheduleFactor(t, steps, { decay: "wsd", warmup: 4, decaySteps: 5, floor: 0, ...more }));
  expect(rates(12)).toEqual([0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2].map((x) => expect.closeTo(x, 12)));
  // What is stable does not depend on the number of steps.
  expect(rates(100).slice(0, 95)).toEqual([0.25, 0.5, 0.75, ...new Array(92).fill(1)]);
  expect(rates(100, { decaySteps: undefined }).filter((rate) => rate === 1)).toHaveLength(88);
  expect(rates(6)).toEqual([0.25, 0.5, 0.75, 1, 1, 0.5].map((x) => expect.closeTo(x, 12)));
  expect(scheduleFactor(11, 12, { decay: "wsd", decaySteps: 4, floor: 0.5 })).toBeCloseTo(0.625, 12);
  expect(scheduleFactor(500, 12, { decay: "wsd", floor: 0.1 })).toBeCloseTo(0.1, 12);
});

test.each<[Schedule, string]>([
  [{ decaySteps: 5 }, 'run: schedule.decaySteps: …"wsd"'],
  [{ decay: "wsd", decaySteps: 0 }, "run: schedule.decaySteps: …integer…1…0"],
  [{ decay: "linear" as never }, 'run: schedule.decay: …"cosine"…"constant"…"wsd"…"linear"'],
])("a schedule that is none is refused: %j", async (schedule, message) => {
  using model = await create();
  const going = run(new Trainer(model), textDataset([1, 2, 3]), { steps: 1, batchTokens: 2, schedule });
  await expect(going.next()).rejects.toThrow(facts(message));
});

test("a tiny HypeNet learns a sentence, token by token, without experts to balance", async () => {
  using model = await create(hypenet);
  const trainer = new Trainer(model, { lr: 0.01 });
  const sentence = randomIds(9, 24, 41);
  const first = trainer.step([sentence]);
  expect([first.auxLoss, first.expertLoad]).toEqual([0, []]);
  for (let i = 0; i < 60; i++) trainer.step([sentence]);
  expect(trainer.evaluate([sentence]).loss).toBeLessThan(0.1);
  expect(first.loss).toBeGreaterThan(2);
  const written: number[] = [];
  for await (const { id } of model.generate(sentence.slice(0, 4), { maxTokens: 20 })) written.push(id);
  expect(written).toEqual(sentence.slice(4));
});
