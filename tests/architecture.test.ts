import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../src", import.meta.url));
const picture = readFileSync(new URL("../docs/architecture.md", import.meta.url), "utf8");

/**
 * The rooms of src, each with the rooms that it may import: at run time or for types only, directly or through an alias.
 * A room comes after all rooms that it imports. "." is the public surface, the files at the top of src.
 */
const rooms: Record<string, string[]> = {
  base: [],
  synlogic: ["base"],
  runtime: ["base"],
  io: ["base", "runtime"],
  weights: ["base", "io", "runtime"],
  ops: ["base", "runtime", "weights"],
  layers: ["ops", "runtime", "weights"],
  model: ["base", "layers", "ops", "runtime", "weights"],
  text: ["base"],
  checkpoint: ["base", "io", "model", "runtime", "text", "weights"],
  generate: ["base", "model", "ops", "runtime", "text", "weights"],
  analysis: ["base", "model", "runtime"],
  train: ["base", "io", "model", "ops", "runtime", "text", "weights"],
  rl: ["base", "synlogic", "generate", "model", "text", "train"],
  node: ["base", "io", "model", "runtime"],
  ".": ["base", "checkpoint", "generate", "io", "model", "runtime", "text", "weights"],
  remote: [".", "base", "generate", "io", "model", "text"],
  environments: [".", "base", "generate", "io", "remote", "rl", "text", "train"],
  "ai-sdk": [".", "base", "generate", "text"],
  serve: [".", "base", "environments", "generate", "model", "runtime", "text"],
  worker: [".", "base", "checkpoint", "generate", "io", "model", "runtime", "serve", "text", "weights"],
  "node-entry": [".", "node", "serve", "train"],
  cli: [".", "analysis", "environments", "node", "node-entry", "remote", "rl", "serve", "train"],
};

/** What an alias stands for in a page; the build for Node replaces it by the file of the same name in src/node. */
const aliases: Record<string, string> = {
  "#platform": "io/platform.ts",
  "#sandbox": "base/sandbox.ts",
  "#threads": "runtime/threads.ts",
  "#websocket": "io/websocket.ts",
  "#worker": "worker/worker-endpoint.ts",
};

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

function roomOf(file: string): string {
  return file.includes("/") ? file.split("/")[0]! : ".";
}

interface Import {
  readonly from: string;
  /** A file of src, or the name of a package or of a file outside. */
  readonly to: string;
  readonly types: boolean;
  /** An import() at run time: loaded when that line runs. */
  readonly deferred: boolean;
}

function importsOf(from: string): Import[] {
  const source = readFileSync(join(root, from), "utf8");
  const statements = source.matchAll(
    /^(?:import|export)\s+(type\s)?(?:[^"';]*?\bfrom\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)(\.[A-Z])?/gm,
  );
  return [...statements].map(([, type, fixed, dynamic, member]) => {
    const target = (fixed ?? dynamic)!;
    const path = target.startsWith(".") ? normalize(join(dirname(from), target)).replace(/\.js$/, ".ts") : (aliases[target] ?? target);
    return { from, to: path, types: Boolean(type) || Boolean(member), deferred: Boolean(dynamic) };
  });
}

const imports = files.flatMap(importsOf);
const inside = imports.filter(({ to }) => files.includes(to));

test("every import statement is read, and its file is there", () => {
  expect(files.length).toBeGreaterThan(200);
  expect(inside.length).toBeGreaterThan(1000);
  const lost = imports.filter(({ to }) => to.endsWith(".ts") && !to.startsWith("..") && !files.includes(to));
  expect(lost).toEqual([]);
});

test("rooms import rooms below them only, for types too", () => {
  const order = Object.keys(rooms);
  for (const [room, below] of Object.entries(rooms)) {
    for (const other of below)
      expect(order.indexOf(other), `${room} imports ${other}, which must come first`).toBeLessThan(order.indexOf(room));
  }
  expect([...new Set(files.map(roomOf))].sort()).toEqual([...order].sort());
  const wrong = inside
    .filter(({ from, to }) => roomOf(from) !== roomOf(to) && !rooms[roomOf(from)]!.includes(roomOf(to)))
    .map(({ from, to }) => `${from} imports ${to}: ${roomOf(from)} may import ${rooms[roomOf(from)]!.join(", ") || "nothing"}`);
  expect(wrong).toEqual([]);
});

test("no permission is unused", () => {
  const used = new Set(inside.map(({ from, to }) => `${roomOf(from)} → ${roomOf(to)}`));
  const unused = Object.entries(rooms).flatMap(([room, below]) =>
    below.map((other) => `${room} → ${other}`).filter((arrow) => !used.has(arrow)),
  );
  expect(unused).toEqual([]);
});

test("no file calls URL.canParse, which is wrong in Node 20 and 22 for letters outside ASCII", () => {
  const asks = files.filter((file) => file !== "base/url.ts" && readFileSync(join(root, file), "utf8").includes("canParse"));
  expect(asks).toEqual([]);
});

test("files do not import each other in circles at run time", () => {
  const next = new Map(files.map((file) => [file, inside.filter(({ from, types }) => from === file && !types)]));
  const done = new Set<string>();
  function circleFrom(file: string, path: readonly string[]): string | undefined {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].join(" → ");
    if (done.has(file)) return undefined;
    for (const { to } of next.get(file) ?? []) {
      const circle = circleFrom(to, [...path, file]);
      if (circle) return circle;
    }
    done.add(file);
    return undefined;
  }
  expect(files.map((file) => circleFrom(file, [])).filter(Boolean)).toEqual([]);
});

/** The files that are loaded with a file. */
function loadedWith(file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const { from, to, types, deferred } of inside) if (from === file && !types && !deferred) loadedWith(to, loaded);
  return loaded;
}

test.each(["index.ts", "train/index.ts", "serve/index.ts", "cli/main.ts", "cli/commands/chat.ts", "cli/commands/serve.ts"])(
  "%s loads neither reinforcement learning nor puzzles",
  (entry) => {
    const loaded = loadedWith(entry);
    expect(loaded.has("base/errors.ts")).toBe(true);
    expect([...loaded].filter((file) => ["rl", "synlogic"].includes(roomOf(file)))).toEqual([]);
  },
);

test("the picture in docs/architecture.md is this table", () => {
  const drawn = Object.entries(rooms).map(
    ([room, below]) => `${room === "." ? "(top)" : room} → ${below.map((x) => (x === "." ? "(top)" : x)).join(", ") || "–"}`,
  );
  expect(picture).toContain(`\`\`\`text\n${drawn.join("\n")}\n\`\`\``);
});

test("only the edges import Node", () => {
  const wrong = imports
    .filter(({ from }) => !["node", "node-entry", "cli"].includes(roomOf(from)))
    .filter(({ to }) => to.startsWith("node:") || to.startsWith("@huggingface/hub"));
  expect(wrong).toEqual([]);
});

test("only the runtime and the interpreter of sandboxes use WebAssembly, and no layer uses a pointer", () => {
  const mayUse = (file: string) => roomOf(file) === "runtime" || file.startsWith("environments/software/quickjs");
  const outside = files.filter((file) => !mayUse(file) && /\bWebAssembly\b/.test(readFileSync(join(root, file), "utf8")));
  const pointers = files.filter((file) => roomOf(file) === "layers" && /\.ptr\b|\.kernels\b/.test(readFileSync(join(root, file), "utf8")));
  expect([...outside, ...pointers]).toEqual([]);
});
