import { describe, expect, test } from "vitest";
import { InputError } from "../../../src/index.js";
import { evaluateTasks, type Solver } from "../../../src/rl/evaluation/evaluate.js";
import { callJudges, type JudgeCall, type JudgingSettings } from "../../../src/rl/rewards/judging.js";
import { tasks } from "../../../src/rl/tasks/index.js";
import { facts } from "../../support/facts.js";

const settings: JudgingSettings = { concurrency: 4, retries: 2, backoffMs: 1, timeoutMs: 10_000 };
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

describe("callJudges", () => {
  test("limits concurrency, starts calls in order, and returns outcomes by position", async () => {
    let [now, most] = [0, 0];
    const begun: number[] = [];
    const calls = Array.from(
      { length: 30 },
      (_, i): JudgeCall<number> =>
        async () => {
          begun.push(i);
          most = Math.max(most, ++now);
          await turn();
          now--;
          return 10 * i;
        },
    );
    const outcomes = await callJudges(calls, settings);
    expect(outcomes.map(({ value }) => value)).toEqual(calls.map((_, i) => 10 * i));
    expect([most, begun]).toEqual([4, calls.map((_, i) => i)]);
  });

  test("retries failed calls; a final failure is an outcome and does not affect other calls", async () => {
    const attempts = [0, 0, 0];
    const failing = (place: number, times: number): JudgeCall<string> => {
      return () => {
        if (attempts[place]!++ < times) throw new Error(`busy ${attempts[place]}`);
        return "judged";
      };
    };
    const outcomes = await callJudges([failing(0, 0), failing(1, 2), failing(2, 9)], settings);
    expect(outcomes).toEqual([
      { value: "judged", retries: 0 },
      { value: "judged", retries: 2 },
      { error: new Error("busy 3"), retries: 2 },
    ]);
    expect(attempts).toEqual([1, 3, 3]);
  });

  test("limits the time of each attempt and aborts its signal", async () => {
    const signals: AbortSignal[] = [];
    const silent: JudgeCall<string> = (signal) => {
      signals.push(signal);
      return signals.length === 1 ? new Promise(() => {}) : "judged";
    };
    expect(await callJudges([silent], { ...settings, timeoutMs: 5 })).toEqual([{ value: "judged", retries: 1 }]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    const [outcome] = await callJudges([() => new Promise(() => {})], { ...settings, retries: 0, timeoutMs: 5 });
    expect(outcome!.error!.message).toBe("no judgement within 5 ms");
  });

  test("stops at the signal: waiting calls do not start, running calls abort, pauses end", async () => {
    const controller = new AbortController();
    const signals: AbortSignal[] = [];
    const waiting: JudgeCall<string> = (signal) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const failing: JudgeCall<string> = () => Promise.reject(new Error("busy"));
    const coming = callJudges([failing, waiting, waiting, waiting, waiting], { ...settings, backoffMs: 2 ** 31 - 1 }, controller.signal);
    await turn();
    controller.abort(new Error("enough"));
    await expect(coming).rejects.toThrow("enough");
    await turn();
    expect(signals.map(({ aborted, reason }) => [aborted, reason.message])).toEqual([1, 2, 3].map(() => [true, "enough"]));
  });

  test("does not retry an InputError, which ends everything", async () => {
    let attempts = 0;
    const mistaken: JudgeCall<string> = () => {
      attempts++;
      throw new InputError("judge: expected a judgement, got none");
    };
    await expect(callJudges([mistaken], settings)).rejects.toThrow("expected a judgement");
    expect(attempts).toBe(1);
  });
});

/** A model with the same answer to every question. */
const solver: Solver = {
  async *generateBatch(inputs: readonly unknown[]) {
    for (const [index] of inputs.entries()) yield { index, text: "</think><answer>5</answer>" } as never;
  },
};

describe("an evaluation with an asynchronous verifier", () => {
  const remote = (verify: (call: number) => boolean | Promise<boolean>, concurrency = 8) => {
    let calls = 0;
    const task = { ...tasks[2]!, levels: 1, verify: () => verify(calls++) };
    const judging = { backoffMs: 0, retries: 1, concurrency };
    return evaluateTasks(solver, { tasks: [task], perLevel: 10, judging }).next();
  };

  test("waits for the verdicts", async () => {
    const { value } = await remote(async (call) => call % 2 === 0);
    expect(value).toMatchObject({ accuracy: 0.5, formatted: 1, blind: 0.5, majority: 0.5 });
    expect(value).not.toHaveProperty("unjudged");
  });

  test("excludes and counts answers that were not judged", async () => {
    // One at a time, so that the first two answers take four calls, which fail.
    const { value } = await remote((call) => (call < 4 ? Promise.reject(new Error("503")) : true), 1);
    expect(value).toMatchObject({ accuracy: 1, unjudged: 2, instances: 10 });
  });

  test("is an error if no answer was judged, or if a verdict is invalid", async () => {
    await expect(remote(() => Promise.reject(new Error("503 busy")))).rejects.toThrow(
      facts("answerPuzzles: …10 answers…503 busy…verifier"),
    );
    await expect(remote(() => "yes" as never)).rejects.toThrow(facts("verify: …promise"));
  });
});
