import { describe, expect, test } from "vitest";
import { bytesOf } from "../../src/runtime/tensor.js";
import { ResidentWeights } from "../../src/weights/resident.js";
import type { ResidentDType, StoredDType } from "../../src/weights/weights.js";
import * as fourBits from "../reference/four-bits.js";
import { dequantized, quantize } from "../reference/quantized.js";
import { decode, encode, type StoredType } from "../support/number-formats.js";
import { random, randomTensor } from "../support/random.js";
import * as tolerance from "../support/tolerance.js";
import type { Suite } from "./harness.js";

/** Every 16-bit pattern, as a matrix that fills whole panels and one that does not. */
const patterns = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);

/** Where two arrays begin to differ, −1 if they do not: of half a million numbers, sooner than `toEqual`. */
function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (!Object.is(a[i], b[i])) return i;
  return -1;
}

export const packSuite: Suite = (runtime) => {
  /** Stored bytes in, stored bytes out. */
  function roundTrip(dtype: StoredDType, resident: ResidentDType, shape: [number, number], bytes: Uint8Array): Uint8Array {
    const rt = runtime();
    const weights = new ResidentWeights(rt);
    const tensor = weights.add({ name: "w", shape, dtype: resident === "bf16" ? "bf16" : dtype }, resident);
    const [rows] = shape;
    const rowBytes = bytes.length / rows;
    const step = weights.pieceRows("w");
    const parts: Uint8Array[] = [];
    for (let row = 0; row < rows; row += step) {
      weights.writeRows("w", row, bytes.subarray(row * rowBytes, Math.min(rows, row + step) * rowBytes), dtype);
    }
    for (let row = 0; row < rows; row += step) parts.push(weights.readRows("w", row, Math.min(rows, row + step)));
    rt.release(tensor);
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  describe("stored weights come back bit for bit", () => {
    test.each([
      ["bf16", "bf16"],
      ["bf16", "f32"],
      ["f16", "f32"],
    ] as const)("every pattern of %s, held as %s, NaN payloads included", (dtype, resident) => {
      const bytes = new Uint8Array(patterns.buffer);
      expect(roundTrip(dtype, resident, [256, 256], bytes)).toEqual(bytes);
      expect(roundTrip(dtype, resident, [3, 11], bytes.subarray(0x7f00 * 2 - 66, 0x7f00 * 2))).toEqual(
        bytes.slice(0x7f00 * 2 - 66, 0x7f00 * 2),
      );
    });

    test("float32, at odd sizes", () => {
      const { integer } = random(3);
      const shapes: [number, number][] = [
        [1, 1],
        [7, 5],
        [8, 3],
        [9, 33],
        [2000, 260],
      ];
      for (const [rows, width] of shapes) {
        const bytes = new Uint8Array(Uint32Array.from({ length: rows * width }, () => integer(2 ** 32)).buffer);
        expect(firstDifference(roundTrip("f32", "f32", [rows, width], bytes), bytes)).toBe(-1);
      }
    });
  });

  describe("8-bit weights", () => {
    const shapes: [number, number][] = [
      [1, 1],
      [9, 3],
      [64, 512],
      [17, 1025],
      [1200, 515],
    ];

    test.each(["f32", "bf16", "f16"] as const)("stored as %s come back as scale times integer, within half a step", (dtype) => {
      for (const [rows, width] of shapes) {
        const type = ({ f32: "F32", bf16: "BF16", f16: "F16" } as const)[dtype];
        const bytes = encode(type, randomTensor(rows, rows * width));
        const stored = decode(type, bytes);
        const values = decode(type, roundTrip(dtype, "q8", [rows, width], bytes));
        expect(firstDifference(values, decode(type, encode(type, dequantized(stored, width))))).toBe(-1);
        const { scales } = quantize(stored, width, 127);
        const allowed = (i: number) =>
          tolerance.quantization(127, 127 * scales[i]!) + (dtype === "f32" ? 0 : 2 ** -8 * Math.abs(stored[i]!));
        expect(values.findIndex((value, i) => !(Math.abs(value - stored[i]!) <= allowed(i)))).toBe(-1);
      }
    });

    test("come back the same a second time", () => {
      const bytes = encode("F32", randomTensor(5, 16 * 600));
      const once = roundTrip("f32", "q8", [16, 600], bytes);
      const [first, second] = [decode("F32", once), decode("F32", roundTrip("f32", "q8", [16, 600], once))];
      for (let i = 0; i < first.length; i++)
        expect(Math.abs(first[i]! - second[i]!)).toBeLessThanOrEqual(tolerance.rounding(2, Math.abs(first[i]!)));
    });

    test("take the bytes that are counted for them: q8", () => {
      expect(bytesOf([33, 513], "q8", "panels")).toBe(64 * (516 + 2 * 4));
      expect(bytesOf([32, 512], "q8", "panels")).toBe(32 * (512 + 4));
      expect(bytesOf([1, 1], "q8", "panels")).toBe(32 * (4 + 4));
    });
  });

  describe("4-bit weights", () => {
    test.each(["f32", "bf16", "f16"] as const)("stored as %s come back as scale times integer plus offset", (dtype) => {
      for (const [rows, width] of [
        [1, 1],
        [9, 3],
        [64, 512],
        [17, 1025],
        [300, 515],
      ] as [number, number][]) {
        const type = ({ f32: "F32", bf16: "BF16", f16: "F16" } as const)[dtype];
        const bytes = encode(type, randomTensor(rows, rows * width));
        const stored = decode(type, bytes);
        const values = decode(type, roundTrip(dtype, "q4", [rows, width], bytes));
        expect(firstDifference(values, decode(type, encode(type, fourBits.dequantized(stored, width))))).toBe(-1);
      }
    });

    test("are rounded better than with the least and largest weight as ends", () => {
      const [rows, width] = [64, 512];
      const stored = randomTensor(5, rows * width);
      const values = decode("F32", roundTrip("f32", "q4", [rows, width], encode("F32", stored)));
      let [error, simple, size] = [0, 0, 0];
      for (let begin = 0; begin < stored.length; begin += 32) {
        const group = stored.subarray(begin, begin + 32);
        const least = Math.min(...group);
        const scale = (Math.max(...group) - least) / 15;
        for (const [i, w] of group.entries()) {
          error += (values[begin + i]! - w) ** 2;
          simple += (Math.round((w - least) / scale) * scale + least - w) ** 2;
          size += w * w;
        }
      }
      expect(error).toBeLessThan(0.9 * simple);
      expect(Math.sqrt(error / size)).toBeLessThan(0.09);
    });

    test("a group of equal weights, of zeros, and of the largest and smallest numbers", () => {
      const large = 1e38;
      for (const group of [[0.3, 0.3, 0.3], [0, 0, -0, 0], [-large, large, 0], [large, large], [-large], [1e-36, -1e-36], [1e-30, 1]]) {
        const bytes = encode("F32", Float32Array.from(group));
        const values = decode("F32", roundTrip("f32", "q4", [1, group.length], bytes));
        const largest = tolerance.maxAbs(group);
        for (const [i, w] of group.entries()) expect(Math.abs(values[i]! - w)).toBeLessThanOrEqual(Math.max(largest / 14, 2 ** -120));
      }
    });

    test("take the bytes that are counted for them: q4", () => {
      expect(bytesOf([33, 513], "q4", "panels")).toBe(64 * 17 * (16 + 4));
      expect(bytesOf([32, 512], "q4", "panels")).toBe(32 * 16 * 20);
      expect(bytesOf([1, 1], "q4", "panels")).toBe(32 * 20);
    });
  });

  describe("rounding is to nearest, ties to even", () => {
    const { integer } = random(7);
    const halves = (bits: number) => [0, 1].map((odd) => ((integer(2 ** (32 - bits)) << bits) | (odd << bits) | (1 << (bits - 1))) >>> 0);
    const words = [
      ...Array.from({ length: 4000 }, () => integer(2 ** 32)),
      ...Array.from({ length: 500 }, () => halves(16)).flat(),
      ...Array.from({ length: 500 }, () => halves(13)).flat(),
      ...[0, 0x80000000, 0x7f800000, 0xff800000, 0x7f7fffff, 0x477fefff, 0x477ff000, 0x387fffff, 0x33000000, 0x33000001, 0x38800000, 1],
    ];
    const finite = Float32Array.from(new Float32Array(Uint32Array.from(words).buffer).filter((x) => !Number.isNaN(x)));
    const nan = new Float32Array(Uint32Array.of(0x7fc00000, 0xffc00001, 0x7f800001, 0xff80ffff, 0x7fffffff).buffer);

    test.each([
      ["BF16", "f32ToBf16"],
      ["F16", "f32ToF16"],
    ] as const)("float32 to %s", (type: StoredType, kernel) => {
      const rt = runtime();
      rt.scope(() => {
        const narrow = (x: Float32Array) => {
          const from = rt.empty([x.length]);
          rt.bytes(from.ptr, 4 * x.length).set(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
          const to = rt.empty([Math.ceil(x.length / 2)]);
          rt.kernels[kernel](to.ptr, from.ptr, x.length);
          return rt.bytes(to.ptr, 2 * x.length).slice();
        };
        expect(narrow(finite)).toEqual(encode(type, finite));
        expect([...decode(type, narrow(nan))].every(Number.isNaN)).toBe(true);
      });
    });
  });

  test("numbers that are not finite are counted", () => {
    const rt = runtime();
    rt.scope(() => {
      const x = rt.from([1, Number.NaN, -0, Number.POSITIVE_INFINITY, 3e38, Number.NEGATIVE_INFINITY]);
      expect(rt.kernels.countNonFinite(x.ptr, 6)).toBe(3);
    });
  });
};
