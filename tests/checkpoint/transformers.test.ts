import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { readSafetensors } from "../support/safetensors.js";
import { GOLDEN, maxAbsDiff } from "../support/tolerance.js";

const golden = (file: string) => readFileSync(fileURLToPath(new URL(`../golden/saved-minimax/${file}`, import.meta.url)));
const config = JSON.parse(golden("config.json").toString());
const expected = readSafetensors(golden("expected.safetensors"));

/** Of the weights that transformers loaded when the golden logits were made. */
const SHA256: Readonly<Record<string, string>> = {
  float32: "4db43dff57e9f1479b59a5fa708604fb7e7389c30cd456e79fbdf7cc42548b1d",
  bfloat16: "5887ac56efa4f4121705f72f7575d75dfb34b2e69e0c6a4dd22e667caff354b4",
};

describe.each(["float32", "bfloat16"])("a model created here and saved in %s", (dtype) => {
  test("its file is the one that transformers loaded, and both compute the same logits", async () => {
    const created = await MiniMaxM1.create({ ...config, dtype }, { seed: 7, build: "simd", threads: 1 });
    const files = await created.save();
    created.dispose();
    expect([...files.keys()].sort()).toEqual(["config.json", "model.safetensors"]);
    expect(JSON.parse(new TextDecoder().decode(files.get("config.json")))).toEqual({ ...config, dtype });
    expect(createHash("sha256").update(files.get("model.safetensors")!).digest("hex")).toBe(SHA256[dtype]);

    const loaded = await MiniMaxM1.load(files, { build: "simd", threads: 1 });
    const { logits } = loaded.forward([[...expected.get("input_ids")!.data]]);
    loaded.dispose();
    expect(maxAbsDiff(logits, expected.get(`logits.${dtype}`)!.data)).toBeLessThanOrEqual(GOLDEN.logits);
  });
});
