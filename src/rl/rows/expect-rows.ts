// Checks rows and results that a caller passes.

import { expectArgument, isObjectLike } from "../../base/options.js";
import type { RowResult } from "./evaluate-rows.js";
import type { Row } from "./task-rows.js";

/** Checks that a value is a row. @throws {InputError} a value without the texts of a row */
export function expectRow(where: string, row: Row): void {
  expectArgument(where, isObjectLike(row), "a row { task, question, answer, metadata }", row);
  expectArgument(`${where}.task`, typeof row.task === "string", "a string", row.task);
  expectArgument(`${where}.question`, typeof row.question === "string", "a string", row.question);
}

/** Checks that a value is a result of `evaluateRows`. @throws {InputError} it is not */
export function expectResult(where: string, result: RowResult): void {
  expectArgument(where, isObjectLike(result), "a result of evaluateRows", result);
  const { index, samples } = result;
  expectArgument(`${where}.index`, Number.isSafeInteger(index), "an integer", index);
  expectArgument(`${where}.samples`, Array.isArray(samples), "an array of { response, tokens, right, reason }", samples);
  for (const [i, sample] of samples.entries()) {
    const at = `${where}.samples[${i}]`;
    expectArgument(at, isObjectLike(sample), "{ response, tokens, right, reason }", sample);
    expectArgument(`${at}.response`, typeof sample.response === "string", "a string", sample.response);
    expectArgument(`${at}.tokens`, typeof sample.tokens === "number", "a number", sample.tokens);
    const verdict = typeof sample.right === "boolean" || sample.right === null;
    expectArgument(`${at}.right`, verdict, "true, false or null", sample.right);
  }
}
