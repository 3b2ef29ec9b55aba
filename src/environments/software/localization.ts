// Repair in stages, as in the report on MiniMax-M1: find the files, then the elements in them (functions, classes), then repair these.

import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { withoutReasoning } from "../../text/without-reasoning.js";
import { type CodeElement, elementAt, elementsOf } from "./elements.js";
import { checkRunnable, type SoftwareInstance } from "./instances.js";
import { patchedLines } from "./patch.js";
import { expectFiles, type FileMap, isTestFile } from "./paths.js";
import { type AnswerFormat, answerFormat, codeSection, issueSection } from "./prompts.js";
import { isCode, loadParser } from "./syntax.js";

/** A place in the code: a file, or an element of a file. */
export interface CodeLocation {
  readonly path: string;
  /** Name of the element. Absent for the whole file. */
  readonly element?: string;
}

/** Shares of right places, within [0, 1]. */
export interface LocalizationScore {
  /** Share of the reference solution's places that were named. */
  readonly recall: number;
  /** Share of the named places that are right. 0 if none was named. */
  readonly precision: number;
}

/** What a stage of {@link localizationPrompt} asks for. */
export type LocalizationStage = "files" | "elements" | "repair";

/** Lines around an element that the last stage shows. */
const CONTEXT_LINES = 3;

/**
 * Creates the prompt of a stage.
 *
 * - `files`: shows the issue and the paths of the project, and asks for the files to change
 * - `elements`: shows the outlines of the files in `locations`, and asks for elements
 * - `repair`: shows the code of `locations`, and asks for the change
 *
 * @throws {InputError} an invalid instance, unknown locations, or no @babel/parser
 */
export async function localizationPrompt(
  instance: SoftwareInstance,
  stage: LocalizationStage,
  locations: readonly CodeLocation[] = [],
  format: AnswerFormat = "edits",
): Promise<string> {
  const { files, problem_statement } = checkRunnable(instance, "localizationPrompt: instance");
  const issue = issueSection(problem_statement);
  if (stage === "files") {
    const paths = Object.keys(files).filter((path) => !isTestFile(path));
    const request =
      "Which of these files have to be changed to solve the issue? Answer with their paths, one a line, the most likely first.";
    return [issue, codeSection("Files of the project:", paths.join("\n")), request].join("\n\n");
  }
  expectArgument("localizationPrompt: stage", stage === "elements" || stage === "repair", '"files", "elements" or "repair"', stage);
  const outlines = await outlinesOf(files, pathsOf(locations));
  for (const { path, element } of locations) {
    const isKnown = element === undefined ? Object.hasOwn(files, path) : outlines.get(path)?.some(({ name }) => name === element);
    if (!isKnown) throw new InputError(`localizationPrompt: locations: expected places of the project, got ${path} ${element ?? ""}`);
  }
  if (stage === "elements") {
    const sections = [...outlines].map(([path, elements]) => codeSection(path, outlineText(files[path]!, elements)));
    const request =
      "Which functions, classes, methods or variables have to be changed? Answer with one a line, in the form path: name, " +
      "for example src/cache.js: Cache.get.";
    return [issue, "Outlines of the files:", ...sections, request].join("\n\n");
  }
  const sections = [...outlines].map(([path, elements]) =>
    codeSection(path, excerpt(files[path]!, locationsIn(path, locations), elements)),
  );
  return [issue, "Relevant code:", ...sections, `Solve the issue.\n\n${answerFormat(format)}`].join("\n\n");
}

/**
 * Reads the places in a response, after the reasoning: lines `path` or `path: element`, with or without list signs and backticks. Lines that
 * name no file of the project are skipped.
 */
export function parseLocations(response: string, files: FileMap): CodeLocation[] {
  expectFiles("parseLocations: files", files);
  const found = new Map<string, CodeLocation>();
  for (const line of withoutReasoning("parseLocations", response).split("\n")) {
    const text = line
      .replaceAll(/[`*"']/g, "")
      .replace(/^\s*(?:[-•]|\d+[.)])\s+/, "")
      .trim();
    const [, path = text, name] = /^(\S+?)\s*:{1,2}\s*(.*)$/.exec(text) ?? [];
    if (!Object.hasOwn(files, path) || isTestFile(path)) continue;
    const element = name?.replace(/\(.*$/, "").trim();
    const location = element ? { path, element } : { path };
    found.set(`${path}: ${element ?? ""}`, location);
  }
  return [...found.values()];
}

/** The places that the reference solution changes: its files, and the innermost elements around the changed lines. */
export async function goldLocations(instance: SoftwareInstance): Promise<{ files: CodeLocation[]; elements: CodeLocation[] }> {
  const { files, patch } = checkRunnable(instance, "goldLocations: instance");
  const changed = [...patchedLines(patch)].filter(([path]) => Object.hasOwn(files, path));
  const outlines = await outlinesOf(
    files,
    changed.map(([path]) => path),
  );
  const elements = changed.flatMap(([path, lines]) => {
    const names = lines.map((line) => elementAt(outlines.get(path)!, line)?.name).filter((name) => name !== undefined);
    return [...new Set(names)].map((element) => ({ path, element }));
  });
  return { files: changed.map(([path]) => ({ path })), elements };
}

/** Compares places with those of the reference solution, by files or by elements. */
export async function scoreLocalization(
  instance: SoftwareInstance,
  stage: "files" | "elements",
  locations: readonly CodeLocation[],
): Promise<LocalizationScore> {
  expectArgument("scoreLocalization: stage", stage === "files" || stage === "elements", '"files" or "elements"', stage);
  const fits =
    Array.isArray(locations) && locations.every((one) => isObjectLike(one) && typeof (one as Partial<CodeLocation>).path === "string");
  expectArgument("scoreLocalization: locations", fits, "an array of { path, element? }", locations);
  const gold = (await goldLocations(instance))[stage];
  const key = ({ path, element }: CodeLocation) => (stage === "files" ? path : `${path}: ${element ?? ""}`);
  const right = new Set(gold.map(key));
  const named = new Set(locations.map(key));
  const shared = [...named].filter((one) => right.has(one)).length;
  return { recall: right.size === 0 ? 1 : shared / right.size, precision: named.size === 0 ? 0 : shared / named.size };
}

/** The locations that exist in the project. A name without its class is completed if it is unique in the file. */
export async function knownLocations(files: FileMap, locations: readonly CodeLocation[]): Promise<CodeLocation[]> {
  const outlines = await outlinesOf(files, pathsOf(locations));
  return locations.flatMap(({ path, element }) => {
    if (element === undefined) return [{ path }];
    const elements = outlines.get(path)!;
    const exact = elements.find(({ name }) => name === element);
    const members = elements.filter(({ name }) => name.endsWith(`.${element}`));
    const known = exact ?? (members.length === 1 ? members[0] : undefined);
    return known ? [{ path, element: known.name }] : [];
  });
}

const pathsOf = (locations: readonly CodeLocation[]) => [...new Set(locations.map(({ path }) => path))];
const locationsIn = (path: string, locations: readonly CodeLocation[]) => locations.filter((one) => one.path === path);

async function outlinesOf(files: FileMap, paths: readonly string[]): Promise<Map<string, CodeElement[]>> {
  const parse = await loadParser("localization");
  return new Map(paths.map((path) => [path, isCode(path) ? elementsOf(path, files[path] ?? "", parse) : []]));
}

/** The first line of each element, with its number and name. */
function outlineText(text: string, elements: readonly CodeElement[]): string {
  const lines = text.split("\n");
  if (elements.length === 0) return `(${lines.length} lines)`;
  return elements
    .map(({ name, kind, start, end }) => `${start}-${end} ${kind} ${name}: ${lines[start - 1]!.trim().slice(0, 100)}`)
    .join("\n");
}

/** The lines of elements and those around them. The whole text if a location has no element. */
function excerpt(text: string, locations: readonly CodeLocation[], elements: readonly CodeElement[]): string {
  if (locations.some(({ element }) => element === undefined)) return text;
  const lines = text.split("\n");
  const ranges = elements.filter(({ name }) => locations.some(({ element }) => element === name));
  const shown = lines.map((_, i) => ranges.some(({ start, end }) => start - CONTEXT_LINES <= i + 1 && i + 1 <= end + CONTEXT_LINES));
  return lines.flatMap((line, i) => (shown[i] ? [line] : shown[i - 1] || i === 0 ? ["…"] : [])).join("\n");
}
