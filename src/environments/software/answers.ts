import { expectArgument } from "../../base/options.js";
import { withoutReasoning } from "../long-context/responses.js";
import { applyEdits, hasEdits, parseEdits, type SearchReplace } from "./edits.js";
import { applyPatch, isPatch } from "./patch.js";
import { PatchError } from "./patch-error.js";
import { checkFiles, type FileMap } from "./paths.js";

/** The change in a response: a unified diff or search/replace blocks. */
export type RepairAnswer = { readonly patch: string } | { readonly edits: readonly SearchReplace[] };

/** A fenced block at the beginning of a line. The closing fence is at least as long as the opening one. */
const FENCED = /^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[`~]*[ \t]*$/gms;

/**
 * Reads the answer in a response, after the reasoning: all search/replace blocks, otherwise the last fenced block with a diff, otherwise the
 * whole text if it is a diff.
 *
 * @throws {PatchError} a response without an answer, or an unreadable block
 */
export function parseRepairAnswer(response: string): RepairAnswer {
  expectArgument("parseRepairAnswer: response", typeof response === "string", "a string", response);
  const text = withoutReasoning("parseRepairAnswer", response).replaceAll("\r\n", "\n");
  if (hasEdits(text)) return { edits: parseEdits(text) };
  const fenced = [...text.matchAll(FENCED)].map(([, , body]) => body!).filter(isPatch);
  const patch = fenced.at(-1) ?? (isPatch(text) ? text : undefined);
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
  return checkFiles("patch" in answer ? applyPatch(files, answer.patch) : applyEdits(files, answer.edits));
}
