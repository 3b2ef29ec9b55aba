// The similarity of two texts, against vectors of Python's difflib, against a direct implementation of its definition, and its laws.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sequenceRatio } from "../../../src/environments/index.js";
import { InputError } from "../../../src/index.js";

interface Vector {
  readonly a: string;
  readonly b: string;
  readonly ratio: number;
}
const vectors: Vector[] = JSON.parse(readFileSync(new URL("difflib-ratio.json", import.meta.url), "utf8"));

/**
 * The definition, step by step: a table of the lengths of the common blocks that end at each pair of positions, for each part anew.
 */
function definedRatio(textA: string, textB: string): number {
  const [a, b] = [[...textA], [...textB]];
  const most = b.length >= 200 ? Math.floor(b.length / 100) + 1 : b.length;
  const popular = new Set(b.filter((one) => b.filter((other) => other === one).length > most));
  function matches(aBegin: number, aEnd: number, bBegin: number, bEnd: number): number {
    let [i, j, size] = [aBegin, bBegin, 0];
    let before: number[] = [];
    for (let x = aBegin; x < aEnd; x++) {
      const lengths: number[] = [];
      for (let y = bBegin; y < bEnd; y++) {
        if (a[x] !== b[y] || popular.has(b[y]!)) continue;
        const length = (before[y - 1] ?? 0) + 1;
        lengths[y] = length;
        if (length > size) [i, j, size] = [x - length + 1, y - length + 1, length];
      }
      before = lengths;
    }
    for (; i > aBegin && j > bBegin && a[i - 1] === b[j - 1]; size++) [i, j] = [i - 1, j - 1];
    while (i + size < aEnd && j + size < bEnd && a[i + size] === b[j + size]) size++;
    if (size === 0) return 0;
    return size + matches(aBegin, i, bBegin, j) + matches(i + size, aEnd, j + size, bEnd);
  }
  return a.length + b.length === 0 ? 1 : (2 * matches(0, a.length, 0, b.length)) / (a.length + b.length);
}

describe("sequenceRatio", () => {
  test("equals Python's difflib", () => {
    expect(vectors.length).toBeGreaterThan(40);
    expect(vectors.filter(({ b }) => [...b].length >= 200).length).toBeGreaterThan(10);
    for (const { a, b, ratio } of vectors) expect(Math.abs(sequenceRatio(a, b) - ratio)).toBeLessThan(1e-12);
  });

  // Values of Python 3.11.
  test.each([
    ["", "", 1],
    ["", "a", 0],
    ["a", "", 0],
    ["abcd", "bcde", 0.75],
    ["private Thread currentThread;", "private volatile Thread currentThread;", 0.8656716417910447],
    ["tide", "diet", 0.25],
    ["diet", "tide", 0.5],
    ["\u{1F600}\u{1F601}", "\u{1F601}\u{1F600}", 0.5],
    ["e\u0301", "\u00E9", 0],
    ["a".repeat(200), "a".repeat(200), 1],
    [`b${"a".repeat(200)}`, "a".repeat(200), 0],
    ["\uD800x", "x\uD800", 0.5],
  ])("%j and %j", (a, b, ratio) => expect(sequenceRatio(a, b)).toBeCloseTo(ratio, 12));

  const texts = (alphabet: string, maxLength: number) =>
    fc.array(fc.constantFrom(...alphabet), { maxLength, size: "max" }).map((characters) => characters.join(""));

  test("equals the definition for short texts", () => {
    const text = texts("abc\u{1F600}\u0301", 30);
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(sequenceRatio(a, b)).toBe(definedRatio(a, b));
      }),
      { numRuns: 200 },
    );
  });

  test("equals the definition for long texts with popular elements", () => {
    // Letters that come often, and others about as often as the limit allows.
    const text = fc
      .tuple(texts("aaaaaaaaaaabbbbbbbbccdefghijklmnopqrstuvwxyzABCDEFGHIJ", 300), texts("abcd", 100))
      .map(([x, y]) => x + y + x);
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(sequenceRatio(a, b)).toBe(definedRatio(a, b));
      }),
      { numRuns: 12 },
    );
  });

  test("is within [0, 1], and 1 for equal texts of fewer than 200 elements", () => {
    fc.assert(
      fc.property(texts("abcd \u{1F600}", 199), texts("abcd \u{1F600}", 40), (a, b) => {
        expect(sequenceRatio(a, a)).toBe(1);
        const ratio = sequenceRatio(a, b);
        expect(ratio).toBeGreaterThanOrEqual(0);
        expect(ratio).toBeLessThanOrEqual(1);
      }),
      { numRuns: 50 },
    );
  });

  test("long texts that differ everywhere do not exhaust the stack", () => {
    const letters = Array.from({ length: 100 }, (_, i) => String.fromCharCode(0x4e00 + i)).join("");
    const b = letters.repeat(200);
    const a = b.replaceAll(letters[50]!, "-");
    // All characters match, except for each hundredth.
    expect(sequenceRatio(a, b)).toBeCloseTo(0.99, 12);
  });

  test("refuses what is not text", () => {
    expect(() => sequenceRatio(1 as never, "a")).toThrow(new InputError("sequenceRatio: a: expected a string, got number"));
    expect(() => sequenceRatio("a", undefined as never)).toThrow(new InputError("sequenceRatio: b: expected a string, got undefined"));
  });
});
