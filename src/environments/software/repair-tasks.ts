import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { flag, parseOptions } from "../../base/options.js";
import { applyEdits, type SearchReplace } from "./edits.js";
import { validateInstances } from "./grade.js";
import type { SoftwareInstance } from "./instances.js";
import { createPatch } from "./patch.js";
import type { FileMap } from "./paths.js";

/** A project whose tests pass. */
export interface SoftwareProject {
  readonly name: string;
  /** Text files by path, with the tests. */
  readonly files: FileMap;
}

/** The content of repair-tasks.json, which `npm run repair-tasks` writes. */
interface Packed {
  readonly projects: Readonly<Record<string, FileMap>>;
  readonly tasks: readonly {
    readonly id: string;
    readonly project: string;
    readonly statement: string;
    /** Edits that put the bug into the correct code. */
    readonly bug: readonly SearchReplace[];
    /** Hidden test files. */
    readonly tests: FileMap;
    readonly FAIL_TO_PASS: readonly string[];
    readonly PASS_TO_PASS: readonly string[];
  }[];
}

const load = async (): Promise<Packed> => (await import("./tasks/repair-tasks.json")).default as unknown as Packed;

const schema = v.strictObject({ validate: v.optional(flag, true) });

/**
 * Loads the package's own repair tasks: small JavaScript and TypeScript projects with bugs.
 *
 * @param options `validate` runs the reference solution and the unchanged snapshot of each task (true)
 * @throws {InputError} a task that is not valid
 */
export async function repairTasks(options: { readonly validate?: boolean } = {}): Promise<SoftwareInstance[]> {
  const { validate } = parseOptions(schema, options, "repairTasks");
  const { projects, tasks } = await load();
  const instances = tasks.map(({ id, project, statement, bug, tests, FAIL_TO_PASS, PASS_TO_PASS }): SoftwareInstance => {
    const correct = projects[project]!;
    const files = applyEdits(correct, bug);
    return {
      instance_id: id,
      repo: `lightning-m1/${project}`,
      base_commit: "",
      problem_statement: statement,
      hints_text: "",
      version: "1",
      patch: createPatch(files, correct),
      test_patch: createPatch(files, { ...files, ...tests }),
      created_at: "2026-12-01T00:00:00Z",
      FAIL_TO_PASS,
      PASS_TO_PASS,
      files,
    };
  });
  if (!validate) return instances;
  const { invalid } = await validateInstances(instances);
  if (invalid.length === 0) return instances;
  throw new InputError(`repairTasks: expected valid tasks, got ${invalid.map((one) => `${one.instance_id} (${one.reason})`).join(", ")}`);
}

/** Loads the projects of the repair tasks without bugs and with all their tests, for `injectBugs`. */
export async function repairProjects(): Promise<SoftwareProject[]> {
  const { projects, tasks } = await load();
  return Object.entries(projects).map(([name, files]) => {
    const hidden = tasks.filter(({ project }) => project === name).map(({ tests }) => tests);
    return { name, files: Object.assign({}, files, ...hidden) as FileMap };
  });
}
