import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { CheckpointError, LightningError } from "../../src/base/errors.js";
import { MiniMaxM1 } from "../../src/minimax-m1.js";
import { collectGarbage, type Files, withServer } from "../support/checkpoints.js";
import { type Behaviour, startFileServer } from "../support/file-server.js";
import { greedyIds, leastBudget, load, loadStreamed, put, streamedFiles } from "../support/streaming.js";

const prompt = [1, 2, 3, 4, 5];
const files = streamedFiles();
/** The second file: a layer's matrices, none of the vocabulary's. */
const SHARD = "model-00002-of-00003.safetensors";

let directory: string;
let least: number;
beforeEach(async () => {
  directory = put(files);
  least = await leastBudget(directory);
});

/** A pass fails with an error that names the file, and the remedy; nothing is left behind, and the next pass fails alike. */
function expectFailing(model: MiniMaxM1, reason: RegExp, where = `${directory}/${SHARD}`): void {
  const used = new Set<number>();
  for (let i = 0; i < 3; i++) {
    let error: unknown;
    try {
      model.forward([prompt]);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toMatch(reason);
    expect((error as Error).message.startsWith(`${where}: cannot be read: `), (error as Error).message).toBe(true);
    expect((error as Error).message).toMatch(/load the model again/);
    used.add(model.memory.usedBytes);
  }
  // What is read ahead may differ between the first two.
  expect(used.size).toBeLessThanOrEqual(2);
}

/** Another model loads and computes. */
async function expectAlive(): Promise<void> {
  const model = await loadStreamed(put(files));
  expect(model.forward([prompt])).toEqual((await load(files)).forward([prompt]));
}

describe("a file of weights that changes after loading", () => {
  const original = files.get(SHARD)!;
  const changed = original.slice().map((byte, i) => (i > original.length / 2 ? byte ^ 1 : byte));

  test.each<[string, (file: string) => void, RegExp]>([
    ["truncated", (file) => truncateSync(file, 2000), /ended at byte \d+/],
    ["emptied", (file) => truncateSync(file, 0), /ended at byte/],
    ["deleted", (file) => rmSync(file), /ENOENT/],
    [
      "replaced by another file",
      (file) => {
        writeFileSync(`${file}.new`, original);
        renameSync(`${file}.new`, file);
      },
      /changed/,
    ],
    ["written anew with as many bytes", (file) => writeFileSync(file, changed), /changed/],
    ["touched", (file) => utimesSync(file, new Date(), new Date(0)), /changed/],
    [
      "replaced by a directory",
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
      /EISDIR/,
    ],
    [
      "replaced by a link to itself",
      (file) => {
        renameSync(file, `${file}.old`);
        symlinkSync(file, file);
      },
      /ELOOP/,
    ],
  ])("%s, before it is opened", async (_, change, reason) => {
    const model = await loadStreamed(directory);
    change(join(directory, SHARD));
    expectFailing(model, reason);
    await expectAlive();
  });

  test.each<[string, (file: string) => void, RegExp]>([
    ["truncated", (file) => truncateSync(file, 2000), /ended at byte|has changed/],
    ["written anew with as many bytes", (file) => writeFileSync(file, changed), /changed/],
  ])("%s, while it is open", async (_, change, reason) => {
    const model = await loadStreamed(directory, { budgetBytes: least });
    model.forward([prompt]);
    change(join(directory, SHARD));
    expectFailing(model, reason);
    await expectAlive();
  });

  test("deleted or replaced while it is open, it is still what was loaded", async () => {
    const model = await loadStreamed(directory, { budgetBytes: least });
    const expected = model.forward([prompt]);
    writeFileSync(join(directory, "new"), changed);
    renameSync(join(directory, "new"), join(directory, SHARD));
    expect(model.forward([prompt])).toEqual(expected);
    rmSync(join(directory, SHARD));
    expect(model.forward([prompt])).toEqual(expected);
  });

  test("a file that comes back is read on", async () => {
    const model = await loadStreamed(directory);
    renameSync(join(directory, SHARD), join(directory, "elsewhere"));
    expectFailing(model, /ENOENT/);
    renameSync(join(directory, "elsewhere"), join(directory, SHARD));
    expect(model.forward([prompt])).toEqual((await load(files)).forward([prompt]));
  });

  test.skipIf(process.getuid?.() === 0)("not readable (everything is for root)", async () => {
    const model = await loadStreamed(directory);
    chmodSync(join(directory, SHARD), 0);
    expectFailing(model, /EACCES/);
  });

  test("what a failed pass leaves: a cache that says so, a session that was saved, a generation that has ended", async () => {
    const model = await loadStreamed(directory, { budgetBytes: least });
    const generation = model.generate(prompt, { maxTokens: 50 });
    await generation.next();
    const cache = model.newCache();
    model.forward([prompt], { cache: [cache] });
    const session = model.session();
    await session.append(prompt);
    truncateSync(join(directory, SHARD), 3000);
    await expect(generation.next()).rejects.toThrow(CheckpointError);
    expect(await generation.next()).toEqual({ done: true, value: undefined });
    expect(() => model.forward([[1]], { cache: [cache] })).toThrow(CheckpointError);
    expect(() => model.forward([[1]], { cache: [cache] })).toThrow(/invalid.*pass failed/);
    await expect(session.append([1])).rejects.toThrow(CheckpointError);
  });
});

describe("a server that fails after loading", () => {
  const reasons: Record<Exclude<Behaviour, "sound">, RegExp> = {
    "404": /HTTP status 404.*address/,
    "500": /HTTP status 500.*5 times.*connection/,
    whole: /server.*Range requests.*download/,
    short: /server.*\d+ of \d+ bytes.*5 times.*connection/,
    long: /server.*more.*\d+ bytes.*HTTP.*download/i,
    shifted: /bytes \d+-\d+.*bytes \d+-\d+\/\d+.*HTTP/,
    changed: /changed.*load/,
    silent: /0\.2 s.*2 times.*connection/,
    stalled: /0\.2 s.*2 times.*connection/,
    reset: /fetch failed: .*5 times.*connection/,
  };

  test.each(Object.entries(reasons) as [Behaviour, RegExp][])("%s, and goes on when it is well again", async (behaviour, reason) => {
    const server = await startFileServer(files);
    const model = await loadStreamed(`${server.url}/?token=secret`, { budgetBytes: least, stallMs: 200, retryDelayMs: 1 });
    const expected = model.forward([prompt]);
    server.behave(behaviour);
    for (let i = 0; i < 2; i++) {
      expect(() => model.forward([prompt])).toThrow(CheckpointError);
      expect(() => model.forward([prompt])).toThrow(reason);
      expect(() => model.forward([prompt])).toThrow(
        /^http:\/\/127\.0\.0\.1:\d+\/model-0000\d-of-00003\.safetensors: cannot be read: (?!.*secret)/,
      );
    }
    server.behave("sound");
    expect(model.forward([prompt])).toEqual(expected);
  });

  test("a printed model shows no password and no query of its address", async () => {
    const server = await startFileServer(files);
    const model = await loadStreamed(`${server.url.replace("://", "://name:password@")}/?token=secret`, { budgetBytes: least });
    expect(inspect(model, { depth: 20 })).not.toMatch(/password|secret|Basic/);
  });

  test("one without support for ranges is refused by load", async () => {
    await withServer(
      (request, response) => {
        const bytes = (files as Files).get(request.url!.slice(1));
        if (!bytes) response.writeHead(404).end();
        else response.writeHead(200, { "content-length": bytes.length }).end(bytes);
      },
      async (url) => {
        await expect(loadStreamed(url)).rejects.toThrow(/model-00001-of-00003\.safetensors: .*Range requests.*download/);
      },
    );
  });
});

test("bytes that the caller changes afterwards are not seen", async () => {
  const own = new Map([...files].map(([name, bytes]) => [name, bytes.slice()]));
  const model = await loadStreamed(own);
  for (const bytes of own.values()) bytes.fill(255);
  expect(model.forward([prompt])).toEqual((await load(files)).forward([prompt]));
});

describe("the end", () => {
  test("dispose while files are being read, and use after it", async () => {
    for (let i = 0; i < 5; i++) {
      const model = await loadStreamed(directory);
      const pass = model.forwardAsync([prompt]);
      const generating = greedyIds(model, prompt, 20);
      setTimeout(() => model.dispose(), i);
      // Whoever was first through is through.
      for (const end of await Promise.allSettled([pass, generating])) {
        if (end.status === "rejected") expect(end.reason).toMatchObject({ message: expect.stringMatching(/used after dispose/) });
      }
      expect(() => model.forward([prompt])).toThrow(LightningError);
      expect(() => model.forward([prompt])).toThrow(/used after dispose/);
      await expect(model.save()).rejects.toThrow(/used after dispose/);
    }
    const model = await loadStreamed(directory);
    const dispose = () => model.dispose();
    expect(() => model.forward([prompt], { onLayer: dispose })).toThrow(/used after dispose/);
    await expectAlive();
  });

  test("a load that is aborted, wherever", async () => {
    const steps: number[] = [];
    await loadStreamed(directory, { onProgress: () => steps.push(0) });
    for (let at = 1; at <= steps.length; at++) {
      const controller = new AbortController();
      let step = 0;
      const onProgress = () => {
        if (++step === at) controller.abort("stop");
      };
      await expect(loadStreamed(directory, { signal: controller.signal, onProgress })).rejects.toBe("stop");
    }
    await expectAlive();
  });

  test("twelve loads, computed with or not, leave no thread", async () => {
    const threads = () => Number(/^Threads:\s+(\d+)$/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);
    (await loadStreamed(directory)).dispose();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = threads();
    for (let i = 0; i < 12; i++) {
      const model = await loadStreamed(directory);
      if (i % 3 === 0) model.forward([prompt]);
      model.dispose();
    }
    await vi.waitFor(() => expect(threads()).toBeLessThanOrEqual(before + 1), 5000);
    // Nor do models that are dropped without dispose.
    for (let i = 0; i < 4; i++) await MiniMaxM1.load(directory, { residency: "streamed", budgetBytes: 1 << 20, threads: 1 });
    await vi.waitFor(() => {
      collectGarbage();
      expect(threads()).toBeLessThanOrEqual(before + 1);
    }, 5000);
  });
});
