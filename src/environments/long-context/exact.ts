import * as v from "valibot";
import { withoutReasoning } from "../../text/without-reasoning.js";
import type { Environment } from "../environment.js";
import { checkRow, nonEmptyText } from "./rows.js";
import { singleTurn, userMessage } from "./single-turn.js";

/** A generated task with a prompt and the exact values of its answer. */
export interface ExactRow {
  readonly id: string;
  /** The text of the user message. */
  readonly prompt: string;
  /** The values that the answer must consist of. */
  readonly answers: readonly string[];
  /** Length of the prompt, in the unit of the options. */
  readonly length: number;
}

const schema = v.looseObject({
  prompt: nonEmptyText,
  answers: v.pipe(v.array(nonEmptyText, "an array of strings"), v.minLength(1, "at least one string")),
});
const scoredSchema = v.pick(schema, ["answers"]);

/**
 * Judges an answer: 1 if it consists of exactly the values of a row, separated by commas or white space, in the given order; otherwise 0.
 * An answer with further values or words is wrong, so that listing everything earns nothing.
 */
export function scoreExactly(
  where: string,
  row: Pick<ExactRow, "answers">,
  response: string,
  order: "same order" | "any order" = "same order",
): number {
  const { answers } = checkRow(scoredSchema, row, `${where}: row`);
  const given = withoutReasoning(where, response)
    .split(/[\s,]+/)
    .filter((value) => value !== "");
  const [left, right] = order === "same order" ? [given, answers] : [given.sort(), [...answers].sort()];
  return left.length === right.length && left.every((value, i) => value === right[i]) ? 1 : 0;
}

/** Creates the environment of rows with exact answers. */
export function exactEnvironment(name: string, score: (row: ExactRow, response: string) => number): Environment<ExactRow> {
  return singleTurn<ExactRow>({
    name,
    messages: (row) => userMessage(checkRow(schema, row, `${name}: row`).prompt),
    score,
  });
}
