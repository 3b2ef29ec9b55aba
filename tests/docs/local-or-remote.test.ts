// The example as a process, against the model in the box and against a server process with the same model. `npm test` builds both first.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const cli = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url));
const example = fileURLToPath(new URL("../../examples/local-or-remote.mjs", import.meta.url));

async function printed(...args: string[]): Promise<Buffer> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [example, ...args], { encoding: "buffer" });
  expect(stderr.toString()).toBe("");
  return stdout;
}

test("local-or-remote.mjs prints the same here and from a server, byte for byte", async () => {
  const server = spawn(process.execPath, [cli, "serve", "--port", "0", "--json"], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void server.kill("SIGKILL"));
  const [line] = await once(createInterface(server.stdout), "line");
  const { url } = JSON.parse(line) as { url: string };
  const answered = async () => /first_token_seconds_count (\d+)/.exec(await (await fetch(new URL("/metrics", url))).text())?.[1];

  const here = await printed();
  const answers = here.toString().match(/<think>\n[^<]+<\/think>\n<answer>.+<\/answer>/g);
  expect(answers).toHaveLength(3);
  expect(await answered()).toBe("0");
  expect((await printed(url)).equals(here)).toBe(true);
  expect(await answered()).toBe("3");
}, 60_000);
