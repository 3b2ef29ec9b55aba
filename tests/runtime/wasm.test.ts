import { afterEach, expect, test, vi } from "vitest";
import { LightningError } from "../../src/base/errors.js";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

test.each(["auto", "simd"] as const)("build %s: kernels that cannot be read are an error, which is not remembered", async (build) => {
  vi.resetModules();
  const { compile } = await import("../../src/runtime/wasm.js");
  vi.stubGlobal("DecompressionStream", undefined);
  const error = await compile(build).catch((error: unknown) => error);
  expect((error as Error).name).toBe(new LightningError("").name);
  expect((error as Error).message).toMatch(/^build: (simd|relaxed):.*DecompressionStream.*bundle/);
  vi.unstubAllGlobals();
  expect((await compile(build)).module).toBeInstanceOf(WebAssembly.Module);
});
