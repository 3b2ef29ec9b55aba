// Writes api/*.txt: every name that an entry of the package exports, with its declaration, but without comments and private members. A
// change of the public API is then visible in review as a change of a file. tests/package/api.test.ts compares the files with the build.
// Usage: npm run build && node scripts/api-report.mjs
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Returns the report of each entry, by file name. */
export function apiReports() {
  const { exports } = JSON.parse(readFileSync(path("../package.json"), "utf8"));
  const entries = Object.entries(exports)
    .filter(([, { types }]) => types?.startsWith("./dist/node/"))
    .map(([entry, { types }]) => ({ name: entry.slice(2) || "index", file: path(`../${types}`) }));
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      skipLibCheck: true,
      noLib: true,
    },
  );
  const checker = program.getTypeChecker();
  return new Map(
    entries.map(({ name, file }) => {
      const module = checker.getSymbolAtLocation(program.getSourceFile(file));
      const names = checker.getExportsOfModule(module).sort((a, b) => (a.name < b.name ? -1 : 1));
      return [`${name}.txt`, `${names.map((symbol) => describe(symbol, checker)).join("\n\n")}\n`];
    }),
  );
}

function describe(symbol, checker) {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const printer = ts.createPrinter({ removeComments: true });
  const texts = (target.declarations ?? []).map((declaration) => {
    const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
    return printer.printNode(ts.EmitHint.Unspecified, publicPart(node), node.getSourceFile());
  });
  return `// ${symbol.name}\n${texts.join("\n")}`.replaceAll(/^declare /gm, "");
}

/** Returns a class declaration without its private members. */
function publicPart(node) {
  if (!ts.isClassDeclaration(node)) return node;
  const isPrivate = (member) =>
    ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private || (member.name && ts.isPrivateIdentifier(member.name));
  return ts.factory.updateClassDeclaration(
    node,
    node.modifiers,
    node.name,
    node.typeParameters,
    node.heritageClauses,
    node.members.filter((member) => !isPrivate(member)),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(path("../api"), { recursive: true, force: true });
  mkdirSync(path("../api"));
  for (const [file, text] of apiReports()) writeFileSync(path(`../api/${file}`), text);
}
