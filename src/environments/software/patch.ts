// Unified diffs, as git and models write them: reading, applying, writing.

import { applyPatch as applyHunks, formatPatch, parsePatch, type StructuredPatch, structuredPatch } from "diff";
import { expectArgument } from "../../base/options.js";
import { PatchError } from "./patch-error.js";
import { checkPath, expectFiles, type FileMap } from "./paths.js";
import { recountHunks } from "./recount-hunks.js";

/** Number of context lines of a hunk that may differ from the file. */
const FUZZ = 2;

/** Modes of symbolic links and submodules, in the header of a file. Lines of a hunk begin with `+`, `-` or a space. */
const SPECIAL_MODE = /^(?:new|old|deleted)(?: file)? mode (?:120000|160000)\s*$/m;

/** Git's encoding of binary files. Without the rest of git's headers, it would be read as a file without lines. */
const BINARY = /^(?:GIT binary patch|Binary files .* differ)\s*$/m;

/** Most lines that the shortest difference of two files may have. Its search takes time that grows with the square of this number. */
const MAX_EDIT = 1000;

/** A change of one file. `from` is undefined for a new file, `to` for a deleted one. */
interface FilePatch {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly patch: StructuredPatch;
}

/**
 * Applies a unified diff. Line numbers may be wrong, and up to two context lines of each hunk may differ, as with `patch`. Creates, deletes
 * and renames files.
 *
 * @returns all files after the change
 * @throws {PatchError} a text that is not a diff, a hunk that does not apply, or a path that is not allowed
 */
export function applyPatch(files: FileMap, patch: string): FileMap {
  expectArgument("applyPatch: patch", typeof patch === "string", "a unified diff", patch);
  expectFiles("applyPatch: files", files);
  const result = new Map(Object.entries(files));
  for (const { from, to, patch: change } of readPatch(patch)) {
    const source = from === undefined ? "" : result.get(from);
    if (source === undefined) throw new PatchError(`patch: ${from}: expected a file of the project, got an unknown path`);
    if (to !== undefined && to !== from && result.has(to)) throw new PatchError(`patch: ${to}: expected a new path, got an existing file`);
    const text = applyFile(source, change, from ?? to!);
    if (from !== undefined && to !== from && !change.isCopy) result.delete(from);
    if (to !== undefined) result.set(to, text);
    else if (text !== "") throw new PatchError(`patch: ${from}: expected a deletion of all lines, got a patch that leaves some`);
  }
  return Object.fromEntries(result);
}

/** Returns the paths that a diff changes, creates or deletes. @throws {PatchError} as `applyPatch` */
export function patchedPaths(patch: string): string[] {
  return [...new Set(readPatch(patch).flatMap(({ from, to }) => [from, to].filter((path) => path !== undefined)))];
}

/** Line numbers that a diff changes, by path of the old file, from 1. An insertion counts as the lines before and after it. */
export function patchedLines(patch: string): Map<string, number[]> {
  const lines = new Map<string, number[]>();
  for (const { from, patch: change } of readPatch(patch)) {
    if (from === undefined) continue;
    const changed = new Set(lines.get(from));
    for (const hunk of change.hunks) {
      let at = hunk.oldStart;
      for (const [i, line] of hunk.lines.entries()) {
        if (line.startsWith("-")) changed.add(at);
        // A replacement is located by the lines that it removes.
        else if (line.startsWith("+") && !hunk.lines[i - 1]?.match(/^[-+]/) && !hunk.lines[i + 1]?.startsWith("-")) {
          changed.add(Math.max(1, at - 1)).add(at);
        }
        if (!/^[+\\]/.test(line)) at++;
      }
    }
    lines.set(from, [...changed]);
  }
  return lines;
}

/**
 * Creates a diff in git's format, with three lines of context. Empty if nothing changed. Files with very many differences are replaced as a
 * whole.
 *
 * @throws {InputError} values that are not files
 */
export function createPatch(before: FileMap, after: FileMap): string {
  expectFiles("createPatch: before", before);
  expectFiles("createPatch: after", after);
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const changed = paths.filter((path) => before[path] !== after[path]);
  return changed
    .map((path) => {
      const patch = filesPatch(path, before[path] ?? "", after[path] ?? "");
      const isCreate = !Object.hasOwn(before, path);
      const isDelete = !Object.hasOwn(after, path);
      return formatPatch({
        ...patch,
        isGit: true,
        ...(isCreate && { oldFileName: "/dev/null", isCreate, newMode: "100644" }),
        ...(isDelete && { newFileName: "/dev/null", isDelete, oldMode: "100644" }),
      });
    })
    .join("");
}

function filesPatch(path: string, before: string, after: string): StructuredPatch {
  const create = (old: string, updated: string, limit: { maxEditLength?: number } = {}) =>
    structuredPatch(`a/${path}`, `b/${path}`, old, updated, undefined, undefined, { context: 3, ...limit });
  const shortest = before === "" || after === "" ? create(before, after) : create(before, after, { maxEditLength: MAX_EDIT });
  if (shortest) return shortest;
  const [removed, added] = [create(before, ""), create("", after)].map(({ hunks }) => hunks[0]!);
  const { oldStart, oldLines } = removed!;
  const { newStart, newLines } = added!;
  return { ...create("", ""), hunks: [{ oldStart, oldLines, newStart, newLines, lines: [...removed!.lines, ...added!.lines] }] };
}

/** Returns whether a text has the headers or hunks of a unified diff. */
export function isPatch(text: string): boolean {
  return /^(?:diff --git |--- \S.*\n\+\+\+ \S|rename from )/m.test(text);
}

function readPatch(text: string): FilePatch[] {
  if (SPECIAL_MODE.test(text)) throw new PatchError("patch: expected regular files, got a symbolic link or a submodule");
  if (BINARY.test(text)) throw new PatchError("patch: expected text files, got a binary patch");
  const changes = parseLiberally(text).map(filePatch);
  if (changes.length === 0) throw new PatchError("patch: expected a unified diff with --- and +++ lines, got a text without changes");
  return changes;
}

/** Reads a diff. The line counts of its hunks are corrected if they are wrong. */
function parseLiberally(text: string): StructuredPatch[] {
  const unix = text.replaceAll("\r\n", "\n");
  try {
    return namedFiles(parsePatch(unix));
  } catch {
    // Models rarely count lines correctly.
  }
  try {
    return namedFiles(parsePatch(recountHunks(unix)));
  } catch (cause) {
    throw new PatchError(`patch: expected a unified diff, got ${(cause as Error).message}`, { cause });
  }
}

/** Removes what is not a change: text before and after the diff. */
function namedFiles(patches: readonly StructuredPatch[]): StructuredPatch[] {
  const lost = patches.find(({ hunks, oldFileName }) => hunks.length > 0 && oldFileName === undefined);
  if (lost) throw new Error("a hunk without --- and +++ lines");
  const empty = patches.find(
    ({ hunks, isRename, isCopy, isCreate, isDelete, isBinary, newMode, oldFileName }) =>
      hunks.length === 0 && oldFileName !== undefined && !isRename && !isCopy && !isCreate && !isDelete && !isBinary && !newMode,
  );
  if (empty) throw new Error(`no hunk for ${empty.oldFileName}`);
  return patches.filter(({ oldFileName, newFileName }) => oldFileName !== undefined || newFileName !== undefined);
}

function filePatch(patch: StructuredPatch): FilePatch {
  const old = patch.oldFileName ?? "";
  const updated = patch.newFileName ?? "";
  if (patch.isBinary) throw new PatchError(`patch: ${old}: expected a text file, got a binary patch`);
  const isPrefixed = [old, updated].every((name, i) => name === "/dev/null" || name.startsWith(i === 0 ? "a/" : "b/"));
  const pathOf = (name: string) => (name === "/dev/null" ? undefined : checkPath(isPrefixed ? name.slice(2) : name, "patch"));
  const from = patch.isCreate ? undefined : pathOf(old);
  const to = patch.isDelete ? undefined : pathOf(updated);
  if (from === undefined && to === undefined) throw new PatchError("patch: expected a path, got /dev/null twice");
  return { from, to, patch };
}

function applyFile(source: string, patch: StructuredPatch, path: string): string {
  // A line number far beyond the end would make the search for the right place endless.
  const lines = source.split("\n").length;
  const hunks = patch.hunks.map((hunk) => ({ ...hunk, oldStart: Math.min(Math.max(hunk.oldStart, 0), lines + 1) }));
  const result = applyHunks(source, { ...patch, hunks }, { fuzzFactor: FUZZ });
  if (result !== false) return result;
  const failed = hunks.find((hunk) => applyHunks(source, { ...patch, hunks: [hunk] }, { fuzzFactor: FUZZ }) === false) ?? hunks[0]!;
  const line = failed.lines.find((text) => /^[- ]\s*\S/.test(text)) ?? failed.lines[0] ?? "";
  throw new PatchError(
    `patch: ${path}: expected the lines of the hunk at line ${failed.oldStart}, got a file without them (near ${JSON.stringify(line.slice(0, 80))})`,
  );
}
