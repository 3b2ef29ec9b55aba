import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    maxConcurrency: 2,
    reporters: process.env.CI ? ["default", ["json", { outputFile: "../../build/examples-report.json" }]] : ["default"],
  },
});
