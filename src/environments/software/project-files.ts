import { InputError, SandboxError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printedJson } from "../../base/printed.js";
import type { SourceFile, TestProject } from "./test-report.js";

/** Longest sum of the texts of a project, in characters. */
const MAX_PROJECT_CHARACTERS = 32 * 2 ** 20;
const MAX_FILES = 10_000;
const MAX_PATH = 500;

/**
 * Checks the paths of a project.
 *
 * @throws {InputError} a path that is absolute, leaves the project or is no path of a file; a test that is not among the files
 */
export function checkProject(project: TestProject): void {
  const where = "runTests: project";
  expectArgument(where, isObjectLike(project), "{ files, tests }", project);
  expectArgument(`${where}.files`, isObjectLike(project.files), "an object with the text of each file by its path", project.files);
  expectArgument(`${where}.tests`, Array.isArray(project.tests), "an array of paths", project.tests);
  const unknown = Object.keys(project).find((field) => field !== "files" && field !== "tests");
  if (unknown !== undefined) {
    throw new InputError(`${where}: ${printedJson(unknown)}: unknown field (fields: files, tests). Options are the second argument.`);
  }
  const paths = Object.keys(project.files);
  if (paths.length > MAX_FILES) throw new InputError(`${where}.files: expected at most ${MAX_FILES} files, got ${paths.length}`);
  let characters = 0;
  for (const path of paths) {
    checkPath(path, where);
    const text = project.files[path];
    expectArgument(`${where}.files[${printedJson(path)}]`, typeof text === "string", "the text of the file", text);
    characters += text!.length;
  }
  if (characters > MAX_PROJECT_CHARACTERS) {
    throw new InputError(`${where}.files: expected at most ${MAX_PROJECT_CHARACTERS} characters, got ${characters}`);
  }
  const folders = new Set(paths.flatMap((path) => path.split("/").map((_, i, all) => all.slice(0, i).join("/"))));
  const both = paths.find((path) => folders.has(path));
  if (both !== undefined) throw new InputError(`${where}.files: expected files, got ${printedJson(both)} as a file and as a folder`);
  for (const [i, path] of project.tests.entries()) {
    const fits = typeof path === "string" && Object.hasOwn(project.files, path) && /\.m?[jt]s$/.test(path);
    expectArgument(`${where}.tests[${i}]`, fits, "a path of project.files that ends in .js, .mjs, .ts or .mts", path);
  }
  if (new Set(project.tests).size < project.tests.length) throw new InputError(`${where}.tests: expected unique paths, got a path twice`);
}

function checkPath(path: string, where: string): void {
  const segments = path.split("/");
  const problem =
    path.length > MAX_PATH
      ? `more than ${MAX_PATH} characters`
      : path.startsWith("/") || /^[A-Za-z]:/.test(path)
        ? "an absolute path"
        : segments.includes("..")
          ? "a path that may leave the project"
          : // biome-ignore lint/suspicious/noControlCharactersInRegex: names with control characters are refused
            segments.some((segment) => segment === "" || segment === "." || segment.length > 200 || /[\\\u0000-\u001f\u007f]/.test(segment))
            ? "another text"
            : undefined;
  if (problem) {
    throw new InputError(
      `${where}.files: ${printedJson(path.slice(0, MAX_PATH))}: expected a relative path such as "src/sum.js", got ${problem}`,
    );
  }
}

/**
 * Removes the types of TypeScript files.
 *
 * @throws {SandboxError} there are TypeScript files, and the package `sucrase` is not installed
 */
export async function sourceFiles(files: TestProject["files"]): Promise<Map<string, SourceFile>> {
  const sources = new Map<string, SourceFile>();
  for (const [path, text] of Object.entries(files)) {
    if (!/\.m?ts$/.test(path) || /\.d\.m?ts$/.test(path)) sources.set(path, { text });
    else sources.set(path, await stripTypes(path, text));
  }
  return sources;
}

async function stripTypes(path: string, text: string): Promise<SourceFile> {
  const { transform } = await loadSucrase(path);
  try {
    return { text: transform(text, { transforms: ["typescript"], disableESTransforms: true, filePath: path }).code };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

async function loadSucrase(path: string): Promise<typeof import("sucrase")> {
  // Bundlers accept missing packages in a try block.
  try {
    return await import("sucrase");
  } catch (cause) {
    throw new SandboxError(
      `runTests: ${path}: TypeScript needs an optional package: expected sucrase, got no installed package. Install: npm i sucrase`,
      { cause },
    );
  }
}
