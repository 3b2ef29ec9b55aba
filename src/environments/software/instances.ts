// Tasks and predictions in SWE-bench's format (Jimenez et al., 2023).

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { expectArgument } from "../../base/options.js";
import { anyText, checkRow, nonEmptyText, parseRows } from "../long-context/rows.js";
import type { FileMap } from "./paths.js";

/** A task with the fields of SWE-bench, and the files of its project, which SWE-bench keeps in a repository. */
export interface SoftwareInstance {
  readonly instance_id: string;
  /** Name of the project. */
  readonly repo: string;
  /** Commit of the snapshot in its repository. Empty if `files` is the snapshot. */
  readonly base_commit: string;
  /** The issue to be solved. */
  readonly problem_statement: string;
  readonly hints_text: string;
  readonly version: string;
  /** The reference solution, a unified diff. */
  readonly patch: string;
  /** The tests that judge an answer, as a unified diff against the snapshot. */
  readonly test_patch: string;
  readonly created_at: string;
  /** Tests that fail before the solution and pass after it, each as `path > name`. */
  readonly FAIL_TO_PASS: readonly string[];
  /** Tests that pass before and after the solution. */
  readonly PASS_TO_PASS: readonly string[];
  /** The snapshot: text files by path, with the tests that everybody may see. Absent in published rows. */
  readonly files?: FileMap;
}

/** The answer of a model to an instance, as SWE-bench's tools read it. */
export interface Prediction {
  readonly instance_id: string;
  readonly model_name_or_path: string;
  /** A unified diff. Empty for no answer. */
  readonly model_patch: string;
}

/** A list of tests: an array, or an array as JSON string, as in the published files. */
const testNames = v.pipe(
  v.any(),
  v.transform((value) => (typeof value === "string" ? jsonList(value) : value)),
  v.custom<readonly string[]>((x) => Array.isArray(x) && x.every((name) => typeof name === "string"), "a list of tests, or its JSON"),
);

/** A text that older files leave out, store as null, or as a number. */
const loose = v.optional(
  v.pipe(
    v.union([v.string(), v.number(), v.null()], "a string"),
    v.transform((value) => (value === null ? "" : String(value))),
  ),
  "",
);

const fileMap = v.custom<FileMap>(
  (x) => typeof x === "object" && x !== null && !Array.isArray(x) && Object.values(x).every((text) => typeof text === "string"),
  "texts by path",
);

const instanceSchema = v.looseObject({
  instance_id: nonEmptyText,
  repo: loose,
  base_commit: loose,
  problem_statement: anyText,
  hints_text: loose,
  version: loose,
  patch: loose,
  test_patch: loose,
  created_at: loose,
  FAIL_TO_PASS: testNames,
  PASS_TO_PASS: v.optional(testNames, () => []),
  files: v.optional(fileMap),
});

const predictionSchema = v.looseObject({
  instance_id: nonEmptyText,
  model_name_or_path: loose,
  model_patch: loose,
});

/**
 * Reads instances from JSON Lines or a JSON array. Lists of tests may be arrays or JSON strings. Missing texts become empty; unknown fields
 * are kept.
 *
 * @param where name of the file in messages
 * @throws {InputError} an invalid instance, with its line and field, or an id that occurs twice
 */
export function parseInstances(text: string, where = "instances"): SoftwareInstance[] {
  return withoutDuplicates(parseRows(instanceSchema, text, where), where);
}

/** Checks one instance. @throws {InputError} `place: field: expected …, got …` */
export function checkInstance(value: unknown, place: string): SoftwareInstance {
  return checkRow(instanceSchema, value, place);
}

/** Checks an instance that is to be run. @throws {InputError} an invalid instance, or one without its files */
export function checkRunnable(value: unknown, place: string): SoftwareInstance & { readonly files: FileMap } {
  const { files, ...instance } = checkInstance(value, place);
  if (files) return { ...instance, files };
  throw new InputError(
    `${place}: files: expected the files of the snapshot, got none (read them from ${instance.repo || "the repository"})`,
  );
}

/** Writes predictions as JSON Lines. @throws {InputError} an invalid prediction */
export function formatPredictions(predictions: readonly Prediction[]): string {
  expectArgument("formatPredictions: predictions", Array.isArray(predictions), "an array", predictions);
  return predictions
    .map((prediction, i) => {
      const { instance_id, model_name_or_path, model_patch } = checkRow(
        predictionSchema,
        prediction,
        `formatPredictions: predictions[${i}]`,
      );
      return `${JSON.stringify({ instance_id, model_name_or_path, model_patch })}\n`;
    })
    .join("");
}

/**
 * Reads predictions from JSON Lines or a JSON array. A `model_patch` of null becomes empty.
 *
 * @throws {InputError} an invalid prediction, or two for one instance
 */
export function parsePredictions(text: string, where = "predictions"): Prediction[] {
  return withoutDuplicates(parseRows(predictionSchema, text, where), where);
}

function withoutDuplicates<Row extends { readonly instance_id: string }>(rows: Row[], where: string): Row[] {
  const seen = new Set<string>();
  for (const { instance_id } of rows) {
    if (seen.has(instance_id)) throw new InputError(`${where}: expected unique ids, got ${JSON.stringify(instance_id)} twice`);
    seen.add(instance_id);
  }
  return rows;
}

function jsonList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
