import { expectArgument, isObjectLike } from "../../base/options.js";
import { printedJson } from "../../base/printed.js";
import { PatchError } from "./patch-error.js";

/** Text files by path. Paths are relative and separated by `/`. */
export type FileMap = Readonly<Record<string, string>>;

/** @throws {InputError} another value than an object of texts */
export function expectFiles(where: string, files: unknown): void {
  const fits = isObjectLike(files) && Object.values(files).every((text) => typeof text === "string");
  expectArgument(where, fits, "an object of texts by path", files);
}

/** Longest path and longest name in it, as the sandbox accepts them. */
const MAX_PATH = 500;
const MAX_NAME = 200;
/** Largest project, as the sandbox accepts it. */
const MAX_FILES = 10_000;
const MAX_CHARACTERS = 32 * 2 ** 20;

/** Names that file systems may resolve to the folder or the settings of git. */
const GIT_METADATA = /^(?:\.git[. ]*|git~\d+|\.gitmodules|\.gitattributes)$/i;

/**
 * Checks a path that an answer names. A leading `./` is removed.
 *
 * @throws {PatchError} a path that is absolute, leaves its folder, or belongs to git
 */
export function checkPath(given: string, where: string): string {
  const path = given.replace(/^(?:\.\/)+/, "");
  const fail = (expected: string) => new PatchError(`${where}: expected ${expected}, got ${printedJson(given.slice(0, 100))}`);
  if (path === "" || path.length > MAX_PATH) throw fail("a path of 1 to 500 characters");
  if (/^(?:\/|[a-z]:)/i.test(path)) throw fail("a relative path");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what paths must not contain
  if (/[\\\u0000-\u001f\u007f]/.test(path)) throw fail("a path with / and without control characters");
  const segments = path.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) throw fail("a path inside the project");
  if (segments.some((segment) => segment.length > MAX_NAME)) throw fail("names of at most 200 characters");
  if (segments.some((segment) => GIT_METADATA.test(segment))) throw fail("a path outside git's metadata");
  return path;
}

/** Whether a file belongs to the tests, by its name: in a folder `test`, `tests` or `__tests__`, or `*.test.js`, `*.spec.ts` and the like. */
export function isTestFile(path: string): boolean {
  return /(?:^|\/)(?:tests?|__tests__)\/|\.(?:test|spec)\.[cm]?[jt]sx?$/.test(path);
}

/** Checks a changed project as a whole. @throws {PatchError} a file that is also a folder, or a project that is too large */
export function checkFiles(files: FileMap): FileMap {
  const paths = Object.keys(files);
  const folders = new Set(paths.flatMap((path) => path.split("/").map((_, i, all) => all.slice(0, i).join("/"))));
  const both = paths.find((path) => folders.has(path));
  if (both !== undefined) throw new PatchError(`answer: expected files, got ${printedJson(both)} as a file and as a folder`);
  const characters = Object.values(files).reduce((sum, { length }) => sum + length, 0);
  if (paths.length > MAX_FILES || characters > MAX_CHARACTERS) {
    throw new PatchError(
      `answer: expected at most ${MAX_FILES} files and ${MAX_CHARACTERS} characters, got ${paths.length} and ${characters}`,
    );
  }
  return files;
}
