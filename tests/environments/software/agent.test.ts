// Agents with tools: the tools themselves, and scripted agents on all of the package's own tasks.

import { parsePatch } from "diff";
import { describe, expect, test } from "vitest";
import { playEpisode, repairTasks, type SoftwareInstance, softwareAgent } from "../../../src/environments/index.js";
import { call, scriptedModel } from "../../support/scripted-model.js";
import { files, instance } from "./small-project.js";

const environment = softwareAgent();

/** Plays an episode in which the agent makes the given calls, one a turn. Returns the results. */
async function play(row: SoftwareInstance, calls: readonly string[], options: { maxTurns?: number } = {}) {
  const results: string[] = [];
  const model = scriptedModel((messages, turn) => {
    if (turn > 0) results.push(String(messages.at(-1)!.content));
    return calls[turn] ?? "Done.";
  });
  const trace = await playEpisode(model, environment, row, { seed: 1, maxTokens: 100_000, ...options });
  return { trace, results, reward: trace.rewards.resolved?.score };
}

/** The calls that make the changes of a patch. */
function editsOf(patch: string): string[] {
  return parsePatch(patch).flatMap(({ newFileName, hunks }) =>
    hunks.map(({ lines }) => {
      const side = (sign: string) =>
        lines
          .filter((line) => line[0] === " " || line[0] === sign)
          .map((line) => `${line.slice(1)}\n`)
          .join("");
      return call("edit", { path: newFileName!.slice(2), search: side("-"), replace: side("+") });
    }),
  );
}

describe("tools", () => {
  test("reading and searching", async () => {
    const { results } = await play(instance, [
      call("list_files", {}),
      call("read_file", { path: "src/mean.js", first: 3, last: 4 }),
      call("read_file", { path: "src/mean.js", first: 99 }),
      call("search", { text: "sum(" }),
      call("search", { text: "sum(", path: "src/mean" }),
      call("run_tests", {}),
    ]);
    expect(results).toEqual([
      Object.keys(files).sort().join("\n"),
      "3: export function mean(numbers) {\n4:   return sum(numbers) / (numbers.length - 1);\n(5 lines in all)",
      "error: read_file: first: expected a line of 1 to 5, got 99",
      'src/sum.js:1: export function sum(numbers) {\nsrc/mean.js:4: return sum(numbers) / (numbers.length - 1);\ntest/sum.test.js:5: test("sums", () => assert.equal(sum([1, 2, 3]), 6));',
      "src/mean.js:4: return sum(numbers) / (numbers.length - 1);",
      "1 passed, 0 failed",
    ]);
  });

  test("a test of the agent's own shows the bug, and has no effect on the judgement", async () => {
    const own =
      'import assert from "node:assert/strict";\nimport test from "node:test";\nimport { mean } from "../src/mean.js";\ntest("own", () => assert.equal(mean([2, 4]), 3));\n';
    const { results, reward } = await play(instance, [
      call("edit", { path: "test/own.test.js", search: "", replace: own }),
      call("run_tests", {}),
      call("edit", { path: "src/mean.js", search: " - 1", replace: "" }),
      call("run_tests", {}),
      call("submit", {}),
    ]);
    expect(results[1]).toMatch(/^1 passed, 1 failed\ntest\/own.test.js > own: .*expected 3, got 6$/);
    expect(results[3]).toBe("2 passed, 0 failed");
    expect(reward).toBe(1);
  });

  test("wrong edits are answered by errors", async () => {
    const { results, trace } = await play(instance, [
      call("edit", { path: "src/mean.js", search: "numbers", replace: "x" }),
      call("edit", { path: "src/mean.js", search: "nothing", replace: "x" }),
      call("edit", { path: "src/mean.js", search: "", replace: "x" }),
      call("edit", { path: "../x.js", search: "", replace: "x" }),
      call("edit", { path: "src", search: "", replace: "x" }),
      call("edit", { path: "src/x.js", search: "a", replace: "x" }),
    ]);
    expect(
      results.map(
        (text) => /^error: .*?(several times|without it|empty one|inside the project|as a folder|use list_files)/.exec(text)?.[1],
      ),
    ).toEqual(["several times", "without it", "empty one", "inside the project", "as a folder", "use list_files"]);
    expect(trace.stop_condition).toBe("terminated");
  });

  test("code that cannot be loaded is reported", async () => {
    const { results } = await play(instance, [call("edit", { path: "src/sum.js", search: "{", replace: "" }), call("run_tests", {})]);
    expect(results[1]).toMatch(/^0 passed, 0 failed\ntest\/sum.test.js: not finished \(syntax\)/);
  });

  test("submit ends the episode, and a limit does not keep the files from being judged", async () => {
    const fix = call("edit", { path: "src/mean.js", search: " - 1", replace: "" });
    const submitted = await play(instance, [call("submit", {}), fix]);
    expect(submitted.trace.metrics.turns).toBe(1);
    expect(submitted.reward).toBe(0);
    const cut = await play(instance, [fix, call("list_files", {})], { maxTurns: 2 });
    expect(cut.trace.stop_condition).toBe("max_turns");
    expect(cut.reward).toBe(1);
  });
});

describe("the package's own tasks", async () => {
  const tasks = await repairTasks({ validate: false });

  test.each(tasks)("$instance_id is solved by an agent", async (row) => {
    const solved = await play(row, [call("list_files", {}), ...editsOf(row.patch), call("submit", {})]);
    expect(solved.results.slice(1).every((result) => result === "done")).toBe(true);
    expect(solved.reward).toBe(1);
    expect((await play(row, [])).reward).toBe(0);
    expect((await play(row, [call("edit", { path: "src/index.js", search: "", replace: "// fixed\n" }), call("submit", {})])).reward).toBe(
      0,
    );
  });

  test("the visible tests pass in the snapshot", async () => {
    const { results } = await play(tasks[0]!, [call("run_tests", {})]);
    expect(results).toEqual([expect.stringMatching(/^\d+ passed, 0 failed$/)]);
  });
});
