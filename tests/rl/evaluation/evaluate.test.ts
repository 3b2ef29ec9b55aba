import { describe, expect, test } from "vitest";
import { readTextSettings } from "../../../src/checkpoint/text-settings.js";
import type { GenerateOptions } from "../../../src/generate/index.js";
import { chatCodec } from "../../../src/rl/data/codec.js";
import { drawPuzzle, heldOut, isHeldOut } from "../../../src/rl/data/puzzle.js";
import { solutions } from "../../../src/rl/data/solutions.js";
import { answerPuzzles, evaluateTasks, meanAccuracy, type Score, type Solver } from "../../../src/rl/evaluation/evaluate.js";
import { formatResponse, instanceKey, judge, tasks } from "../../../src/rl/tasks/index.js";
import { streamOf } from "../../../src/train/datasets.js";
import { trainTokenizer } from "../../../src/train/tokenizer-training.js";

/** A model whose response is a function of the question, streamed in pieces. */
function solver(respond: (question: string) => string): Solver & { calls: { questions: number; options: GenerateOptions }[] } {
  const calls: { questions: number; options: GenerateOptions }[] = [];
  return {
    calls,
    generateBatch(inputs, options) {
      calls.push({ questions: inputs.length, options });
      const texts = inputs.map(([message]) => respond(message!.content));
      async function* tokens() {
        for (const half of [0, 1]) {
          for (const [index, text] of texts.entries()) {
            const middle = text.length >> 1;
            yield { index, id: 0, logprob: 0, text: half === 0 ? text.slice(0, middle) : text.slice(middle) };
          }
        }
      }
      return tokens() as never;
    },
  };
}

/** Solutions of all instances of an evaluation, by question. */
function answers(perLevel: number, seed: number): Map<string, string> {
  const known = new Map<string, string>();
  for (const task of tasks) {
    for (let level = 1; level <= task.levels; level++) {
      for (const { instance } of heldOut(task, level, perLevel, seed))
        known.set(task.question(instance), formatResponse(task.solve(instance)));
    }
  }
  return known;
}

async function all(scores: AsyncIterable<Score>): Promise<Score[]> {
  const found: Score[] = [];
  for await (const score of scores) found.push(score);
  return found;
}

describe("evaluateTasks", () => {
  test("scores 1 for worked solutions and 0 for empty responses", async () => {
    const known = answers(10, 3);
    const perfect = await all(
      evaluateTasks(
        solver((question) => known.get(question)!),
        { tasks, perLevel: 10, seed: 3 },
      ),
    );
    expect(perfect).toHaveLength(tasks.reduce((sum, { levels }) => sum + levels, 0));
    expect(meanAccuracy(perfect)).toBe(1);
    for (const { formatted, blind, majority, tokens } of perfect) {
      expect(formatted).toBe(1);
      expect(blind).toBeLessThan(0.5);
      expect(majority).toBeLessThan(0.7);
      expect(tokens).toBe(2);
    }
    const silent = await all(
      evaluateTasks(
        solver(() => ""),
        { tasks, perLevel: 10, seed: 3 },
      ),
    );
    for (const { accuracy, formatted } of silent) expect([accuracy, formatted]).toEqual([0, 0]);
  });

  test("counts well-formed responses and right answers separately", async () => {
    const [score] = await all(
      evaluateTasks(
        solver(() => "<think>\n</think>\n<answer>nothing</answer>"),
        { tasks: tasks.slice(0, 1), perLevel: 5 },
      ),
    );
    expect([score!.accuracy, score!.formatted]).toEqual([0, 1]);
  });

  test("generates in batches, with the recommended sampling or greedily, and one seed per response", async () => {
    const one = solver(() => "");
    await all(evaluateTasks(one, { tasks: tasks.slice(0, 1), perLevel: 5, batch: 2, seed: 40 }));
    expect(one.calls.slice(0, 3).map(({ questions, options }) => [questions, options.seed, options.temperature, options.topP])).toEqual([
      [2, 40, 1, 0.95],
      [2, 42, 1, 0.95],
      [1, 44, 1, 0.95],
    ]);
    const greedy = solver(() => "");
    await all(evaluateTasks(greedy, { tasks: tasks.slice(0, 1), perLevel: 1, temperature: 0 }));
    expect(greedy.calls[0]!.options).toEqual({ temperature: 0, maxTokens: 512, seed: 1, signal: undefined });
  });

  test.each([
    [{ tasks: [] }, /evaluateTasks: tasks: expected one or more tasks/],
    [{ tasks, perLevel: 0 }, /perLevel:.*integer.*\[1,.*100,000\].*0/],
    [{ tasks, temperature: -1 }, /temperature/],
    [{ tasks, levels: 3 }, /levels: unknown option/],
  ])("refuses %j", async (options, message) => {
    await expect(
      all(
        evaluateTasks(
          solver(() => ""),
          options as never,
        ),
      ),
    ).rejects.toThrow(message);
  });

  test("answers given puzzles; an empty list is an error", async () => {
    const puzzles = [heldOut(tasks[0]!, 1, 3, 2), heldOut(tasks[1]!, 1, 2, 2)].flat();
    const solved = new Map(puzzles.map(({ task, instance }) => [task.question(instance), formatResponse(task.solve(instance))]));
    const wrong = puzzles[4]!.task.question(puzzles[4]!.instance);
    const one = solver((question) => (question === wrong ? "" : solved.get(question)!));
    expect(await answerPuzzles(one, puzzles, { seed: 2 ** 32 - 1, batch: 4 })).toEqual({ accuracy: 0.8, formatted: 0.8, tokens: 2 });
    expect(one.calls.map(({ questions, options }) => [questions, options.seed])).toEqual([
      [4, 2 ** 32 - 1],
      [1, 3],
    ]);
    await expect(answerPuzzles(one, [])).rejects.toThrow("answerPuzzles: puzzles:");
    await expect(answerPuzzles(one, puzzles, { perLevel: 3 } as never)).rejects.toThrow("answerPuzzles: perLevel: unknown option");
  });

  test("is an error if a level has too few held-out instances", () => {
    const one = { ...tasks[0]!, generate: () => ({ brackets: ["("] }), levels: 1 };
    const key = instanceKey(one, { brackets: ["("] });
    const put = isHeldOut({ task: one, level: 1, instance: { brackets: ["("] } });
    if (put)
      expect(() => heldOut(one, 1, 2, 1)).toThrow(`expected at most 1, the number of held-out instances of ${one.name} on level 1, got 2`);
    expect(key).toContain(one.name);
  });
});

describe("training data", () => {
  test("never contains held-out instances, which are an eighth of all", () => {
    let count = 0;
    for (let i = 0; i < 400; i++) {
      const open = drawPuzzle(streamOf(1, i), tasks, false);
      const kept = drawPuzzle(streamOf(2, i), tasks, true);
      expect([isHeldOut(open), isHeldOut(kept)]).toEqual([false, true]);
      const task = tasks[i % tasks.length]!;
      count += Number(isHeldOut({ task, level: 2, instance: task.generate(streamOf(3, i), 2) }));
    }
    expect(count / 400).toBeGreaterThan(0.07);
    expect(count / 400).toBeLessThan(0.19);
  });

  test("consists of the prompt, with weight 0, and the worked solution with its end-of-sequence token", async () => {
    const texts = Array.from({ length: 200 }, (_, i) => {
      const { task, instance } = drawPuzzle(streamOf(5, i), tasks, false);
      return `${task.question(instance)} ${formatResponse(task.solve(instance))}`;
    });
    const { tokenizer } = await readTextSettings(trainTokenizer(texts, { vocabSize: 400, specialTokens: ["<answer>", "</answer>"] }));
    const codec = await chatCodec(tokenizer!, async ([message]) => `<beginning_of_sentence>user\n${message!.content}<end_of_sentence>\n`);
    const data = solutions(tasks, codec, { seed: 9 });
    for (let i = 0; i < 50; i++) {
      const example = data.document(i, 1000);
      if (!("ids" in example)) throw new Error("expected weights");
      const { task, instance } = drawPuzzle(streamOf(9, i), tasks, false);
      const begin = Array.from(example.weights).indexOf(1);
      expect(new Set(Array.from(example.weights).slice(begin))).toEqual(new Set([1]));
      const ids = Array.from(example.ids);
      expect(ids.at(-1)).toBe(tokenizer!.eosId);
      expect(tokenizer!.decode(ids.slice(0, begin))).toBe(`<beginning_of_sentence>user\n${task.question(instance)}<end_of_sentence>\n`);
      expect(judge(task, instance, tokenizer!.decode(ids.slice(begin, -1)))).toEqual({ formatted: true, correct: true });
      expect(data.document(i, 20)).toMatchObject({ ids: ids.slice(0, 20) });
    }
  });

  test("needs a chat format that contains the question once, and an end-of-sequence token", async () => {
    const { tokenizer } = await readTextSettings(trainTokenizer(["a"], { vocabSize: 262 }));
    await expect(chatCodec(tokenizer!, async () => "hello")).rejects.toThrow(/format.*user's message/);
  });
});
