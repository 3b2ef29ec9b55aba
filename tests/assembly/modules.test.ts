import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import binaryen from "binaryen";
import { describe, expect, test } from "vitest";

const read = (name: string) => readFileSync(fileURLToPath(new URL(`../../build/wasm/${name}`, import.meta.url)));

/** Bytes that each module may have; it travels in every bundle. */
const BUDGET = { simd: 71_000, relaxed: 71_000, debug: 68_000 };

describe.each(Object.entries(BUDGET))("the %s module", (name, budget) => {
  const bytes = read(`${name}.wasm`);

  test("imports its memory and nothing else", () => {
    const module = new WebAssembly.Module(bytes);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
  });

  test(`stays below ${budget} bytes`, () => {
    expect(bytes.length).toBeLessThan(budget);
  });

  test("has relaxed instructions if and only if it is the relaxed build", () => {
    const module = binaryen.readBinary(bytes);
    expect(/relaxed/.test(module.emitText())).toBe(name === "relaxed");
    module.dispose();
  });

  test("is in the package as the same bytes, compressed, in less than 36,000 characters", () => {
    const source = read(`${name}.packed.js`).toString();
    const [, packed] = /"([^"]+)"/.exec(source)!;
    expect(inflateSync(Buffer.from(packed!, "base64")).equals(bytes)).toBe(true);
    expect(packed!.length).toBeLessThan(36_000);
  });
});
