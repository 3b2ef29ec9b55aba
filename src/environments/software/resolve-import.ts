const EXTENSIONS = ["", ".js", ".mjs", ".ts", ".mts", ".json", "/index.js", "/index.mjs", "/index.ts", "/index.mts"];
const NAMES: Readonly<Record<string, string>> = {
  "node:test": "node:test",
  assert: "node:assert",
  "assert/strict": "node:assert/strict",
  "node:assert": "node:assert",
  "node:assert/strict": "node:assert/strict",
};

/** Returns the full name of a module that the harness provides, or undefined. */
export function harnessModule(specifier: string): string | undefined {
  return Object.hasOwn(NAMES, specifier) ? NAMES[specifier] : undefined;
}

/**
 * Finds the file that a relative import means, as Node does, and with the extensions left out that bundlers add. As in TypeScript, `.js`
 * may also stand for `.ts`.
 */
export function resolveImport(importer: string, specifier: string, exists: (path: string) => boolean): string | undefined {
  if (!/^\.\.?(\/|$)/.test(specifier)) return undefined;
  const segments = importer.split("/").slice(0, -1);
  for (const segment of specifier.split("/")) {
    if (segment === "..") {
      if (segments.pop() === undefined) return undefined;
    } else if (segment !== "." && segment !== "") segments.push(segment);
  }
  const path = segments.join("/");
  const candidates = [...EXTENSIONS.map((extension) => path + extension), path.replace(/\.(m?)js$/, ".$1ts")];
  return candidates.find((candidate) => exists(candidate.replace(/^\//, "")))?.replace(/^\//, "");
}
