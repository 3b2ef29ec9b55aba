// What an installation brings, and what the command does without the optional packages that draw.

import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { installPackage, manifest, root } from "../support/installed.js";

const { folder, installed, remove } = installPackage();
afterAll(remove);

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
const locked: Readonly<Record<string, Locked>> = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;

/** Folders of all packages that come with this one, by the lock file: its dependencies and theirs, as Node resolves them. */
function dependencies(): Set<string> {
  const found = new Set<string>();
  function add(names: Readonly<Record<string, string>> | undefined, from: string): void {
    for (const name of Object.keys(names ?? {})) {
      let at = from;
      while (at && !(`${at}/node_modules/${name}` in locked)) at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")));
      const path = at ? `${at}/node_modules/${name}` : `node_modules/${name}`;
      if (found.has(path)) continue;
      found.add(path);
      add(locked[path]!.dependencies, path);
      add(locked[path]!.optionalDependencies, path);
    }
  }
  add(manifest.dependencies, "");
  return found;
}

/** Bytes that a folder takes on a disk with blocks of 4 KiB, as `du` counts them. */
function diskBytes(path: string): number {
  const info = lstatSync(path);
  const own = Math.ceil(info.size / 4096) * 4096;
  return info.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + diskBytes(join(path, name)), own) : own;
}

test("an installation brings at most 30 packages and 15 MB", () => {
  const others = dependencies();
  expect(others.size).toBeGreaterThan(5);
  expect(others.size + 1).toBeLessThanOrEqual(30);
  const bytes = [...others].reduce((sum, path) => sum + diskBytes(join(root, path)), diskBytes(installed));
  expect(bytes).toBeGreaterThan(8e6);
  expect(bytes).toBeLessThanOrEqual(15e6);
});

test("every package that the code imports is a dependency or an optional one", () => {
  const names = new Set(
    readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" })
      .filter((file) => /^(node|browser)\/.*\.js$/.test(file))
      .flatMap((file) => [
        ...readFileSync(join(installed, "dist", file), "utf8").matchAll(
          /(?:^|;|\})(?:import|export)\b(?:[^;"'()]*?\bfrom)?["']([^"']+)["']/gm,
        ),
      ])
      .map(([, specifier]) => /^(@[^/]+\/)?[^/]+/.exec(specifier!)![0])
      .filter((name) => !name.startsWith(".") && !process.getBuiltinModule(name)),
  );
  expect(names.size).toBeGreaterThan(2);
  const known = { ...manifest.dependencies, ...manifest.peerDependencies, "lightning-m1": "" };
  expect([...names].filter((name) => !(name in known))).toEqual([]);
});

test("licences of the packages that are bundled lie beside the code", () => {
  for (const [platform, names] of Object.entries({
    node: ["@hono/node-server", "@huggingface/hub", "hono", "valibot", "yaml"],
    browser: ["hono", "valibot", "yaml"],
  })) {
    const licences = readFileSync(join(installed, `dist/${platform}/LICENSES.txt`), "utf8");
    for (const name of names) expect(licences, `${platform}: ${name}`).toMatch(new RegExp(`^${name}\\n\\n`, "m"));
  }
});

const cli = (...args: string[]) =>
  spawnSync(process.execPath, [join(installed, "dist/node/cli.js"), ...args], { cwd: folder, encoding: "utf8" });

describe("without the packages that draw", () => {
  test.each([
    ["svg", "npm i @observablehq/plot linkedom"],
    ["png", "npm i @observablehq/plot linkedom @resvg/resvg-wasm dejavu-fonts-ttf"],
  ])("analyze --figure x.%s names the line that installs them", (format, line) => {
    const { status, stderr } = cli("analyze", "--figure", `x.${format}`);
    expect(stderr).toMatch(/^error: --figure: .*optional packages/);
    expect(stderr.trimEnd().endsWith(line)).toBe(true);
    expect(status).toBe(1);
    expect(existsSync(join(folder, `x.${format}`))).toBe(false);
  });

  test("the numbers of a figure need none of them", () => {
    expect(cli("analyze", "--figure", "x.json")).toMatchObject({ status: 0 });
    expect(JSON.parse(readFileSync(join(folder, "x.json"), "utf8")).points.length).toBeGreaterThan(10);
  });

  test("reinforcement learning goes on without its curves, and says so once", () => {
    const plan = {
      tasks: [{ name: "arithmetic-chain", levels: [2] }],
      ...{ objective: { name: "cispo" }, trainer: { lr: 1e-4 }, rewards: { correct: 1 } },
      run: { batches: 2, groups: 1, groupSize: 2, minibatches: 1, maxTokens: 24, rounds: 0 },
      save: { every: 1 },
    };
    writeFileSync(join(folder, "plan.json"), JSON.stringify(plan));
    const { status, stderr } = cli("rl", "run", "plan.json", "--threads", "1", "--json");
    expect(stderr.match(/curves\.svg.*npm i @observablehq\/plot linkedom$/gm)).toHaveLength(1);
    expect(status).toBe(0);
    const files = readdirSync(join(folder, "plan-run"));
    expect(files).toEqual(expect.arrayContaining(["metrics.jsonl", "state.safetensors", "model"]));
    expect(files).not.toContain("curves.svg");
  }, 60_000);
});
