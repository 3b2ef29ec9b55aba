import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../src", import.meta.url));

/** What each ring may import besides itself. Files at the top of src are the public surface and may import everything but the command line. */
const allowed: Record<string, string[]> = {
  runtime: [],
  ops: ["runtime"],
  layers: ["ops", "runtime"],
  model: ["layers", "ops", "runtime"],
  io: ["model", "runtime"],
  generate: ["model", "ops", "runtime"],
  analysis: ["model", "runtime"],
  train: ["generate", "io", "model", "ops", "runtime"],
  rl: ["generate", "io", "model", "ops", "runtime", "train"],
  node: ["io", "model", "runtime"],
  cli: [".", "analysis", "rl", "serve", "train"],
  remote: [".", "generate", "io", "model", "runtime"],
  "ai-sdk": [".", "generate", "io", "runtime"],
  ".": ["runtime", "ops", "layers", "model", "io", "generate", "analysis", "train", "rl"],
  serve: [".", "generate", "io", "model", "runtime"],
};

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

function ringOf(file: string): string {
  return file.includes("/") ? file.split("/")[0]! : ".";
}

function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), "utf8");
  return [...source.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);
}

test("imports point one way", () => {
  expect(files.length).toBeGreaterThan(20);
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => target.startsWith("."))
      .map((target) => normalize(join(dirname(file), target)))
      .filter((target) => !target.startsWith(".."))
      .filter((target) => ringOf(target) !== ringOf(file) && !allowed[ringOf(file)]?.includes(ringOf(target)))
      .map((target) => `${file} must not import ${target}: ${ringOf(file)} may import ${allowed[ringOf(file)]?.join(", ") || "nothing"}`),
  );
  expect(wrong).toEqual([]);
});

test("only the edges know Node", () => {
  const wrong = files
    .filter((file) => !["node", "cli"].includes(ringOf(file)))
    .filter((file) => importsOf(file).some((target) => target.startsWith("node:") || target.startsWith("@huggingface/hub")));
  expect(wrong).toEqual([]);
});

test("only the runtime knows WebAssembly, and no layer knows a pointer", () => {
  const outside = files.filter((file) => ringOf(file) !== "runtime" && /\bWebAssembly\b/.test(readFileSync(join(root, file), "utf8")));
  const pointers = files.filter((file) => ringOf(file) === "layers" && /\.ptr\b|\.kernels\b/.test(readFileSync(join(root, file), "utf8")));
  expect([...outside, ...pointers]).toEqual([]);
});
