// The example of tool use in its short form: it runs, and resumes after kills.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lightning-m1-tools-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the example, and kills it as soon as it has printed `killAfter`. Returns the output. */
async function example(name: string, killAfter?: string): Promise<string> {
  const child = spawn(process.execPath, ["examples/tool-use.mjs", "--quick", "--threads", "1", "--out", join(folder, name)], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
    if (killAfter && printed.includes(killAfter)) child.kill("SIGKILL");
  });
  const [code, signal] = await once(child, "close");
  expect([code, signal]).toEqual(killAfter ? [null, "SIGKILL"] : [0, null]);
  return printed;
}

const bytes = (name: string, path: string) => readFileSync(join(folder, name, path));

test("examples/tool-use.mjs resumes after kills, with the results of an uninterrupted run", async () => {
  const whole = await example("whole");
  for (const row of ["before", "after demonstrations", "after CISPO", "tools answer an error"]) expect(whole).toContain(`\n${row} `);
  expect(await example("cut", "demonstrations: step 1")).not.toContain("cispo");
  await example("cut", "cispo: batch 1");
  expect(await example("cut")).not.toContain("demonstrations: step");
  expect(bytes("cut", "model/model.safetensors").equals(bytes("whole", "model/model.safetensors"))).toBe(true);
  expect(bytes("cut", "results.json").equals(bytes("whole", "results.json"))).toBe(true);
}, 300_000);
