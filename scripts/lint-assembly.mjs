// Lints assembly/ with Biome. Biome's parser refuses decorators of functions (`@inline`), so it gets copies in which a comment of the same
// length replaces each decorator. Lines and columns of its messages are therefore those of the sources. The sources are not formatted,
// because kernels put a row of a register tile on a line. Lines are at most 150 columns long.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const MAX_COLUMNS = 150;

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "build/lint");
const config = {
  root: true,
  formatter: { enabled: false },
  assist: { enabled: false },
  linter: {
    rules: {
      preset: "recommended",
      correctness: { noPrecisionLoss: "off", noUnusedVariables: "error", noUnusedImports: "error", noUnusedFunctionParameters: "off" },
      suspicious: {
        // AssemblyScript compares numbers, and `x != x` is its test for NaN.
        noDoubleEquals: "off",
        noSelfCompare: "off",
        // Constants of series are written with all digits of their float32 value.
        noApproximativeNumericConstant: "off",
      },
    },
  },
};

rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, "assembly"), { recursive: true });
writeFileSync(join(folder, "biome.json"), JSON.stringify(config));
let failed = false;
for (const file of readdirSync(join(root, "assembly")).filter((name) => name.endsWith(".ts"))) {
  const text = readFileSync(join(root, "assembly", file), "utf8");
  writeFileSync(join(folder, "assembly", file), text.replace(/@inline /g, "/* @i */"));
  for (const [i, line] of text.split("\n").entries()) {
    if (line.length <= MAX_COLUMNS) continue;
    failed = true;
    console.error(`assembly/${file}:${i + 1}: expected at most ${MAX_COLUMNS} columns, got ${line.length}`);
  }
}
const biome = join(dirname(createRequire(import.meta.url).resolve("@biomejs/biome/package.json")), "bin/biome");
const { status } = spawnSync(process.execPath, [biome, "lint", "--error-on-warnings", "--max-diagnostics=100", "assembly"], {
  cwd: folder,
  stdio: "inherit",
});
process.exitCode = failed ? 1 : (status ?? 1);
