// Episodes of a local model: exact ids and log-probabilities, every token computed once, and training on all turns.

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type Environment,
  encodeTrace,
  episodeSource,
  formatTrace,
  parseTraces,
  playEpisode,
  playScript,
  type Trace,
  toolEnvironment,
  traceSequence,
  traceSource,
} from "../../src/environments/index.js";
import { InputError, MiniMaxM1 } from "../../src/index.js";
import { type PolicyMetrics, type PolicyOptions, trainPolicy } from "../../src/rl/index.js";
import { Trainer } from "../../src/train/index.js";
import { call, scriptedModel } from "../support/scripted-model.js";

/** Asks for sums, one after the other, in one conversation. The reward is the share of right answers. */
const quiz: Environment<{ terms: number[][] }> = {
  name: "quiz",
  start({ terms }) {
    let right = 0;
    let turn = 0;
    const question = () => ({ role: "user", content: `Compute ${terms[turn]!.join(" + ")}` }) as const;
    return {
      messages: [question()],
      step({ content }) {
        const sum = terms[turn]!.reduce((a, b) => a + b);
        right += Number(content.includes(`<answer>${sum}</answer>`));
        return ++turn < terms.length ? { messages: [question()] } : { messages: [], terminated: true };
      },
      score: () => ({ rewards: { right: right / terms.length } }),
    };
  },
};
const rows = Array.from({ length: 4 }, (_, i) => ({ terms: [0, 1, 2].map((j) => [1 + ((3 * i + j) % 9), 1 + ((5 * i + 2 * j) % 9)]) }));

const fresh = () => MiniMaxM1.load(undefined, { dtype: "f32", threads: 1, build: "simd" });
let model: MiniMaxM1;
beforeAll(async () => {
  model = await fresh();
});
afterAll(() => model.dispose());

/** Log-probabilities of the sampled tokens in one forward pass over the whole sequence. */
function recomputed(of: MiniMaxM1, { ids, mask }: ReturnType<typeof traceSequence>): number[] {
  const { vocabSize } = of.config;
  const { logits } = of.forward([ids]);
  return ids.flatMap((id, t) => {
    if (!mask[t]) return [];
    const row = logits.subarray((t - 1) * vocabSize, t * vocabSize);
    const most = row.reduce((a, b) => Math.max(a, b));
    return [row[id]! - most - Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0))];
  });
}

describe("traces of a local model", () => {
  let traces: Trace[];
  beforeAll(async () => {
    traces = await Promise.all(rows.map((row, i) => playEpisode(model, quiz, row, { seed: i, maxTokens: 400 })));
  });

  test("their ids, fed to forward, give their probabilities", () => {
    for (const trace of traces) {
      const sequence = traceSequence(trace);
      const logp = recomputed(model, sequence);
      expect(sequence.logp.length).toBeGreaterThan(20);
      expect(logp.length).toBe(sequence.logp.length);
      // Its logits reach ±30, and a pass over all tokens rounds them otherwise than one token after the other.
      expect(Math.max(...logp.map((x, i) => Math.abs(Math.exp(x) - Math.exp(sequence.logp[i]!))))).toBeLessThan(1e-5);
      expect(Math.max(...logp.map((x, i) => Math.abs(x - sequence.logp[i]!)))).toBeLessThan(5e-5);
    }
  });

  test("their ids, fed to forward, give their log-probabilities to 1e-5 in a new model", async () => {
    const files = new Map((await model.save()).entries());
    using other = await MiniMaxM1.create(
      { ...model.config.source, initializer_range: 0.05 },
      { seed: 1, files, threads: 1, build: "simd" },
    );
    const traces = await Promise.all(rows.map((row, i) => playEpisode(other, quiz, row, { seed: i, maxTokens: 150 })));
    for (const sequence of traces.map(traceSequence)) {
      const logp = recomputed(other, sequence);
      expect(logp.length).toBeGreaterThan(20);
      expect(Math.max(...logp.map((x, i) => Math.abs(x - sequence.logp[i]!)))).toBeLessThan(1e-5);
    }
  });

  test("their ids are those of the chat format, with the sampled tokens between", async () => {
    const { nodes } = traces[0]!;
    const texts = nodes.map(({ token_ids }) => model.tokenizer!.decode(token_ids));
    expect(texts[0]).toBe(`<begin_of_document><beginning_of_sentence>user name=user\n${nodes[0]!.message.content}<end_of_sentence>\n`);
    expect(texts[1]!.startsWith("<beginning_of_sentence>ai name=assistant\n")).toBe(true);
    for (const node of nodes) {
      const scaffold = node.token_ids.filter((_, t) => !node.is_content[t]);
      const body = node.token_ids.filter((_, t) => node.is_content[t]);
      expect(scaffold.length).toBeGreaterThan(0);
      if (!node.sampled) expect(model.tokenizer!.decode(body)).toBe(node.message.content);
    }
  });

  test("the same seed gives the same episode, alone or among others", async () => {
    const again = await playEpisode(model, quiz, rows[2]!, { seed: 2, maxTokens: 400 });
    expect(traceSequence(again)).toEqual(traceSequence(traces[2]!));
  });

  test("an episode that does not fit into the context ends as truncated", async () => {
    const long: Environment = {
      name: "long",
      start: () => ({
        messages: [{ role: "user", content: "Compute 1 + 1 ".repeat(2000) }],
        step: () => ({ messages: [], terminated: true }),
        score: () => ({ rewards: { reward: 0 } }),
      }),
    };
    expect((await playEpisode(model, long, {})).stop_condition).toBe("context");
  });
});

test("40 turns compute as many tokens as the episode has", async () => {
  const forward = vi.spyOn(model.transformer, "forward");
  try {
    const terms = Array.from({ length: 40 }, (_, i) => [1 + (i % 9), 2]);
    const trace = await playEpisode(model, quiz, { terms }, { seed: 4, maxTokens: 4000, temperature: 0 });
    const computed = forward.mock.calls.flatMap(([batch]) => batch.map(({ ids }) => ids.length)).reduce((a, b) => a + b, 0);
    expect(trace.metrics.turns).toBe(40);
    // The last sampled token is never fed to the model.
    expect(computed).toBe(traceSequence(trace).ids.length - 1);
  } finally {
    forward.mockRestore();
  }
});

describe("encodeTrace", () => {
  test("a trace with ids gives these ids, with the sampled tokens as targets", async () => {
    const trace = await playEpisode(model, quiz, rows[0]!, { seed: 0, maxTokens: 400 });
    const { ids, mask } = traceSequence(trace);
    expect(await encodeTrace(trace, model as never)).toEqual([{ ids, weights: mask.map(Number) }]);
  });

  test("a script that says the same gives the same ids and targets", async () => {
    const played = await playEpisode(model, quiz, rows[1]!, { seed: 1, temperature: 0, maxTokens: 400 });
    expect(played.stop_condition).toBe("terminated");
    const texts = played.nodes.flatMap(({ sampled, text }) => (sampled ? [text!] : []));
    expect(texts.some((text) => text.includes("<think>"))).toBe(true);
    const [written, ...more] = await encodeTrace(await playScript(quiz, rows[1]!, (_, turn) => texts[turn]!), model as never);
    const [sampled] = await encodeTrace(played, model as never);
    expect(more).toEqual([]);
    expect([...(written!.ids as number[])]).toEqual(sampled!.ids);
    expect(Array.from(written!.weights)).toEqual(sampled!.weights);
  });

  test("calls and results of tools are written in the chat format, with the descriptions of the tools", async () => {
    const shop = toolEnvironment<{ fruit: string }, object>({
      name: "shop",
      tools: [{ name: "price", description: "Price", parameters: { type: "object" }, run: () => 37 }],
      start: () => ({}),
      messages: ({ fruit }) => [{ role: "user", content: fruit }],
      score: () => ({ rewards: {} }),
    });
    const script = (_: unknown, turn: number) => (turn === 0 ? `<think>a call</think>${call("price", { of: "figs" })}` : "37");
    const [{ ids, weights }] = (await encodeTrace(await playScript(shop, { fruit: "figs" }, script), model as never)) as [
      { ids: number[]; weights: number[] },
    ];
    const targets = model.tokenizer!.decode([...ids].filter((_, t) => weights[t] === 1));
    expect(targets).toBe(`<think>a call</think>${call("price", { of: "figs" })}<end_of_sentence>37<end_of_sentence>`);
    const context = model.tokenizer!.decode([...ids].filter((_, t) => weights[t] === 0));
    expect(context).toContain('{"name": "price", "description": "Price"');
    expect(context).toContain("tool name: price\ntool result: 37\n");
  });

  test("a trace without a message of the model is refused", async () => {
    const trace = await playScript(quiz, rows[0]!, () => Promise.reject(new Error("no")));
    await expect(encodeTrace(trace, model as never)).rejects.toThrow(InputError);
    await expect(encodeTrace(trace, {} as never)).rejects.toThrow(/encodeTrace: encoding/);
  });
});

describe("trainPolicy", () => {
  const options = { batches: 1, groups: 2, groupSize: 4, minibatches: 1, maxTokens: 60, rounds: 0, seed: 5 } as const;

  async function trained(
    source: Parameters<typeof trainPolicy>[2][number],
    more: Partial<PolicyOptions> = {},
  ): Promise<{ weights: Uint8Array; metrics: PolicyMetrics[] }> {
    using policy = await fresh();
    const trainer = new Trainer(policy, { lr: 1e-4, weightDecay: 0, temperature: 1.3 });
    const metrics: PolicyMetrics[] = [];
    for await (const one of trainPolicy(policy, trainer, [source], { ...options, ...more })) metrics.push(one);
    return { weights: (await policy.save()).get("model.safetensors") as Uint8Array, metrics };
  }

  test("learns the sampled tokens of all turns", async () => {
    const traces: Trace[] = [];
    const { metrics } = await trained(episodeSource(quiz, rows, { onTrace: (trace) => traces.push(trace) }));
    expect(traces.length).toBe(options.batches * options.groups * options.groupSize);
    const lengths = traces.map((trace) => traceSequence(trace).logp.length);
    expect(metrics[0]!.length.mean).toBeCloseTo(lengths.reduce((a, b) => a + b) / 8, 6);
    expect(metrics[0]!.rewards.right).toBeGreaterThan(0);
    expect(metrics.some(({ updates }) => updates.length > 0)).toBe(true);
  });

  test("learns the same from 100 traces in memory and from a file", async () => {
    const few = Array.from({ length: 25 }, (_, i) => ({ terms: [[1 + (i % 9), 1 + (i % 7)]] }));
    const { groupSize } = options;
    const traces = await Promise.all(
      Array.from({ length: 25 * groupSize }, (_, i) =>
        playEpisode(model, quiz, few[Math.floor(i / groupSize)]!, { seed: i, temperature: 1.3, maxTokens: 30 }),
      ),
    );
    const whole = { groups: few.length, minibatches: 2 };
    const memory = await trained(traceSource(traces), whole);
    const file = await trained(traceSource(parseTraces(traces.map(formatTrace).join(""))), whole);
    expect(memory.metrics.map(({ groups, updates }) => [groups.sampled, updates.length])).toEqual([[25, 2]]);
    expect(file.weights).toEqual(memory.weights);
  }, 240_000);

  test("an episode that failed is not judged, and does not end the run", async () => {
    let episodes = 0;
    const unreliable: typeof quiz = {
      ...quiz,
      start(row, context) {
        if (episodes++ % 3 === 0) throw new Error("no sandbox");
        return quiz.start(row, context);
      },
    };
    const { metrics } = await trained(episodeSource(unreliable, rows));
    expect(metrics[0]!.judging.failed).toBe(3);
    await expect(
      trained(
        episodeSource(
          {
            ...quiz,
            start() {
              throw new Error("no sandbox");
            },
          },
          rows,
        ),
      ),
    ).rejects.toThrow(/no sandbox/);
  });

  test("a model without token ids is refused", async () => {
    const { play } = episodeSource(quiz, rows).problem(0);
    await expect(play(scriptedModel(() => "7") as never, { maxTokens: 9, seed: 1 })).rejects.toThrow(/expected token ids/);
  });
});
