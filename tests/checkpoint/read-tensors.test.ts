import { describe, expect, test } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { readTensors } from "../../src/checkpoint/read-tensors.js";
import { type RawTensor, SMALL, safetensors, sharded } from "../support/checkpoints.js";
import { decode } from "../support/number-formats.js";
import { readSafetensors } from "../support/safetensors.js";
import { put } from "../support/streaming.js";

const raw = (name: string, dtype: string, shape: number[], values: ArrayBufferView): RawTensor => ({
  name,
  dtype,
  shape,
  bytes: new Uint8Array(values.buffer as ArrayBuffer),
});

describe("tensors of files as arrays", () => {
  const files = sharded(SMALL);

  test("of several files, from memory and from a directory: every number as it is stored", async () => {
    const expected = [...files].filter(([name]) => name.endsWith(".safetensors")).flatMap(([, bytes]) => [...readSafetensors(bytes)]);
    for (const source of [files, put(files)]) {
      const tensors = await readTensors(source);
      expect([...tensors.keys()].sort()).toEqual(expected.map(([name]) => name).sort());
      for (const [name, { dtype, shape, data }] of expected) {
        expect(tensors.get(name)).toEqual({ dtype, shape, data: Float32Array.from(data) });
      }
    }
  });

  test("some of them, in the order in which they are named", async () => {
    const names = ["model.norm.weight", "model.embed_tokens.weight"];
    expect([...(await readTensors(files, { names })).keys()]).toEqual(names);
  });

  test("every dtype, at offsets that are not aligned", async () => {
    const half = Uint16Array.of(0x3f80, 0xbf00, 0x7f80);
    const bytes = safetensors([
      raw("odd", "BF16", [3], half),
      raw("f32", "F32", [2], Float32Array.of(1.5, -2)),
      raw("i32", "I32", [2, 1], Int32Array.of(7, -9)),
      raw("f64", "F64", [2], Float64Array.of(0.1, 1e300)),
      raw("none", "F32", [0, 4], new Float32Array()),
    ]);
    const tensors = await readTensors(bytes);
    expect([...tensors.get("odd")!.data]).toEqual([...decode("BF16", new Uint8Array(half.buffer))]);
    expect(tensors.get("f32")!.data).toEqual(Float32Array.of(1.5, -2));
    expect(tensors.get("i32")).toEqual({ dtype: "I32", shape: [2, 1], data: Int32Array.of(7, -9) });
    expect(tensors.get("f64")!.data).toEqual(Float32Array.of(0.1, Infinity));
    expect(tensors.get("none")!.data).toHaveLength(0);
  });

  test("a name that is not there, another dtype, a damaged file", async () => {
    await expect(readTensors(files, { names: ["nothing"] })).rejects.toThrow(/nothing: .*model\./);
    const bytes = safetensors([raw("small", "U8", [1], Uint8Array.of(1))]);
    await expect(readTensors(bytes)).rejects.toThrow(/small: dtype: .*F32, I32, BF16, F64, got U8/);
    await expect(readTensors(bytes.slice(0, -1))).rejects.toThrow(CheckpointError);
    await expect(readTensors(files, { signal: AbortSignal.abort("stop") })).rejects.toBe("stop");
  });
});
