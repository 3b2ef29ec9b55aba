// The generated page about the SynLogic tasks.

import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("docs/tasks.md shows the tasks as they are (npm run gallery writes it)", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/task-gallery.mjs", "--check"], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
});
