import asc from "assemblyscript/asc";
import { expect, test } from "vitest";

const { errorsOf } = await import(new URL("../../scripts/compiler-errors.mjs", import.meta.url).href);

test("a kernel that does not compile is reported without the warnings of other lines", async () => {
  const source = "export function warned(x: usize): i32 { return 4 * x; }\nexport function broken(): i32 { return missing; }\n";
  const { error, stderr } = await asc.main(["source.ts", "--enable", "simd", "--runtime", "stub", "--noEmit"], {
    readFile: (name) => (name === "source.ts" ? source : null),
    writeFile: () => {},
    listFiles: () => [],
  });
  expect(error?.message).toContain("compile error");
  const all = stderr.toString();
  expect(all).toContain("WARNING");
  const errors = errorsOf(all);
  expect(errors).not.toContain("WARNING");
  expect(errors).toContain("Cannot find name 'missing'");
  expect(errors).toContain("in source.ts(2,");
  expect(errors).not.toContain("source.ts(1,");
});

test("text without errors stays whole", () => {
  expect(errorsOf("something else\n")).toBe("something else\n");
});
