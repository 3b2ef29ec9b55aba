import { expectArgument, isObjectLike } from "../../base/options.js";
import { withoutReasoning } from "../../text/without-reasoning.js";
import { applyEdits, hasEdits, parseEdits, type SearchReplace } from "./edits.js";
import { applyPatch, isPatch } from "./patch.js";
import { PatchError } from "./patch-error.js";
import { checkFiles, expectFiles, type FileMap } from "./paths.js";

/** The change in a response: a unified diff or search/replace blocks. */
export type RepairAnswer = { readonly patch: string } | { readonly edits: readonly SearchReplace[] };

/** Longest answer in characters. */
const MAX_ANSWER = 1_000_000;

/**
 * Reads the answer in a response, after the reasoning: all search/replace blocks, otherwise the last fenced block with a diff, otherwise the
 * whole text if it is a diff.
 *
 * @throws {PatchError} a response without an answer, or an unreadable block
 */
export function parseRepairAnswer(response: string): RepairAnswer {
  expectArgument("parseRepairAnswer: response", typeof response === "string", "a string", response);
  const text = withoutReasoning("parseRepairAnswer", response).replaceAll("\r\n", "\n");
  if (text.length > MAX_ANSWER) throw new PatchError(`answer: expected at most ${MAX_ANSWER} characters, got ${text.length}`);
  if (hasEdits(text)) return { edits: parseEdits(text) };
  const patch = fencedBlocks(text).findLast(isPatch) ?? (isPatch(text) ? text : undefined);
  if (patch === undefined) throw new PatchError("answer: expected a unified diff or search/replace blocks, got neither");
  return { patch };
}

/**
 * Applies the answer in a response to the files of a project.
 *
 * @returns all files after the change
 * @throws {PatchError} an answer that cannot be read or does not apply
 */
export function applyRepairAnswer(files: FileMap, answer: RepairAnswer): FileMap {
  expectFiles("applyRepairAnswer: files", files);
  const fits = isObjectLike(answer) && ("patch" in answer ? typeof answer.patch === "string" : isEdits(answer.edits));
  expectArgument("applyRepairAnswer: answer", fits, "{ patch } or { edits }, as parseRepairAnswer returns it", answer);
  return checkFiles("patch" in answer ? applyPatch(files, answer.patch) : applyEdits(files, answer.edits));
}

/** The contents of fenced blocks. A closing fence is at least as long as the opening one. */
function fencedBlocks(text: string): string[] {
  const blocks: string[] = [];
  let open: { readonly fence: string; readonly lines: string[] } | undefined;
  for (const line of text.split("\n")) {
    const fence = /^(?:`{3,}|~{3,})/.exec(line)?.[0];
    if (!open) {
      if (fence) open = { fence, lines: [] };
    } else if (fence?.startsWith(open.fence) && line.trim() === fence) {
      blocks.push(open.lines.map((one) => `${one}\n`).join(""));
      open = undefined;
    } else open.lines.push(line);
  }
  return blocks;
}

function isEdits(edits: unknown): boolean {
  const texts = ["path", "search", "replace"] as const;
  return (
    Array.isArray(edits) &&
    edits.every((edit) => isObjectLike(edit) && texts.every((name) => typeof (edit as SearchReplace)[name] === "string"))
  );
}
