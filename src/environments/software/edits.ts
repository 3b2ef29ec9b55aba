// Edits as blocks of the text to find and the text to put in its place.

import { PatchError } from "./patch-error.js";
import { checkPath, type FileMap } from "./paths.js";

/** A replacement in one file. An empty `search` creates a file. */
export interface SearchReplace {
  readonly path: string;
  readonly search: string;
  readonly replace: string;
}

const SEARCH = /^<{5,9} ?SEARCH\s*$/;
const DIVIDER = /^={5,9}\s*$/;
const REPLACE = /^>{5,9} ?REPLACE\s*$/;
const FENCE = /^\s*(?:```|~~~)/;

/** Returns whether a text has the beginning of a search/replace block. */
export function hasEdits(text: string): boolean {
  return text.split("\n").some((line) => SEARCH.test(line));
}

/**
 * Reads all search/replace blocks of a text. The path of a block is the line before it, apart from fences; a block without one belongs to
 * the file of the block before.
 *
 * @throws {PatchError} a block without path or end
 */
export function parseEdits(text: string): SearchReplace[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const edits: SearchReplace[] = [];
  let path: string | undefined;
  let before: string | undefined;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (!SEARCH.test(line)) {
      if (line.trim() !== "" && !FENCE.test(line)) before = line;
      continue;
    }
    path = (before === undefined ? undefined : pathIn(before)) ?? path;
    if (path === undefined) throw new PatchError(`edit: line ${i + 1}: expected a path before the block, got none`);
    const divider = findLine(lines, i + 1, DIVIDER);
    const end = findLine(lines, divider + 1, REPLACE);
    if (end === lines.length) throw new PatchError(`edit: ${path}: expected ======= and >>>>>>> REPLACE after <<<<<<< SEARCH, got neither`);
    const search = lines.slice(i + 1, divider);
    if (search.some((other) => SEARCH.test(other))) throw new PatchError(`edit: ${path}: expected =======, got another <<<<<<< SEARCH`);
    edits.push({
      path: checkPath(path, "edit"),
      search: search.join("\n"),
      replace: lines.slice(divider + 1, end).join("\n"),
    });
    before = undefined;
    i = end;
  }
  return edits;
}

/** Index of the first line from `start` on that fits, or the number of lines. */
function findLine(lines: readonly string[], start: number, expression: RegExp): number {
  let at = start;
  while (at < lines.length && !expression.test(lines[at]!)) at++;
  return Math.min(at, lines.length);
}

/** Longest line that is looked at for a path. */
const MAX_PATH_LINE = 600;

/** The path in a line such as "### src/a.js", "`src/a.js`:" or "File: src/a.js". Undefined for prose. */
function pathIn(line: string): string | undefined {
  if (line.length > MAX_PATH_LINE) return undefined;
  const name = line
    .trim()
    .replace(/^(?:#+|[-*]|\/\/)\s+/, "")
    .replace(/^(?:file|path)\s*:\s*/i, "")
    .replace(/^[*`]+|[*`:]+$/g, "")
    .trim();
  return name === "" || /\s/.test(name) ? undefined : name;
}

/**
 * Applies search/replace blocks in order. Each searched text has to be whole lines that occur exactly once.
 *
 * @returns all files after the change
 * @throws {PatchError} an unknown file, or a text that does not occur exactly once
 */
export function applyEdits(files: FileMap, edits: readonly SearchReplace[]): FileMap {
  const result = new Map(Object.entries(files));
  for (const { path, search, replace } of edits) {
    const text = result.get(path);
    if (search.trim() === "") {
      if (text) throw new PatchError(`edit: ${path}: expected lines to search for, got none (an empty search creates a file)`);
      result.set(path, withNewline(replace));
      continue;
    }
    if (text === undefined) throw new PatchError(`edit: ${path}: expected a file of the project, got an unknown path`);
    // The line breaks around the searched lines keep the match from beginning or ending inside a line.
    const lines = `\n${withNewline(text.replaceAll("\r\n", "\n"))}`;
    const changed = replaceOnce(lines, `\n${search}\n`, replace === "" ? "\n" : `\n${replace}\n`, path).slice(1);
    result.set(path, text.includes("\r\n") ? changed.replaceAll("\n", "\r\n") : changed);
  }
  return Object.fromEntries(result);
}

/** Replaces a text that occurs exactly once. @throws {PatchError} another number of occurrences */
export function replaceOnce(text: string, search: string, replace: string, path: string): string {
  const at = text.indexOf(search);
  if (at < 0) {
    const loosely = squeeze(text).includes(squeeze(search));
    const remedy = loosely ? "whole lines have to match, white space included" : "copy the text exactly from the file";
    throw new PatchError(`edit: ${path}: expected the text ${excerpt(search)}, got a file without it (${remedy})`);
  }
  // Occurrences may overlap by a line break.
  if (text.indexOf(search, at + 1) >= 0) {
    throw new PatchError(`edit: ${path}: expected a text that occurs once, got ${excerpt(search)} several times (add lines around it)`);
  }
  return text.slice(0, at) + replace + text.slice(at + search.length);
}

const squeeze = (text: string) => text.replaceAll(/\s+/g, " ").trim();
const excerpt = (text: string) => JSON.stringify(text.trim().slice(0, 80));
const withNewline = (text: string) => (text === "" || text.endsWith("\n") ? text : `${text}\n`);
