import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { decodeJson, parseJson } from "../../src/base/json.js";

describe("strict JSON", () => {
  test("reads what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJson(text, "x")).toEqual(JSON.parse(text));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test("reads the constants that Python's json module writes, where that is allowed", () => {
    const text = '{ "time_step_limit": [0.0, Infinity], "a": -Infinity, "b": NaN }';
    expect(parseJson(text, "x", { nonFinite: true })).toEqual({ time_step_limit: [0, Infinity], a: -Infinity, b: NaN });
    expect(() => parseJson(text, "x")).toThrow("x: line 1, column 28: expected a value");
    for (const wrong of ["Infinit", "+Infinity", "-NaN", "nan", "InfinityX"]) {
      expect(() => parseJson(wrong, "x", { nonFinite: true }), wrong).toThrow(CheckpointError);
    }
  });

  test("accepts exactly what JSON.parse accepts, keys given twice aside", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"b"',
      '"\\u00e9"',
      '"\\x"',
      '"',
      "1",
      "-0.5e+3",
      "01",
      "1.",
      "true",
      "nul",
      "null",
      " ",
      "\n",
      "\t",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("");
        if (/"a"[\s\S]*"a"|"b"[\s\S]*"b"/.test(text)) return;
        let expected: unknown = "refused";
        try {
          expected = JSON.parse(text);
        } catch {}
        if (expected === "refused") expect(() => parseJson(text, "x")).toThrow(CheckpointError);
        else expect(parseJson(text, "x")).toEqual(expected);
      }),
      { seed: 2, numRuns: 3000 },
    );
  });

  test("a fault names file, line and column", () => {
    expect(() => parseJson('{\n  "a": 1,\n  "b": oops\n}', "config.json")).toThrow(
      /^config\.json: line 3, column 8: expected a value, got "oops/,
    );
    expect(() => parseJson('{"a": [1, 2', "config.json")).toThrow(/line 1, column 12: .* got the end of the file/);
    expect(() => parseJson("", "config.json")).toThrow(/line 1, column 1/);
    expect(() => parseJson('{"a": NaN}', "config.json")).toThrow(/line 1, column 7/);
  });

  test("a key given twice is refused where it stands, escaped or not", () => {
    expect(() => parseJson('{"a": 1, "a": 2}', "f")).toThrow(/column 10: expected every key once/);
    expect(() => parseJson('{"a": 1, "\\u0061": 2}', "f")).toThrow(/expected every key once/);
    expect(parseJson('[{"a": 1}, {"a": 2}]', "f")).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test("__proto__ is a key like any other", () => {
    const value = parseJson('{"__proto__": {"polluted": 1}}', "f") as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect((value as { polluted?: number }).polluted).toBeUndefined();
  });

  test("deep nesting, long numbers and bytes that are not UTF-8 are refused", () => {
    expect(() => parseJson("[".repeat(1e6), "f")).toThrow(/at most 100 levels/);
    expect(() => parseJson("1".repeat(1e6), "f")).toThrow(CheckpointError);
    expect(() => decodeJson(new Uint8Array([0x22, 0xff, 0x22]), "f")).toThrow(/f: expected UTF-8/);
  });
});
