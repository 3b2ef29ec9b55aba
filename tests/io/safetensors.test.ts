import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { encodeSafetensorsHeader, headerLength, parseSafetensorsHeader, type SafetensorsHeader } from "../../src/io/safetensors.js";
import { file, safetensors } from "../support/checkpoints.js";

function parse(bytes: Uint8Array, fileBytes = bytes.byteLength): SafetensorsHeader {
  const length = headerLength(bytes.subarray(0, 8), fileBytes, "f");
  return parseSafetensorsHeader(bytes.subarray(8, 8 + length), fileBytes, "f");
}

/** A file of one or more entries written out by hand. */
function entries(header: Record<string, unknown>, dataBytes: number): Uint8Array {
  return file(JSON.stringify(header), new Uint8Array(dataBytes));
}

const a = { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] };
const b = { dtype: "BF16", shape: [4], data_offsets: [24, 32] };

describe("safetensors", () => {
  test("tensors come by offset, with their place in the file", () => {
    const bytes = entries({ b, __metadata__: { format: "pt" }, a }, 32);
    const data = bytes.byteLength - 32;
    expect(parse(bytes)).toEqual({
      tensors: [
        { name: "a", dtype: "F32", shape: [2, 3], begin: data, end: data + 24 },
        { name: "b", dtype: "BF16", shape: [4], begin: data + 24, end: data + 32 },
      ],
      metadata: { format: "pt" },
    });
  });

  test("no tensors, scalars, empty tensors and spaces after the header are allowed", () => {
    expect(parse(file("{}")).tensors).toEqual([]);
    expect(parse(file("{}      ")).tensors).toEqual([]);
    expect(parse(entries({ s: { dtype: "F32", shape: [], data_offsets: [0, 4] } }, 4)).tensors[0]!.shape).toEqual([]);
    expect(parse(entries({ e: { dtype: "F32", shape: [2 ** 40, 0, 2 ** 40], data_offsets: [0, 0] }, a }, 24)).tensors).toHaveLength(2);
  });

  test.each<[string, unknown, Record<string, string>]>([
    ["null", null, {}],
    ["none", undefined, {}],
    ["empty", {}, {}],
    [
      "values that are no text",
      { format: "pt", step: 12, done: true, note: null, more: { a: [1] } },
      { format: "pt", step: "12", done: "true", more: '{"a":[1]}' },
    ],
  ])("__metadata__: %s", (_, metadata, expected) => {
    expect(parse(entries({ __metadata__: metadata, a }, 24)).metadata).toEqual(expected);
  });

  test("further keys of a tensor are left out", () => {
    const [tensor] = parse(entries({ a: { ...a, note: "x", strides: [3, 1] } }, 24)).tensors;
    expect(Object.keys(tensor!).sort()).toEqual(["begin", "dtype", "end", "name", "shape"]);
  });

  test("a dtype that is not known is recorded", () => {
    expect(parse(entries({ x: { dtype: "F2_NEW", shape: [8], data_offsets: [0, 2] } }, 2)).tensors[0]!.dtype).toBe("F2_NEW");
  });

  test("write ∘ read is the identity, aligned to 8 bytes", () => {
    const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text !== "__metadata__");
    const shape = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 });
    const tensor = fc.record({ name, shape, dtype: fc.constantFrom("F32", "BF16", "F16") });
    fc.assert(
      fc.property(fc.uniqueArray(tensor, { selector: (t) => t.name, maxLength: 8 }), (list) => {
        const sized = list.map((t) => ({ ...t, bytes: t.shape.reduce((x, y) => x * y, t.dtype === "F32" ? 4 : 2) }));
        const head = encodeSafetensorsHeader(sized, { format: "pt" });
        const total = sized.reduce((sum, { bytes }) => sum + bytes, 0);
        expect(head.byteLength % 8).toBe(0);
        const header = parse(head, head.byteLength + total);
        const key = (t: { name: string }) => t.name;
        const back = [...header.tensors].map(({ name, dtype, shape, begin, end }) => ({
          name,
          dtype,
          shape: [...shape],
          bytes: end - begin,
        }));
        expect(back.sort((x, y) => (key(x) < key(y) ? -1 : 1))).toEqual(sized.sort((x, y) => (key(x) < key(y) ? -1 : 1)));
        expect(header.metadata).toEqual({ format: "pt" });
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test("the written header is the reference implementation's, byte for byte", () => {
    const tensors = [
      { name: "x", dtype: "F32", shape: [2], bytes: new Uint8Array(8) },
      { name: "y", dtype: "BF16", shape: [1, 4], bytes: new Uint8Array(8) },
    ];
    const expected = safetensors(tensors);
    const head = encodeSafetensorsHeader(
      tensors.map((t) => ({ ...t, bytes: t.bytes.byteLength })),
      { format: "pt" },
    );
    expect(Buffer.compare(head, expected.subarray(0, head.byteLength))).toBe(0);
  });

  const bad: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ["an empty file", new Uint8Array(), /got 0 bytes .*truncated/],
    ["seven bytes", new Uint8Array(7), /got 7 bytes/],
    [
      "a git-lfs pointer",
      new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
      /git-lfs pointer.*git lfs pull/,
    ],
    ["a header of 10 GB", file("{}", undefined, 10_000_000_000n), /header: expected at most 2 bytes, got 9\.31 GiB/],
    ["a header length of 2^64 − 1", file("{}", undefined, 2n ** 64n - 1n), /header: expected at most/],
    ["a header longer than the file", file("{}", undefined, 3n), /header: expected at most 2 bytes, got 3 bytes/],
    ["no header", file(""), /expected JSON/],
    ["a header that is no JSON", file("{oops}"), /f: header: line 1, column 2: expected a key/],
    ["a header that is an array", file("[]"), /expected JSON/],
    ["a header with a space in front", file(" {}"), /expected JSON/],
    ["a header that is not UTF-8", file(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), /expected UTF-8/],
    [
      "a tensor given twice",
      file(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        new Uint8Array(4),
      ),
      /expected every key once/,
    ],
    [
      "a field given twice",
      file('{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}', new Uint8Array(4)),
      /expected every key once/,
    ],
    ["an entry that is no object", entries({ a: 1 }, 0), /a: expected \{dtype/],
    ["an entry without dtype", entries({ a: { shape: [1], data_offsets: [0, 4] } }, 4), /a: dtype/],
    ["a negative dim", entries({ a: { ...a, shape: [-2, -3] } }, 24), /a: shape:.*\[-2,-3\]/],
    ["a fractional dim", entries({ a: { ...a, shape: [1.5, 4] } }, 24), /a: shape/],
    ["a dim beyond 2^53", entries({ a: { ...a, shape: [2 ** 60, 1] } }, 24), /a: shape/],
    ["dims whose product overflows", entries({ a: { ...a, shape: [2 ** 40, 2 ** 40] } }, 24), /a: data_offsets: expected .* bytes/],
    ["a dim of 1e999", file('{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', new Uint8Array(4)), /a: shape/],
    ["a dim that is text", entries({ a: { ...a, shape: ["6"] } }, 24), /a: shape/],
    ["offsets that are not two", entries({ a: { ...a, data_offsets: [0] } }, 24), /a: data_offsets/],
    ["offsets in reverse", entries({ a: { ...a, data_offsets: [24, 0] } }, 24), /a: data_offsets/],
    ["a negative offset", entries({ a: { ...a, data_offsets: [-24, 0] } }, 24), /a: data_offsets/],
    ["a size that contradicts the shape", entries({ a: { ...a, shape: [2, 2] } }, 24), /expected 16 bytes for \[2, 2\] F32, got 24/],
    ["an overlap", entries({ a, b: { ...b, data_offsets: [20, 28] } }, 28), /b: data_offsets:.*24.*20.*overlaps/],
    ["the same place twice", entries({ a, c: a }, 24), /overlaps/],
    ["a hole", entries({ a, b: { ...b, data_offsets: [28, 36] } }, 36), /b: .* got 28 \(leaves a hole/],
    ["a hole at the beginning", entries({ b }, 32), /leaves a hole/],
    ["a tensor outside the file", entries({ a, b }, 31), /expected \d+ bytes, got \d+ \(truncated/],
    ["bytes after the last tensor", entries({ a, b }, 33), /too long/],
    ["metadata that is text", entries({ __metadata__: "pt" }, 0), /__metadata__:.*strings/],
    ["metadata that is a list", entries({ __metadata__: [] }, 0), /__metadata__:.*strings/],
  ];
  for (const [what, bytes, message] of bad) {
    test(`${what} is refused`, () => {
      expect(() => parse(bytes)).toThrow(CheckpointError);
      expect(() => parse(bytes)).toThrow(message);
    });
  }

  test("a header beyond 100 MB is refused even if the file is long enough", () => {
    expect(() => headerLength(file("{}", undefined, 100_000_001n).subarray(0, 8), 2 ** 40, "f")).toThrow(/expected at most 95\.37 MiB/);
  });
});
