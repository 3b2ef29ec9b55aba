// Adds `| undefined` to the type of every optional property in dist/node/*.d.ts. The library is compiled without
// exactOptionalPropertyTypes, so `signal?: AbortSignal` may be undefined. In a project that is compiled with this option, the same
// declaration would not allow undefined.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const folder = fileURLToPath(new URL("../dist/node/", import.meta.url));
/** Replaces TypeScript's own `Partial` in files that use it. */
const PARTIAL = "type Partial<T> = { [Key in keyof T]?: T[Key] | undefined };\n";

for (const name of readdirSync(folder).filter((name) => name.endsWith(".d.ts"))) {
  const file = join(folder, name);
  const text = readFileSync(file, "utf8");
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest);
  const types = [];
  const visit = (node) => {
    const property = ts.isPropertySignature(node) || ts.isPropertyDeclaration(node) || ts.isMappedTypeNode(node);
    if (property && node.questionToken && node.type && !/\| undefined$/.test(node.type.getText(source))) types.push(node.type);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const insertions = types.flatMap((type) =>
    ts.isFunctionTypeNode(type) || ts.isConditionalTypeNode(type)
      ? [
          { at: type.getStart(source), part: "(" },
          { at: type.end, part: ") | undefined" },
        ]
      : [{ at: type.end, part: " | undefined" }],
  );
  let widened = "";
  let last = 0;
  for (const { at, part } of insertions.sort((a, b) => a.at - b.at)) {
    widened += text.slice(last, at) + part;
    last = at;
  }
  widened += text.slice(last);
  writeFileSync(file, /\bPartial</.test(text) && !text.includes(PARTIAL) ? widened + PARTIAL : widened);
}
