import { describe, expect, test } from "vitest";
import { LightningError } from "../../src/base/errors.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import {
  collectGarbage,
  type Files,
  file,
  open,
  rawBuffers,
  rawTensors,
  SMALL,
  SMALL_HF,
  sharded,
  singleFile,
} from "../support/checkpoints.js";
import { type Random, random } from "../support/random.js";

/** One way to damage a file. */
type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

/** Bytes of prefix and header. */
const headEnd = (bytes: Uint8Array) => 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));

/** Rewrites the header as text; its length follows. */
function rewrite(change: (header: string, random: Random) => string): Mutation {
  return (bytes, random) => {
    const end = headEnd(bytes);
    return file(change(new TextDecoder().decode(bytes.subarray(8, end)), random), bytes.subarray(end));
  };
}

function replaceOne(pattern: RegExp, replacement: (match: string, random: Random) => string): Mutation {
  return rewrite((header, random) => {
    const matches = [...header.matchAll(pattern)];
    if (matches.length === 0) return header;
    const { 0: match, index } = matches[random.integer(matches.length)]!;
    return header.slice(0, index) + replacement(match, random) + header.slice(index + match.length);
  });
}

const pick = <T>(items: readonly T[], { integer }: Random): T => items[integer(items.length)]!;

const NUMBERS = ["-1", "0", "1", "1.5", "1e3", "1e999", "-0", "4294967296", "9007199254740993", "1e16", '"4"', "null", "NaN", "[]", "true"];

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  truncate: (bytes, { integer }) => bytes.subarray(0, integer(bytes.byteLength)),
  extend: (bytes, { integer }) => new Uint8Array([...bytes, ...Array.from({ length: 1 + integer(20) }, () => integer(256))]),
  flipBits: (bytes, { integer }) => {
    const copy = bytes.slice();
    for (let n = 1 + integer(4); n > 0; n--) copy[integer(headEnd(bytes))]! ^= 1 << integer(8);
    return copy;
  },
  overwrite: (bytes, { integer }) => {
    const copy = bytes.slice();
    const begin = integer(headEnd(bytes));
    copy.fill(integer(256), begin, Math.min(begin + integer(40), headEnd(bytes)));
    return copy;
  },
  headerLength: (bytes, random) => {
    const copy = bytes.slice();
    const exact = BigInt(headEnd(bytes) - 8);
    const length = pick(
      [0n, 1n, exact - 1n, exact + 1n, 10_000_000_000n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, BigInt(random.integer(1e6))],
      random,
    );
    new DataView(copy.buffer).setBigUint64(0, length, true);
    return copy;
  },
  swapOffsets: rewrite((header, random) => {
    const offsets = header.match(/"data_offsets":\[[^\]]*\]/g) ?? [];
    if (offsets.length < 2) return header;
    const [a, b] = [pick(offsets, random), pick(offsets, random)];
    return header.replace(a, "@").replace(b, a).replace("@", b);
  }),
  swapNames: rewrite((header, random) => {
    const names = header.match(/"[^"]*\.weight"/g) ?? [];
    const [a, b] = [pick(names, random), pick(names, random)];
    return header.replace(a, "@").replace(b, a).replace("@", b);
  }),
  number: replaceOne(/-?\d+(?=[,\]])/g, (_, random) => pick(NUMBERS, random)),
  shiftNumber: replaceOne(/\d+(?=[,\]])/g, (number, { integer }) => String(Number(number) + integer(9) - 4)),
  dtype: replaceOne(/"(F32|BF16|F16)"/g, (_, random) =>
    pick(['"F32"', '"F16"', '"BF16"', '"F64"', '"I8"', '"F8_E4M3"', '"X"', '""', "1", "null"], random),
  ),
  duplicate: replaceOne(/"[^"]+":\{[^}]*\}/g, (entry) => `${entry},${entry}`),
  remove: replaceOne(/"[^"]+":\{[^}]*\},/g, () => ""),
  punctuation: replaceOne(/[{}[\],:"]/g, (_, random) => pick(["", "{", "}", "[", "]", ",", ":", '"', "\\", "\u0000"], random)),
  metadata: rewrite((header, random) =>
    header.replace(/"__metadata__":\{[^}]*\}/, `"__metadata__":${pick(["{}", "[]", "1", '{"a":1}', '{"a":"b"}', "null"], random)}`),
  ),
  nesting: rewrite((header, { integer }) => header.replace('"shape":[', `"shape":${"[".repeat(1 + integer(100_000))}`)),
};

const SOURCES: readonly Files[] = [
  singleFile(),
  singleFile(SMALL_HF, [...rawBuffers(0), ...rawTensors(SMALL_HF)]),
  singleFile(SMALL, rawTensors({ ...SMALL, torch_dtype: "bfloat16" })),
  sharded(),
];

/** Loads; what comes back must be a library's error, or the weights as a plain reader sees them in the mutated files. */
async function attempt(files: Files, shard: string): Promise<"loaded" | "refused"> {
  try {
    const { rt, weights } = await loadCheckpoint(files);
    const { header, data } = open(files.get(shard)!);
    const names = new Set([...weights.specs()].map(({ name }) => name));
    for (const [name, entry] of Object.entries(header)) {
      if (!names.has(name)) continue;
      const { shape, data_offsets } = entry;
      const rows = weights.readRows(name, 0, shape.length === 2 ? shape[0]! : 1);
      expect(Buffer.compare(rows, data.subarray(...data_offsets)), name).toBe(0);
    }
    rt.dispose();
    return "loaded";
  } catch (error) {
    if (!(error instanceof LightningError)) throw error;
    expect(error.message.length).toBeLessThan(2000);
    return "refused";
  }
}

describe("mutated files load as what they say, or are refused by an error of the library", () => {
  for (const [name, mutate] of Object.entries(MUTATIONS)) {
    test(name, { timeout: 20_000 }, async () => {
      const stream = random(name.length * 1000 + name.charCodeAt(0));
      const outcomes = { loaded: 0, refused: 0 };
      for (let round = 0; round < 60; round++) {
        const files = new Map(SOURCES[round % SOURCES.length]);
        const shard = pick(
          [...files.keys()].filter((name) => name.endsWith(".safetensors")),
          stream,
        );
        let bytes: Uint8Array = mutate(files.get(shard)!, stream);
        // A truncated header has no place for a second mutation.
        if (round % 3 === 0 && bytes.byteLength > 8 && headEnd(bytes) <= bytes.byteLength)
          bytes = pick(Object.values(MUTATIONS), stream)(bytes.slice(), stream);
        outcomes[await attempt(files.set(shard, bytes), shard)]++;
      }
      expect(outcomes.refused).toBeGreaterThan(0);
    });
  }

  test("damaged configurations and indices", async () => {
    const stream = random(9);
    for (let round = 0; round < 400; round++) {
      const files = new Map(sharded());
      const name = pick(["config.json", "model.safetensors.index.json"], stream);
      const bytes = files.get(name)!.slice();
      for (let n = 1 + stream.integer(3); n > 0; n--) bytes[stream.integer(bytes.byteLength)] = stream.integer(256);
      files.set(name, stream.integer(4) === 0 ? bytes.subarray(0, stream.integer(bytes.byteLength)) : bytes);
      await attempt(files, "model-00001-of-00003.safetensors");
    }
  });

  test("the unmutated files load", async () => {
    for (const files of SOURCES)
      expect(await attempt(files, [...files.keys()].find((name) => name.endsWith(".safetensors"))!)).toBe("loaded");
  });
});

describe("memory", () => {
  const config = { ...SMALL, vocab_size: 10_000, hidden_size: 128 };
  const files = singleFile(config);
  const broken = new Map(files).set("model.safetensors", new Uint8Array([...files.get("model.safetensors")!, 0]));
  const nan = new Map(files);
  const poisoned = files.get("model.safetensors")!.slice();
  poisoned.fill(0xff, -4);
  nan.set("model.safetensors", poisoned);

  /** Bytes that the process holds outside the JavaScript heap, after as many collections as it takes to come to rest. */
  async function held(): Promise<number> {
    let least = Infinity;
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      collectGarbage();
      const { external, arrayBuffers } = process.memoryUsage();
      least = Math.min(least, external + arrayBuffers);
    }
    return least;
  }

  async function cycle(): Promise<void> {
    const { rt } = await loadCheckpoint(files);
    expect(rt.memory.usedBytes).toBeGreaterThan(10_000_000);
    rt.dispose();
    await expect(loadCheckpoint(broken)).rejects.toThrow(LightningError);
    await expect(loadCheckpoint(nan, { checkNaN: true })).rejects.toThrow(/got NaN/);
    const controller = new AbortController();
    const onProgress = ({ fraction }: { fraction: number }) => fraction > 0.5 && controller.abort();
    await expect(loadCheckpoint(files, { signal: controller.signal, onProgress })).rejects.toThrow(/abort/);
  }

  test("fifty loads with dispose, damaged, poisoned and aborted loads between them, leave nothing behind", {
    timeout: 60_000,
  }, async () => {
    await cycle();
    const before = await held();
    for (let i = 0; i < 50; i++) await cycle();
    // One model is 10 MB. The last one may still hang on a stack that the collector cannot tell from a reference; fifty would be 500 MB.
    expect((await held()) - before).toBeLessThan(25e6);
  });
});
