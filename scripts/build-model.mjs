// Writes the model in the box, models/m1-puzzles, as one ES module: build/model.js with its files in base64, loaded only by who asks for it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "models/m1-puzzles");
const names = readdirSync(source).filter((name) => /\.(json|safetensors)$/.test(name));
const encoded = Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(source, name)).toString("base64")]));
mkdirSync(join(root, "build"), { recursive: true });
writeFileSync(
  join(root, "build/model.js"),
  `const encoded = ${JSON.stringify(encoded)};
const decode = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
export const files = new Map(Object.entries(encoded).map(([name, base64]) => [name, decode(base64)]));
`,
);
writeFileSync(join(root, "build/model.d.ts"), "export declare const files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;\n");
