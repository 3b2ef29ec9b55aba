import { truncateSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import type { Progress } from "../../src/checkpoint/load-options.js";
import { saveCheckpoint } from "../../src/checkpoint/save.js";
import { DirectoryDestination } from "../../src/node/directory-destination.js";
import { DirectorySource } from "../../src/node/directory-source.js";
import { expectSaved, type Files, rawTensors, SMALL, sharded, singleFile, storedAs } from "../support/checkpoints.js";
import { facts } from "../support/facts.js";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lightning-m1-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function put(files: Files, to = directory): Promise<string> {
  await mkdir(to, { recursive: true });
  for (const [name, bytes] of files) await writeFile(join(to, name), bytes);
  return to;
}

async function expectFiles(path: string, files: Files): Promise<void> {
  expect((await readdir(path)).sort()).toEqual([...files.keys()].sort());
  for (const [name, bytes] of files) expect(Buffer.compare(await readFile(join(path, name)), bytes), name).toBe(0);
}

describe("paths", () => {
  test("a directory, absolute or relative, a file: URL, one file with its configuration beside it, a link", async () => {
    for (const files of [singleFile(), sharded()]) {
      const path = await put(files, join(directory, `model ${files.size}`));
      await symlink(path, `${path} link`);
      const file = files.has("model.safetensors") ? [join(path, "model.safetensors"), pathToFileURL(join(path, "model.safetensors"))] : [];
      for (const source of [
        path,
        `${path}/`,
        relative(process.cwd(), path),
        pathToFileURL(path),
        pathToFileURL(path).href,
        `${path} link`,
        ...file,
      ]) {
        const checkpoint = await loadCheckpoint(source);
        await expectSaved(checkpoint, files);
        checkpoint.rt.dispose();
      }
    }
  });

  test("one file is that file, even beside an index", async () => {
    await put(sharded());
    await writeFile(join(directory, "all.safetensors"), singleFile().get("model.safetensors")!);
    const checkpoint = await loadCheckpoint(join(directory, "all.safetensors"));
    await expectSaved(checkpoint, singleFile());
    checkpoint.rt.dispose();
    await expect(loadCheckpoint(join(directory, "model-00001-of-00003.safetensors"))).rejects.toThrow(/missing/);
  });

  test("an existing path comes before a hub id", async () => {
    const path = relative(process.cwd(), await put(singleFile(), join(directory, "org")));
    expect(await loadCheckpoint(path).then(({ rt }) => rt.dispose())).toBeUndefined();
  });

  test("nothing there, other files, directories in place of files", async () => {
    for (const path of ["", "./nowhere", "/no/such/path", "a/b/c", "~/models", "plain"]) {
      await expect(loadCheckpoint(path)).rejects.toThrow(/path.*URL.*hub id/);
    }
    await expect(loadCheckpoint("tiny-m1")).rejects.toThrow(/"tiny-m1": no such path .* the preset of this name .* without weights/);
    await expect(loadCheckpoint(new URL("file:///no/such/path"))).rejects.toThrow(CheckpointError);
    await expect(loadCheckpoint("file://host/share")).rejects.toThrow(CheckpointError);
    await expect(loadCheckpoint("a\0b")).rejects.toThrow(CheckpointError);
    await put(singleFile());
    await expect(loadCheckpoint(join(directory, "config.json"))).rejects.toThrow(/directory.*\.safetensors/);
    await expect(loadCheckpoint("/dev/null")).rejects.toThrow(/expected a directory/);
    await rm(join(directory, "config.json"));
    await expect(loadCheckpoint(directory)).rejects.toThrow(/config\.json: missing/);
    await mkdir(join(directory, "config.json"));
    await expect(loadCheckpoint(directory)).rejects.toThrow(/config\.json:.*file/);
  });

  test("a file that shrinks while it is read", async () => {
    await put(singleFile());
    const path = join(directory, "model.safetensors");
    const shrink = ({ phase }: Progress) => phase === "load" && truncateSync(path, 100);
    await expect(loadCheckpoint(directory, { onProgress: shrink })).rejects.toThrow(/model\.safetensors: cannot be read: .*ended at byte/);
  });

  test("no handle stays open", async () => {
    await put(sharded());
    const source = new DirectorySource(directory);
    await source.read("config.json", 0, 10);
    await source.close();
    await source.close();
    const before = (await readdir("/proc/self/fd").catch(() => [])).length;
    for (let i = 0; i < 5; i++) {
      (await loadCheckpoint(directory)).rt.dispose();
      await expect(loadCheckpoint(directory, { config: { ...SMALL, vocab_size: 5 } })).rejects.toThrow();
    }
    expect((await readdir("/proc/self/fd").catch(() => [])).length).toBeLessThanOrEqual(before);
  });
});

describe("saving into a directory", () => {
  test("files are those that were loaded, into a new directory and into the one loaded from", async () => {
    for (const [i, files] of [singleFile(), sharded(), singleFile(storedAs("bfloat16"))].entries()) {
      const from = await put(files, join(directory, `from ${i}`));
      const checkpoint = await loadCheckpoint(from);
      const to = join(directory, `deep ${i}`, "to");
      await saveCheckpoint(checkpoint, to);
      await expectFiles(to, files);
      await saveCheckpoint(checkpoint, from);
      await expectFiles(from, files);
      checkpoint.rt.dispose();
    }
  });

  test("weights of an earlier checkpoint do not stay beside the new ones", async () => {
    const checkpoint = await loadCheckpoint(singleFile());
    await put(sharded());
    await writeFile(join(directory, "notes.txt"), "mine");
    await writeFile(join(directory, "adapter.safetensors"), "mine");
    await saveCheckpoint(checkpoint, directory);
    expect((await readdir(directory)).sort()).toEqual(["adapter.safetensors", "config.json", "model.safetensors", "notes.txt"]);
    await saveCheckpoint(checkpoint, directory, { maxShardBytes: 3000 });
    expect(await readdir(directory)).not.toContain("model.safetensors");
    (await loadCheckpoint(directory)).rt.dispose();
    checkpoint.rt.dispose();
  });

  test("until the end nothing has its final name; a save that ends early leaves everything as it was", async () => {
    const old = await put(singleFile(SMALL, rawTensors(SMALL, 2)));
    const checkpoint = await loadCheckpoint(sharded());
    const controller = new AbortController();
    const readRows = checkpoint.weights.readRows.bind(checkpoint.weights);
    let parts = 0;
    checkpoint.weights.readRows = (...range) => {
      if (++parts === 20) controller.abort("enough");
      return readRows(...range);
    };
    await expect(saveCheckpoint(checkpoint, directory, { signal: controller.signal })).rejects.toBe("enough");
    await expectFiles(old, singleFile(SMALL, rawTensors(SMALL, 2)));
    checkpoint.rt.dispose();
  });

  test("a killed save leaves complete files only", async () => {
    const target = new DirectoryDestination(directory);
    await target.create("model.safetensors");
    await target.write(new Uint8Array(100));
    const names = await readdir(directory);
    expect(names).toHaveLength(1);
    expect(names[0]).toMatch(/^\.model\.safetensors\..*\.tmp$/);
    await target.discard();
    expect(await readdir(directory)).toEqual([]);
  });

  test("a place that cannot be written to", async () => {
    const checkpoint = await loadCheckpoint(singleFile());
    await writeFile(join(directory, "file"), "x");
    await expect(saveCheckpoint(checkpoint, join(directory, "file"))).rejects.toThrow(/cannot be written/);
    await expect(saveCheckpoint(checkpoint, join(directory, "file", "below"))).rejects.toThrow(CheckpointError);
    checkpoint.rt.dispose();
  });

  test("a directory in place of a file: refused, and everything stays as it was", async () => {
    const checkpoint = await loadCheckpoint(sharded());
    for (const name of ["config.json", "model-00002-of-00003.safetensors", "model.safetensors"]) {
      const to = join(directory, `with ${name}`);
      const old = new Map([["notes.txt", new TextEncoder().encode("mine")]]);
      await put(old, to);
      await mkdir(join(to, name));
      const saving = saveCheckpoint(checkpoint, to);
      await expect(saving).rejects.toThrow(CheckpointError);
      await expect(saving).rejects.toThrow(facts(`file…${name}, got a directory`));
      expect((await readdir(to)).sort()).toEqual([name, "notes.txt"].sort());
    }
    checkpoint.rt.dispose();
  });
});
