// The view "Look inside" without a browser: traces, shares and memory equal what the library computes for whole sequences.
import { fileURLToPath } from "node:url";
import { MiniMaxM1, minimaxM1, type Token } from "lightning-m1";
import { deploymentMemory } from "lightning-m1/analysis";
import { createWorkerModel } from "lightning-m1/worker";
import { afterAll, expect, test } from "vitest";
import { formatBytes, formatPercent } from "../../src/shared/numbers.ts";
import { halfLife, remaining, sampleHeads, slopesOf } from "../../src/views/look-inside/heads.ts";
import { memoryAt } from "../../src/views/look-inside/memory.ts";
import { shownModels } from "../../src/views/look-inside/shown-models.ts";
import { norm, sharesInState, sharesOverTime, stateAfter } from "../../src/views/look-inside/states.ts";
import { attentionOf, headHistory, mostProbable, type TokenTrace, traceTokens, visibleText } from "../../src/views/look-inside/trace.ts";

const QUESTION = "Compute 3 + 4 - 2";
const checkpoint = fileURLToPath(new URL("../../../models/m1-puzzles", import.meta.url));
const { config } = shownModels.bundled;
const { headDim, numAttentionHeads: heads } = config;

async function trace(maxTokens: number): Promise<TokenTrace[]> {
  using model = await createWorkerModel(checkpoint, { build: "simd", threads: 1, tokenizer: true });
  const tokens: TokenTrace[] = [];
  for await (const token of traceTokens(model, QUESTION, { maxTokens, signal: new AbortController().signal })) tokens.push(token);
  return tokens;
}

const close = (got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) => {
  expect(got.length).toBe(expected.length);
  let error = 0;
  for (let i = 0; i < expected.length; i++) error = Math.max(error, Math.abs(got[i]! - expected[i]!));
  expect(error).toBeLessThanOrEqual(tolerance);
};

const tokens = await trace(256);
const model = await MiniMaxM1.load(checkpoint, { build: "simd", threads: 1 });
afterAll(() => model.dispose());
const ids = tokens.map(({ id }) => id);
const whole = model.forward([ids], { routerLogits: true, states: true, attention: true });

test("the answer is that of greedy generation, and maxTokens limits it", async () => {
  const generated: Token[] = [];
  for await (const token of model.generate([{ role: "user", content: QUESTION }], { temperature: 0 })) generated.push(token);
  expect(tokens.filter(({ isGenerated }) => isGenerated).map(({ id }) => id)).toEqual(generated.slice(0, -1).map(({ id }) => id));
  expect(config.eosTokenIds).toContain(tokens.at(-1)!.next[0]!.id);
  expect((await trace(2)).filter(({ isGenerated }) => isGenerated)).toHaveLength(2);
});

test("experts, probabilities and attention equal those of a forward pass over all tokens", () => {
  for (const [t, token] of tokens.entries()) {
    const logits = whole.logits.subarray(t * config.vocabSize, (t + 1) * config.vocabSize);
    const expected = mostProbable(logits, 8);
    close(
      token.next.map(({ probability }) => probability),
      expected.map(({ probability }) => probability),
      1e-4,
    );
    expect(token.next[0]!.id).toBe(expected[0]!.id);
    for (const [layer, choices] of token.experts.entries()) {
      const router = whole.routerLogits[layer]!.subarray(t * config.numLocalExperts, (t + 1) * config.numLocalExperts);
      const order = [...router.keys()].sort((a, b) => router[b]! - router[a]!).slice(0, 2);
      expect(choices.map(({ expert }) => expert)).toEqual(order);
      const weight = 1 / (1 + Math.exp(router[order[1]!]! - router[order[0]!]!));
      expect(choices[0]!.weight).toBeCloseTo(weight, 3);
      expect(choices[0]!.weight + choices[1]!.weight).toBeCloseTo(1, 12);
    }
    for (let head = 0; head < heads; head++) {
      const from = (head * ids.length + t) * ids.length;
      close(attentionOf(token, 7, head, t), whole.attention[7]!.subarray(from, from + t + 1), 1e-4);
    }
  }
});

test("contributions of all tokens, decayed, add up to the states; shares add up to 1", () => {
  const last = tokens.length - 1;
  for (let layer = 0; layer < 7; layer++) {
    for (const [head, slope] of slopesOf(config, layer)!.entries()) {
      const history = headHistory(tokens, layer, head);
      const retention = remaining(slope, 1);
      const state = whole.lightningStates[layer]!.subarray(head * headDim ** 2, (head + 1) * headDim ** 2);
      close(stateAfter(history, retention, last), state, 1e-3 * norm(state));
      expect(history[last]!.norm / norm(state)).toBeCloseTo(1, 3);
      const shares = sharesInState(history, retention, last);
      expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
      for (const token of [0, 5, last]) {
        const over = sharesOverTime(history, retention, token);
        expect(over[last]).toBeCloseTo(shares[token]!, 3);
        expect(over.slice(0, token)).toEqual(new Array(token).fill(0));
      }
    }
  }
  expect(tokens[0]!.states[7]).toBeUndefined();
  expect(sharesInState(headHistory(tokens, 0, 0), 0.5, 0)[0]).toBeCloseTo(1, 12);
});

test("parts of characters among the next tokens are named by their bytes", () => {
  const parts = tokens.flatMap(({ next }) => next).filter(({ id }) => model.tokenizer!.decode([id]) === "\u{fffd}");
  expect(parts.length).toBeGreaterThan(0);
  for (const { id, text } of parts) {
    const [byte] = model.tokenizer!.bytesOf(id)!;
    expect(text).toMatch(/^byte [0-9A-F]{2}$/);
    expect(Number.parseInt(text.slice(5), 16)).toBe(byte);
  }
});

test.each([
  [0.123456, "12.3%"],
  [1e-5, "<0.01%"],
  [-2.56e-10, ">−0.01%"],
  [-0.25, "−25%"],
  [0, "0%"],
])("the share %f is shown as %s", (share, shown) => {
  expect(formatPercent(share)).toBe(shown);
});

test.each([
  [0, "0 B"],
  [172_032, "168 KiB"],
  [280 * 2 ** 20, "280 MiB"],
  [2 ** 40, "1 TiB"],
])("%d bytes are shown as %s", (bytes, shown) => {
  expect(formatBytes(bytes)).toBe(shown);
});

test("half-lives", () => {
  expect(remaining(0.25, halfLife(0.25))).toBeCloseTo(0.5, 12);
  expect(slopesOf(config, 7)).toBeUndefined();
  expect(slopesOf(config, 0)![0]).toBeCloseTo(0.25, 4);
  expect(sampleHeads(6, 8)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(sampleHeads(64, 8)).toEqual([0, 9, 18, 27, 36, 45, 54, 63]);
});

test("memory is that of the library's caches, and of a server for the published model", () => {
  const cache = model.newCache();
  for (const length of [1, 63, 64, 65, 200]) {
    model.forward([new Array(length - cache.length).fill(1)], { cache: [cache], logits: "last" });
    const { states, cache: keysAndValues, cacheOnly } = memoryAt(config, length, "f32");
    expect(states + keysAndValues).toBe(cache.bytes);
    expect(states).toBe(7 * heads * headDim ** 2 * 4);
    expect(cacheOnly).toBe(8 * keysAndValues);
  }
  cache.dispose();
  const { states, cache: keysAndValues } = memoryAt(minimaxM1, 2 ** 20, "bf16");
  expect(deploymentMemory(minimaxM1, { context: 2 ** 20 })).toMatchObject({ stateBytes: states, keyValueBytes: keysAndValues });
});

test.each([
  ["\n", "↵"],
  [" ", "␣"],
  [" 2", "2"],
  ["", "␣"],
])("%j is shown as %s", (text, shown) => {
  expect(visibleText(text)).toBe(shown);
});
