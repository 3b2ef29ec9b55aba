import fc from "fast-check";
import { expect, test } from "vitest";
import { parseNumber, parseSize } from "../../src/cli/numbers.js";
import { listOption, numberOption, positiveInteger, sizeOption } from "../../src/cli/options.js";
import { facts } from "../support/facts.js";
import { run } from "./harness.js";

test.each([
  ["0", 0],
  ["200k", 200_000],
  ["200K", 200_000],
  [" 200 k ", 200_000],
  ["1M", 1_000_000],
  ["1m", 1_000_000],
  ["1.5M", 1_500_000],
  ["1.1M", 1_100_000],
  ["0.07k", 70],
  ["128Ki", 131_072],
  ["1mi", 1_048_576],
  ["2B", 2e9],
  ["1e6", 1e6],
  ["1_000_000", 1_000_000],
  ["-0.5", -0.5],
  [".5", 0.5],
])("%j is %d", (text, expected) => expect(parseNumber(text)).toBe(expected));

test.each([
  "",
  " ",
  "k",
  "1kk",
  "1 000",
  "1,000",
  "1e3k",
  "0x10",
  "Infinity",
  "NaN",
  "1e999",
  "999e999",
  "--1",
  "1.2.3",
  "1_",
  "١k",
  "1k\n2",
])("%j is no number", (text) => expect(parseNumber(text)).toBeNaN());

test("k, M and B scale by exact powers of ten, whatever the digits", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 12 }), fc.constantFrom(["k", 3], ["M", 6], ["B", 9]), (value, [suffix, digits]) => {
      const text = `${value}`.padStart(digits + 1, "0");
      expect(parseNumber(`${text.slice(0, -digits)}.${text.slice(-digits)}${suffix}`)).toBe(value);
    }),
  );
});

test.each([
  ["512GB", 512e9],
  ["512gb", 512e9],
  ["512 GB", 512e9],
  ["512GiB", 512 * 2 ** 30],
  ["1.5TB", 1.5e12],
  ["1TiB", 2 ** 40],
  ["4.8TB", 4.8e12],
  ["1000000", 1e6],
  ["1MB", 1e6],
])("the size %j is %d bytes", (text, expected) => expect(parseSize(text)).toBe(expected));

test.each(["", "GB", "0", "-1GB", "1.5.1GB", "12 parsecs", "1e400", "NaN", "512G", "512Gb/s"])("%j is no size", (text) =>
  expect(parseSize(text)).toBeNaN(),
);

test("options: the value, undefined if not given, or what was expected", () => {
  expect(numberOption({ nodes: "2k" }, "nodes", positiveInteger)).toBe(2000);
  expect(numberOption({}, "nodes", positiveInteger)).toBeUndefined();
  expect(() => numberOption({ nodes: "1.5" }, "nodes", positiveInteger)).toThrow(facts('--nodes: …integer…1…"1.5"'));
  expect(() => numberOption({ nodes: "1.0005k" }, "nodes", positiveInteger)).toThrow(facts('--nodes: …integer…1…"1.0005k"'));
  expect(sizeOption({ ram: "1TB" }, "ram")).toBe(1e12);
  expect(() => sizeOption({ ram: "much" }, "ram")).toThrow(facts('--ram: …512MiB, 1.5GB…"much"'));
  const range = { most: 3, largest: 1e7, example: "1k,64k,1M" };
  expect(listOption({ lengths: "1k, 64k,1M" }, "lengths", range)).toEqual([1000, 64_000, 1_000_000]);
  for (const lengths of ["", "1,2,3,4", "0", "11M", "1.5", "1;2"])
    expect(() => listOption({ lengths }, "lengths", range)).toThrow(facts("--lengths: …3…10,000,000…1k,64k,1M"));
});

test("every command understands them", async () => {
  const { stdout } = await run(["plan", "--context", "1M", "--concurrency", "3", "--pass-tokens", "4k", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ context: 1_000_000, passTokens: 4000 });
  const analysis = JSON.parse((await run(["analyze", "--context", "200k,1.5M", "--tokens", "1k", "--json"])).stdout);
  expect([analysis.memory.contexts, analysis.flops.causal.prompt[0].tokens]).toEqual([[200_000, 1_500_000], 1000]);
});
