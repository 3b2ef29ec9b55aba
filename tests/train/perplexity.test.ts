import { beforeAll, describe, expect, test } from "vitest";
import { MiniMaxM1, Tokenizer } from "../../src/index.js";
import { type EncodedDocument, encodeRow } from "../../src/train/encode-documents.js";
import { type PerplexityOptions, perplexity } from "../../src/train/perplexity.js";
import { trainTokenizer } from "../../src/train/tokenizer-training.js";
import { Trainer } from "../../src/train/trainer.js";
import { facts } from "../support/facts.js";
import { randomIds } from "../support/random.js";

const config = {
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
  max_position_embeddings: 2048,
};
const create = (more: object = {}, options = {}) =>
  MiniMaxM1.create({ ...config, ...more }, { seed: 3, threads: 1, build: "simd", ...options });

const document = (ids: readonly number[], weight: (t: number) => number = () => 1): EncodedDocument => ({
  ids: Int32Array.from(ids),
  weights: Uint8Array.from(ids, (_, t) => weight(t)),
  targetBytes: 100,
  plain: true,
});

/** log p of each token but the first, from the logits of a whole window. */
function logprobs(model: MiniMaxM1, ids: readonly number[]): number[] {
  const { logits } = model.forward([ids]);
  return ids.slice(1).map((id, t) => {
    const row = Array.from(logits.subarray(t * config.vocab_size, (t + 1) * config.vocab_size));
    return row[id]! - Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
  });
}
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

describe("perplexity", () => {
  let model: MiniMaxM1;
  beforeAll(async () => {
    model = await create();
  });
  const measure = (documents: readonly EncodedDocument[], options?: PerplexityOptions) => perplexity(model, documents, options);

  test("is that of the logits, over all tokens but the first of each document", async () => {
    // Longer than a forward pass takes at once.
    const [a, b] = [randomIds(1, 1300, 41), randomIds(2, 9, 41)];
    const nats = -sum([...logprobs(model, a), ...logprobs(model, b)]);
    const result = await measure([document(a), document(b)]);
    expect(result).toMatchObject({ documents: 2, tokens: 1309, targets: 1307, bytes: 200, window: 2048, stride: 1024 });
    expect(result.crossEntropy).toBeCloseTo(nats / 1307, 5);
    expect(result.perplexity / Math.exp(nats / 1307)).toBeCloseTo(1, 5);
    expect(result.bitsPerByte).toBeCloseTo(nats / Math.log(2) / 200, 4);
  });

  test.each([
    [10, 10],
    [10, 5],
    [10, 3],
    [10, 1],
    [7, 2],
    [1, 1],
  ])("in windows of %i tokens, %i apart, every token but the first counts once, in its first window", async (window, stride) => {
    for (const length of [2, Math.max(2, window), window + 1, window + 2, 47]) {
      const ids = randomIds(length, length, 41);
      let [nats, done] = [0, 1];
      for (let begin = 0; done < length; begin += stride) {
        // A window's tokens, and the one that its last token predicts.
        const own = logprobs(model, ids.slice(begin, begin + window + 1));
        for (const [i, logp] of own.entries()) {
          if (begin + i + 1 < done) continue;
          expect(i + 1).toBeGreaterThan(begin === 0 ? 0 : window - stride);
          nats -= logp;
          done++;
        }
      }
      const result = await measure([document(ids)], { window, stride });
      expect(result.targets).toBe(length - 1);
      expect(result.crossEntropy).toBeCloseTo(nats / (length - 1), 4);
    }
  });

  test("counts the targets alone, as the trainer does", async () => {
    const own = document(randomIds(5, 60, 41), (t) => Number(t % 3 === 0));
    const { crossEntropy, targets } = new Trainer(model).evaluate([own]);
    const result = await measure([own]);
    expect(result.targets).toBe(targets);
    expect(result.crossEntropy).toBeCloseTo(crossEntropy, 5);
  });

  test.each<[PerplexityOptions, string]>([
    [{ window: 4096 }, "perplexity: window: …model's…2048…4096"],
    [{ window: 8, stride: 9 }, "perplexity: stride: …8…9"],
    [{ window: 0 }, "perplexity: window: …integer…1…0"],
    [{ stride: 1.5 }, "perplexity: stride: …integer…1…1.5"],
  ])("refuses %j", async (options, message) => {
    await expect(measure([document([1, 2, 3])], options)).rejects.toThrow(facts(message));
  });

  test("refuses documents without a target and foreign ids, and ends with the signal", async () => {
    await expect(measure([document([1])])).rejects.toThrow(facts("perplexity: …predict"));
    await expect(measure([])).rejects.toThrow("predict");
    await expect(measure([document([1, 2]), document([1, 41])])).rejects.toThrow("perplexity: document 1: token 1: expected an integer id");
    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error("enough")));
    await expect(measure([document(randomIds(1, 2000, 41))], { signal: controller.signal })).rejects.toThrow("enough");
  });

  test("gives its memory back", async () => {
    const { usedBytes } = model.memory;
    await measure([document(randomIds(1, 100, 41))], { window: 20 });
    expect(model.memory.usedBytes).toBe(usedBytes);
  });
});

test.each([262, 300, 400])("bits per byte of a model without any knowledge, by hand, with %i tokens", async (vocabSize) => {
  const text = "Grüße, 👍 the quick brown fox and the quick brown dog.\n".repeat(3);
  const files = trainTokenizer([text], { vocabSize });
  const json = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)));
  const tokenizer = await Tokenizer.fromFiles({ tokenizerJson: json("tokenizer.json"), tokenizerConfig: json("tokenizer_config.json") });
  const vocab = tokenizer.vocabSize;
  // With a head of zeros every token has the probability 1 / vocab.
  using model = await create({ vocab_size: vocab, initializer_range: 1e-12 }, { files });
  const documents = await encodeRow(
    { where: "", content: { text } },
    { tokenizer, formatChat: model.formatChat.bind(model) },
    { end: false },
  );
  const ids = tokenizer.encode(text);
  const bytes = new TextEncoder().encode(text).length - [...tokenizer.tokenOf(ids[0]!)].length;
  const { bitsPerByte, perplexity: perToken, targets, bytes: counted } = await perplexity(model, documents);
  expect([targets, counted]).toEqual([ids.length - 1, bytes]);
  expect(perToken / vocab).toBeCloseTo(1, 4);
  expect(bitsPerByte).toBeCloseTo(((ids.length - 1) * Math.log2(vocab)) / bytes, 4);
});

test.each<[unknown, string]>([
  ["text", 'perplexity: documents: …encodeRow…array…"text"'],
  [null, "perplexity: documents: …encodeRow…array…null"],
  [[[1, 2, 3]], "perplexity: document 0: …{ ids, weights, targetBytes }…encodeRow"],
  [[undefined], "perplexity: document 0: …{ ids, weights, targetBytes }"],
  [[{ ids: [1, 2], weights: [1] }], "perplexity: document 0: …{ ids, weights, targetBytes }"],
])("what is no document is refused: %j", async (documents, message) => {
  using model = await create();
  await expect(perplexity(model, documents as never)).rejects.toThrow(facts(message));
  await expect(perplexity(undefined as never, [])).rejects.toThrow(facts("perplexity: model: …MiniMaxM1"));
});
