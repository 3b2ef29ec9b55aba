// The package's own tasks and the folder that they are packed from.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parsePatch } from "diff";
import { expect, test } from "vitest";
import {
  applyRepairAnswer,
  createPatch,
  type FileMap,
  parseRepairAnswer,
  repairProjects,
  repairTasks,
} from "../../../src/environments/index.js";

const root = fileURLToPath(new URL("../../../repair-tasks", import.meta.url));

test("the reference solution of each task has reward 1, and doing nothing 0", { timeout: 300_000 }, async () => {
  const tasks = await repairTasks(); // throws otherwise
  expect(tasks.length).toBeGreaterThanOrEqual(24);
  expect(new Set(tasks.map(({ instance_id }) => instance_id)).size).toBe(tasks.length);
  expect(tasks.filter(({ patch }) => patch.includes("+++ b/src/") && patch.includes(".ts\n")).length).toBeGreaterThan(5);
  expect(tasks.filter(({ patch }) => parsePatch(patch).length > 1).length).toBeGreaterThan(10);
  for (const { FAIL_TO_PASS, PASS_TO_PASS } of tasks) {
    expect(FAIL_TO_PASS.length).toBeGreaterThan(1);
    expect(PASS_TO_PASS.length).toBeGreaterThan(3);
  }
});

test("the packed file is that of the folder (npm run repair-tasks)", async () => {
  const tasks = new Map((await repairTasks({ validate: false })).map((task) => [task.instance_id, task]));
  const projects = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of projects) {
    const read = (path: string) => readFileSync(join(root, name, path), "utf8");
    const paths = ["src", "test"].flatMap((folder) => readdirSync(join(root, name, folder)).map((file) => `${folder}/${file}`));
    const files: FileMap = Object.fromEntries(paths.map((path) => [path, read(path)]));
    for (const file of readdirSync(join(root, name, "tasks"))) {
      const task = tasks.get(`${name}__${file.replace(".md", "")}`)!;
      const [, statement, bug, hidden] = /^# (.*?)\n\n## Bug\n\n```text\n(.*?)```\n\n## Tests\n\n```js\n(.*?)```\n$/s.exec(
        read(`tasks/${file}`),
      )!;
      const snapshot = applyRepairAnswer(files, parseRepairAnswer(bug!));
      expect(task).toMatchObject({
        problem_statement: statement,
        files: snapshot,
        patch: createPatch(snapshot, files),
        test_patch: createPatch({}, { [`test/${file.replace(".md", ".test.js")}`]: hidden! }),
      });
      tasks.delete(task.instance_id);
    }
  }
  expect([...tasks.keys()]).toEqual([]);
});

test("projects have no bugs and all tests", async () => {
  const projects = await repairProjects();
  expect(projects.length).toBeGreaterThanOrEqual(6);
  for (const { name, files } of projects) {
    const tests = Object.keys(files).filter((path) => path.startsWith("test/"));
    expect(tests.length).toBe(readdirSync(join(root, name, "test")).length + readdirSync(join(root, name, "tasks")).length);
  }
});
