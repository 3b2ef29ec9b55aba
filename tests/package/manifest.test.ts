import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { missingPackages } from "../support/lock-file.js";

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");
const manifest = JSON.parse(read("package.json"));

test("versions of development are pinned exactly; those of users are ranges", () => {
  const { dependencies, devDependencies, peerDependencies } = manifest;
  const versions = (entries: Record<string, string>, form: RegExp) => Object.entries(entries).filter(([, version]) => !form.test(version));
  expect(versions(devDependencies, /^(npm:[\w@/-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/)).toEqual([]);
  expect(versions({ ...dependencies, ...peerDependencies }, /^(\^\d+\.\d+\.\d+|>=\d+)$/)).toEqual([]);
});

/** Optional packages are installed by who needs them: `npm i lightning-m1` alone brings none. */
test("peer dependencies are optional, and installed for development", () => {
  const names = Object.keys(manifest.peerDependencies);
  for (const name of names) expect(manifest.peerDependenciesMeta[name], name).toEqual({ optional: true });
  expect(Object.keys(manifest.devDependencies)).toEqual(expect.arrayContaining(names));
});

test("the lock file names no address, and every platform's packages", () => {
  const lock = read("package-lock.json");
  expect(lock).not.toMatch(/https?:\/\/[^"]*\.tgz/);
  // A workspace is resolved to its folder.
  expect(lock.match(/"resolved": .*/g)).toEqual(manifest.workspaces.map((folder: string) => `"resolved": "${folder}",`));
  expect(missingPackages(JSON.parse(lock))).toEqual([]);
});

test("the versions of llama.cpp's package are exact, and its lock file names no address, and every platform's packages", () => {
  const { dependencies } = JSON.parse(read("tests/gguf/package.json"));
  for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  const lock = read("tests/gguf/package-lock.json");
  expect(lock).not.toMatch(/"resolved"|https?:\/\/[^"]*\.tgz/);
  expect(missingPackages(JSON.parse(lock))).toEqual([]);
});
