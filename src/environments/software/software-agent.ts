import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import type { Environment } from "../environment.js";
import { ToolError, type ToolOf, toolEnvironment } from "../tools.js";
import { replaceOnce } from "./edits.js";
import { type GradeOptions, gradeEntries, gradeFiles, reasonOf } from "./grade.js";
import { checkRunnable, type SoftwareInstance } from "./instances.js";
import { PatchError } from "./patch-error.js";
import { checkFiles, checkPath, type FileMap, isTestFile } from "./paths.js";
import { issueSection } from "./prompts.js";
import { runTests } from "./run-tests.js";
import { gradeScores } from "./software-repair.js";
import { isCode } from "./syntax.js";

/** Options of {@link softwareAgent}: those of `gradeAnswer`, apart from the signal. */
export type SoftwareAgentOptions = Omit<GradeOptions, "signal">;

/** An agent's working copy of the project. */
interface Workspace {
  files: FileMap;
  isSubmitted: boolean;
}

const { signal: _, ...entries } = gradeEntries;
const schema = v.strictObject(entries);

/** Most lines and matches that one call returns. */
const MAX_LINES = 400;
const MAX_MATCHES = 50;
const MAX_LINE = 500;
const MAX_FAILURES = 20;

const path = { type: "string", description: "Path of the file" } as const;
const object = (properties: Readonly<Record<string, unknown>>, required: readonly string[] = []) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

/**
 * Creates an environment in which the model solves a task with tools: it lists, reads, searches and edits files, runs the tests that it can
 * see, and submits. The files are judged as {@link gradeAnswer} does, also if a limit ended the episode; the hidden tests are never among
 * them.
 */
export function softwareAgent(options: SoftwareAgentOptions = {}): Environment<SoftwareInstance> {
  const settings = parseOptions(schema, options, "softwareAgent");
  const { penalties: _penalties, ...testOptions } = settings;
  const tools: readonly ToolOf<Workspace>[] = [
    {
      name: "list_files",
      description: "Lists the paths of all files",
      parameters: object({}),
      run: ({ files }) => Object.keys(files).sort().join("\n"),
    },
    {
      name: "read_file",
      description: `Returns lines of a file with their numbers, at most ${MAX_LINES}`,
      parameters: object({ path, first: { type: "integer", minimum: 1 }, last: { type: "integer", minimum: 1 } }, ["path"]),
      run: ({ files }, { path, first = 1, last }: { path: string; first?: number; last?: number }) => {
        const lines = textOf(files, path).replace(/\n$/, "").split("\n");
        const end = Math.min(last ?? lines.length, lines.length, first + MAX_LINES - 1);
        if (first > lines.length) throw new ToolError(`read_file: first: expected a line of 1 to ${lines.length}, got ${first}`);
        const shown = lines.slice(first - 1, end).map((line, i) => `${first + i}: ${line}`);
        return [...shown, ...(end < lines.length ? [`(${lines.length} lines in all)`] : [])].join("\n");
      },
    },
    {
      name: "search",
      description: `Finds lines that contain a text in all files, at most ${MAX_MATCHES}`,
      parameters: object({ text: { type: "string" }, path: { type: "string", description: "Beginning of the paths to search in" } }, [
        "text",
      ]),
      run: ({ files }, { text, path = "" }: { text: string; path?: string }) => {
        const matches = Object.entries(files)
          .filter(([name]) => name.startsWith(path))
          .flatMap(([name, content]) => content.split("\n").map((line, i) => ({ line, place: `${name}:${i + 1}` })))
          .filter(({ line }) => text !== "" && line.includes(text));
        const shown = matches.slice(0, MAX_MATCHES).map(({ place, line }) => `${place}: ${line.trim().slice(0, MAX_LINE)}`);
        if (matches.length > MAX_MATCHES) shown.push(`(${matches.length} matches in all)`);
        return shown.join("\n") || "no match";
      },
    },
    {
      name: "edit",
      description: "Replaces a text that occurs exactly once in a file. An empty search creates a file",
      parameters: object({ path, search: { type: "string" }, replace: { type: "string" } }, ["path", "search", "replace"]),
      run: (workspace, { path, search, replace }: { path: string; search: string; replace: string }) => {
        expectOpen(workspace);
        workspace.files = asToolError(() => edited(workspace.files, path, search, replace));
        return "done";
      },
    },
    {
      name: "run_tests",
      description: "Runs the tests of the project that you can see",
      parameters: object({}),
      run: async ({ files }, _args: object, { signal }) => {
        const tests = Object.keys(files).filter((name) => isTestFile(name) && isCode(name));
        const report = await runTests({ files, tests }, { ...testOptions, signal });
        const failed = Object.keys(report.results).filter((id) => report.results[id] !== "passed");
        const unfinished = Object.entries(report.stops).filter(([, stop]) => stop !== "finished");
        const lines = [
          `${Object.keys(report.results).length - failed.length} passed, ${failed.length} failed`,
          ...failed.slice(0, MAX_FAILURES).map((id) => `${id}: ${reasonOf(id, report)}`),
          ...unfinished.map(([name, stop]) => `${name}: not finished (${stop}): ${(report.errors[name] ?? "").split("\n")[0]}`),
        ];
        return lines.map((line) => line.slice(0, MAX_LINE)).join("\n");
      },
    },
    {
      name: "submit",
      description: "Ends the task. The files are then judged by hidden tests",
      parameters: object({}),
      run: (workspace) => {
        expectOpen(workspace);
        workspace.isSubmitted = true;
        return "submitted";
      },
    },
  ];
  return toolEnvironment<SoftwareInstance, Workspace>({
    name: "software-agent",
    weights: { resolved: 1 },
    tools,
    start: (row) => ({ files: checkRunnable(row, "softwareAgent: row").files, isSubmitted: false }),
    messages: ({ problem_statement }) => [
      {
        role: "user",
        content: `${issueSection(problem_statement)}\n\nSolve the issue by changing the code of the project with your tools, and submit.`,
      },
    ],
    isOver: ({ isSubmitted }) => isSubmitted,
    async score(row, { files }, _transcript, { signal }) {
      return gradeScores(row, await gradeFiles(row, files, { ...settings, signal }));
    },
  });
}

function expectOpen({ isSubmitted }: Workspace): void {
  if (isSubmitted) throw new ToolError("the task is over: it was submitted before");
}

function textOf(files: FileMap, path: string): string {
  const name = asToolError(() => checkPath(path, "path"));
  if (!Object.hasOwn(files, name)) throw new ToolError(`expected a file of the project, got ${JSON.stringify(path)} (use list_files)`);
  return files[name]!;
}

function edited(files: FileMap, given: string, search: string, replace: string): FileMap {
  const name = checkPath(given, "path");
  if (search === "") {
    if (Object.hasOwn(files, name))
      throw new PatchError(`edit: ${name}: expected a text to search for, got an empty one and an existing file`);
    return checkFiles(Object.fromEntries([...Object.entries(files), [name, replace]]));
  }
  const text = replaceOnce(textOf(files, name), search, replace, name);
  return checkFiles(Object.fromEntries(Object.entries(files).map(([path, old]) => [path, path === name ? text : old])));
}

/** Turns the error of a wrong edit into one that the model sees. */
function asToolError<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof PatchError ? new ToolError(error.message) : error;
  }
}
