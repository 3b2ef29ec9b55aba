import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import { saveCheckpoint } from "../../src/checkpoint/save.js";
import { JOURNAL_FILE, temporaryName } from "../../src/node/save-journal.js";
import { type Files, json, type RawTensor, rawTensors, SMALL, sharded, singleFile } from "../support/checkpoints.js";

/** Calls that change a directory, in order; the one of number `end` does not come back, and none comes after it. */
const disk = vi.hoisted(() => ({
  calls: [] as string[],
  end: Number.POSITIVE_INFINITY,
  before: false,
  ended: () => {},
  /** Called before a file is opened for reading. */
  onOpen: undefined as (() => Promise<void>) | undefined,
  handles: [] as FileHandle[],
}));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const counted = (name: "rename" | "link" | "rm" | "unlink" | "open") => {
    return async (...args: unknown[]) => {
      const call = real[name] as (...args: unknown[]) => Promise<unknown>;
      if (name === "open" && args[1] !== "wx") {
        if (typeof args[1] === "number") await disk.onOpen?.();
        return call(...args);
      }
      disk.calls.push(name);
      const run = async () => {
        const result = await call(...args);
        if (name === "open") disk.handles.push(result as FileHandle);
        return result;
      };
      if (disk.calls.length < disk.end) return run();
      if (disk.calls.length === disk.end && !disk.before) await run();
      disk.ended();
      return new Promise(() => {});
    };
  };
  const { rename, link, rm, unlink, open } = Object.fromEntries(
    (["rename", "link", "rm", "unlink", "open"] as const).map((name) => [name, counted(name)]),
  );
  return { ...real, rename, link, rm, unlink, open };
});

let directory: string;
const pid = process.pid;
/** The number of a process that has ended. */
const dead = spawnSync(process.execPath, ["-e", ""]).pid;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lightning-m1-"));
  Object.assign(disk, { calls: [], end: Number.POSITIVE_INFINITY });
});

afterEach(() => {
  Object.defineProperty(process, "pid", { value: pid });
  rmSync(directory, { recursive: true, force: true });
});

const put = (files: Files) => {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes);
};

/** Checkpoints of the same shapes that differ in weights, configuration and text files. */
const withTexts = (make: (config: Record<string, unknown>, tensors: RawTensor[]) => Files) => (seed: number) => {
  const config = { ...SMALL, rope_theta: 1000 * seed };
  return make(config, rawTensors(config, seed)).set("generation_config.json", json({ temperature: seed }));
};
const oneFile = withTexts(singleFile);
const twoFiles = withTexts((config, tensors) => sharded(config, 2, tensors));
const threeFiles = withTexts((config, tensors) => sharded(config, 3, tensors));

/** Saves as a process that ends at the given call. @returns whether it got so far */
async function saveUntil(files: Files, end: number, before: boolean): Promise<boolean> {
  const checkpoint = await loadCheckpoint(files);
  Object.assign(disk, { calls: [], end, before });
  Object.defineProperty(process, "pid", { value: dead });
  const ended = new Promise<true>((resolve) => {
    disk.ended = () => resolve(true);
  });
  const reached = await Promise.race([ended, saveCheckpoint(checkpoint, directory).then(() => false)]);
  Object.defineProperty(process, "pid", { value: pid });
  Object.assign(disk, { end: Number.POSITIVE_INFINITY });
  for (const handle of disk.handles.splice(0)) await handle.close().catch(() => {});
  checkpoint.rt.dispose();
  return reached;
}

async function loaded(): Promise<Files> {
  const checkpoint = await loadCheckpoint(directory);
  const files = await saveCheckpoint(checkpoint);
  checkpoint.rt.dispose();
  return files;
}

const isSame = (a: Files, b: Files) =>
  [...a.keys()].sort().join() === [...b.keys()].sort().join() && [...a].every(([name, bytes]) => Buffer.compare(bytes, b.get(name)!) === 0);

/** What another reader makes of the directory: the index or the single file, and what they name, with the configuration beside them. */
function readElsewhere(): Files | undefined {
  const names = readdirSync(directory);
  const index = "model.safetensors.index.json";
  const read = (name: string) => [name, new Uint8Array(readFileSync(join(directory, name)))] as const;
  if (!names.includes(index))
    return names.includes("model.safetensors")
      ? new Map(["config.json", "model.safetensors", "generation_config.json"].map(read))
      : undefined;
  const shards = [...new Set(Object.values<string>(JSON.parse(readFileSync(join(directory, index), "utf8")).weight_map))];
  return new Map(["config.json", index, "generation_config.json", ...shards].map(read));
}

describe.each([
  ["several files over as many", threeFiles, threeFiles],
  ["several files over more", threeFiles, twoFiles],
  ["one file over one", oneFile, oneFile],
  ["several files over one", oneFile, twoFiles],
  ["one file over several", threeFiles, oneFile],
] as const)("%s: a process that ends at any moment leaves the old checkpoint or the new one", (_, makeOld, makeNew) => {
  test.each([true, false])("before the call: %s", async (before) => {
    const [old, fresh] = [makeOld(1), makeNew(2)];
    const outcomes: string[] = [];
    for (let end = 1; ; end++) {
      put(old);
      if (!(await saveUntil(fresh, end, before))) break;
      const elsewhere = readElsewhere();
      if (elsewhere) expect(isSame(elsewhere, old) || isSame(elsewhere, fresh), `call ${end}, another reader`).toBe(true);
      const found = await loaded();
      outcomes.push(isSame(found, old) ? "old" : isSame(found, fresh) ? "new" : "neither");
      // Whatever was left, the next save starts afresh.
      const next = await loadCheckpoint(makeNew(3));
      await saveCheckpoint(next, directory);
      next.rt.dispose();
      expect(readdirSync(directory).sort()).toEqual([...makeNew(3).keys()].sort());
      expect(isSame(await loaded(), makeNew(3))).toBe(true);
    }
    expect(new Set(outcomes)).toEqual(new Set(["old", "new"]));
    expect(outcomes).toEqual([...outcomes].sort().reverse());
    expect(outcomes.length).toBeGreaterThan(2 * fresh.size);
  });
});

describe("files of other saves", () => {
  const stay = async (names: readonly string[]) => {
    const checkpoint = await loadCheckpoint(singleFile());
    await saveCheckpoint(checkpoint, directory);
    checkpoint.rt.dispose();
    return names.filter((name) => readdirSync(directory).includes(name));
  };

  test("temporary files of a process that has ended are removed, those of one that runs stay", async () => {
    Object.defineProperty(process, "pid", { value: dead });
    const left = temporaryName("model.safetensors");
    Object.defineProperty(process, "pid", { value: pid });
    const own = temporaryName("model.safetensors");
    const strange = [".notes.tmp", ".mine.0bd43a4b-16e4-4e9b-8b32-7d5c5f6dd0a5.tmp", "model.tmp"];
    const old = ".config.json.0bd43a4b-16e4-4e9b-8b32-7d5c5f6dd0a5.tmp";
    const elsewhere = temporaryName("config.json").replace(/json\.[0-9a-f]{8}/, "json.00000000");
    const long = elsewhere.replace("config", "tokenizer");
    const all = [left, own, ...strange, old, elsewhere, long];
    for (const name of all) writeFileSync(join(directory, name), "");
    for (const name of [old, long, own, ...strange]) utimesSync(join(directory, name), 1, 1);
    expect(await stay(all)).toEqual([own, ...strange, elsewhere]);
  });

  test("two saves at the same moment: one after the other", async () => {
    const checkpoints = await Promise.all([threeFiles(1), twoFiles(2), oneFile(3)].map((files) => loadCheckpoint(files)));
    await Promise.all(checkpoints.map((checkpoint) => saveCheckpoint(checkpoint, directory)));
    const found = await loaded();
    expect([threeFiles(1), twoFiles(2), oneFile(3)].filter((files) => isSame(files, found))).toHaveLength(1);
    expect(readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([]);
    for (const { rt } of checkpoints) rt.dispose();
  });

  test("loading waits for a save that is giving its files their names", async () => {
    put(oneFile(1));
    const journal = join(directory, JOURNAL_FILE);
    writeFileSync(journal, JSON.stringify({ owner: temporaryName("x").split(".").slice(2, 5).join("."), files: {}, removed: [] }));
    const loading = loaded();
    put(twoFiles(2));
    expect(isSame(await loading, twoFiles(2))).toBe(true);
  });

  test("a journal of a process that cannot be asked counts as left behind after a minute", async () => {
    put(oneFile(1));
    const journal = join(directory, JOURNAL_FILE);
    writeFileSync(journal, JSON.stringify({ owner: "00000000.1.1", files: {}, removed: [] }));
    utimesSync(journal, Date.now() / 1000 - 70, Date.now() / 1000 - 70);
    expect(isSame(await loaded(), oneFile(1))).toBe(true);
    expect(readdirSync(directory)).not.toContain(JOURNAL_FILE);
  });

  test.each([
    ["", "other text"],
    ["{}", "another object"],
    [JSON.stringify({ owner: "00000000.1.1", files: {}, removed: ["../config.json"] }), "a file above"],
    [JSON.stringify({ owner: "00000000.1.1", files: {}, removed: ["config.json"] }), "a file that is no weights"],
    [JSON.stringify({ owner: "00000000.1.1", files: { "../a": "config.json" }, removed: [] }), "another directory's file"],
    [JSON.stringify({ owner: "00000000.1.1", files: { "config.json": "../b" }, removed: [] }), "a name elsewhere"],
    [JSON.stringify({ owner: 1, files: [], removed: null }), "other types"],
  ])("a journal that no save wrote changes nothing: %s", async (text) => {
    put(oneFile(1));
    writeFileSync(join(directory, JOURNAL_FILE), text);
    utimesSync(join(directory, JOURNAL_FILE), 1, 1);
    const before = readdirSync(directory);
    await expect(loadCheckpoint(directory)).rejects.toThrow(CheckpointError);
    await expect(loadCheckpoint(directory)).rejects.toThrow(/cannot be finished: .*save.*remove/);
    expect(readdirSync(directory)).toEqual(before);
  });

  test.each([
    ["several files over as many", threeFiles, threeFiles],
    ["one file over one", oneFile, oneFile],
    ["several files over one", oneFile, twoFiles],
    ["one file over several", threeFiles, oneFile],
  ] as const)("%s while another process reads them: the old ones, the new ones or an error", async (_, makeOld, makeNew) => {
    const outcomes = new Set<string>();
    const next = await loadCheckpoint(makeNew(2));
    for (let at = 0; ; at++) {
      put(makeOld(1));
      let calls = 0;
      disk.onOpen = async () => {
        if (calls++ !== at) return;
        disk.onOpen = undefined;
        await saveCheckpoint(next, directory);
      };
      const outcome = await loaded().then(
        (files) => (isSame(files, makeOld(1)) ? "old" : isSame(files, makeNew(2)) ? "new" : "neither"),
        (error) => (error instanceof CheckpointError ? "refused" : error),
      );
      disk.onOpen = undefined;
      outcomes.add(outcome);
      if (calls <= at) break;
    }
    next.rt.dispose();
    expect([...outcomes].sort()).toEqual(["old", "refused"]);
  });
});
