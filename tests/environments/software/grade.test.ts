// Outcomes and rewards of answers.

import { describe, expect, test } from "vitest";
import { SandboxError } from "../../../src/base/errors.js";
import {
  formatTrace,
  gradeAnswer,
  parseTraces,
  playEpisode,
  reverify,
  softwareRepair,
  stagedRepair,
  validateInstances,
} from "../../../src/environments/index.js";
import { gradeScores } from "../../../src/environments/software/software-repair.js";
import { InputError } from "../../../src/index.js";
import { scriptedModel } from "../../support/scripted-model.js";
import { answerWith, files, goldPatch, instance } from "./small-project.js";

const mean = files["src/mean.js"]!;
const edit =
  "src/mean.js\n<<<<<<< SEARCH\n  return sum(numbers) / (numbers.length - 1);\n=======\n  return sum(numbers) / numbers.length;\n>>>>>>> REPLACE\n";
const breaking = answerWith({ "src/mean.js": mean.replace(" - 1", ""), "src/sum.js": files["src/sum.js"]!.replace("a + b", "a - b") });
const syntaxError = answerWith({ "src/sum.js": "export function sum( {\n" });

describe("gradeAnswer", () => {
  test.each([
    ["the reference solution", goldPatch, "resolved"],
    ["edits", edit, "resolved"],
    ["nothing", "", "unresolved"],
    ["an answer without effect", answerWith({ "src/other.js": "export const x = 1;\n" }), "unresolved"],
    ["a regression", breaking, "regression"],
    ["code that cannot be parsed", syntaxError, "not_compiled"],
    ["code that throws when it is loaded", answerWith({ "src/sum.js": "throw new Error('no');\n" }), "not_compiled"],
    ["a patch of other code", goldPatch.replace("- 1)", "- 2)"), "not_applied"],
    ["prose", "I would divide by the length.", "not_applied"],
  ])("%s", async (_, answer, outcome) => {
    const grade = await gradeAnswer(instance, answer);
    expect(grade).toMatchObject({ outcome, reward: outcome === "resolved" ? 1 : 0 });
    expect(grade.message === "").toBe(outcome === "resolved");
  });

  test("penalties", async () => {
    const penalties = { notApplied: -0.1, notCompiled: -0.2, regression: -0.5 };
    const rewards = await Promise.all(
      ["prose", syntaxError, breaking, "", goldPatch].map((answer) => gradeAnswer(instance, answer, { penalties })),
    );
    expect(rewards.map(({ reward }) => reward)).toEqual([-0.1, -0.2, -0.5, 0, 1]);
    await expect(gradeAnswer(instance, "", { penalties: { regression: 1 } })).rejects.toThrow(
      "penalties.regression: expected a number of at most 0",
    );
  });

  test("an instance without tests to pass is refused", async () => {
    await expect(gradeAnswer({ ...instance, FAIL_TO_PASS: [] }, "")).rejects.toThrow("FAIL_TO_PASS: expected at least one test");
    await expect(gradeAnswer({ ...instance, test_patch: "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n" }, "")).rejects.toThrow(InputError);
  });

  test("a cancelled run throws the signal's reason", async () => {
    await expect(gradeAnswer(instance, "", { signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow("stop");
  });
});

test("validateInstances finds tasks that do not test anything", async () => {
  const doingNothing = { ...instance, instance_id: "a", FAIL_TO_PASS: ["test/sum.test.js > sums"] };
  const wrongGold = { ...instance, instance_id: "b", patch: answerWith({ "src/x.js": "" }) };
  const failing = {
    ...instance,
    instance_id: "c",
    FAIL_TO_PASS: instance.FAIL_TO_PASS,
    PASS_TO_PASS: ["test/mean.test.js > no such test"],
  };
  const flaky = {
    ...instance,
    instance_id: "d",
    FAIL_TO_PASS: ["test/mean.test.js > a mean of zeros"],
    PASS_TO_PASS: ["test/mean.test.js > a mean"],
  };
  const { valid, invalid } = await validateInstances([instance, doingNothing, wrongGold, failing, flaky]);
  expect(valid).toEqual([instance]);
  expect(invalid.map(({ instance_id, reason }) => `${instance_id}: ${reason.split(":")[0]}`)).toEqual([
    "a: doing nothing passes test/sum.test.js > sums",
    "b: the reference solution is unresolved",
    "c: the reference solution is regression",
    "d: doing nothing passes test/mean.test.js > a mean of zeros",
  ]);
});

describe("softwareRepair", () => {
  const environment = softwareRepair();

  test("the prompt has the issue and the code, but neither tests nor the solution", async () => {
    const requests: { content?: unknown }[][] = [];
    const trace = await playEpisode(
      scriptedModel(() => edit, requests as never),
      environment,
      instance,
      { seed: 1 },
    );
    const prompt = String(requests[0]![0]!.content);
    expect(prompt).toContain(instance.problem_statement);
    expect(prompt).toContain(mean);
    expect(prompt).not.toContain("assert");
    expect(trace.rewards).toEqual({ resolved: { score: 1, weight: 1 } });
    expect(trace.metrics).toMatchObject({ applied: 1, fail_to_pass: 1, pass_to_pass: 1 });
    const [stored] = parseTraces(formatTrace(trace));
    expect((await reverify(environment, stored!)).rewards).toEqual(trace.rewards);
  });

  test("wrong and cut answers have reward 0", async () => {
    const wrong = await playEpisode(
      scriptedModel(() => "Nothing."),
      environment,
      instance,
      { seed: 1 },
    );
    expect(wrong.rewards).toEqual({ resolved: { score: 0, weight: 1 } });
    expect(wrong.metrics).toMatchObject({ applied: 0 });
    const cut = await playEpisode(
      scriptedModel(() => edit),
      environment,
      instance,
      { seed: 1, maxTokens: 5 },
    );
    expect(cut.stop_condition).toBe("max_tokens");
    expect(cut.rewards).toEqual({ resolved: { score: 0, weight: 1 } });
  });

  test("a sandbox that failed is an error of the episode, whose trace then has the reason", () => {
    const grade = { reward: null, outcome: "not_judged", failed: [], message: "no sandbox" } as const;
    expect(() => gradeScores(instance, grade)).toThrow(new SandboxError("no sandbox"));
  });

  test("options are checked", () => {
    expect(() => softwareRepair({ format: "json" } as never)).toThrow(InputError);
    expect(() => softwareRepair({ penalties: { notApplied: 1 } })).toThrow(InputError);
    expect(() => softwareRepair({ runtime: "docker" as never })).toThrow(InputError);
    expect(() => softwareRepair({ limits: { wallMs: -1 } })).toThrow(InputError);
  });
});

describe("stagedRepair", () => {
  const play = (answers: readonly string[], requests: (readonly { content?: unknown }[])[] = []) =>
    playEpisode(
      scriptedModel((_, turn) => answers[turn]!, requests as never),
      stagedRepair(),
      instance,
      { seed: 1 },
    );

  test("three answers lead to a change", async () => {
    const requests: (readonly { content?: unknown }[])[] = [];
    const trace = await play(["- src/mean.js\n- src/sum.js", "src/mean.js: mean", edit], requests);
    expect(requests.map((messages) => messages.length)).toEqual([1, 3, 5]);
    const last = String(requests[2]!.at(-1)!.content);
    expect(last).toContain("numbers.length - 1");
    expect(last).not.toContain("reduce");
    expect(trace.rewards).toEqual({ resolved: { score: 1, weight: 1 } });
    expect(trace.metrics).toMatchObject({ file_recall: 1, file_precision: 0.5, element_recall: 1, element_precision: 1 });
  });

  test("an answer without places ends the episode", async () => {
    const trace = await play(["I do not know"]);
    expect(trace.stop_condition).toBe("terminated");
    expect(trace.rewards).toEqual({ resolved: { score: 0, weight: 1 } });
    expect((await play(["src/sum.js", "src/sum.js: product"])).metrics).toMatchObject({ file_recall: 0, element_recall: 0, turns: 2 });
  });
});
