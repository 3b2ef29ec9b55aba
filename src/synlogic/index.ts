/**
 * The 35 SynLogic tasks at their published size, each with a generator, a solver and a verifier. The verifiers apply the rules of the
 * puzzle instead of comparing with a stored answer.
 *
 * Rows and parameters have the format of the published data set (MiniMax-AI/SynLogic, commit 6794f97), so {@link verify} also accepts its
 * rows.
 */

import { InputError } from "../base/errors.js";
import { fnv1a } from "../base/hash.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { printed } from "../base/printed.js";
import { Random } from "../base/random.js";
import { LEVELS, type Parameters, type SynlogicTask } from "./definition.js";
import { completeParameters, type GenerateOptions, generateOptions } from "./generate-options.js";
import { finalText } from "./reading/final-text.js";
import type { PublishedVerdict, Row, Verdict } from "./row.js";
import { definitions } from "./tasks/index.js";

export type { Level, Parameter, Parameters, ParameterValue, SynlogicTask } from "./definition.js";
export type { GenerateOptions } from "./generate-options.js";
export type { Json, Language, PublishedVerdict, Row, Verdict } from "./row.js";

/** The names of the 35 tasks. */
export const tasks: readonly string[] = definitions.map(({ name }) => name);

/** Returns the definition of a task with its parameters, levels and attributes of difficulty. @throws {InputError} an unknown name */
export function taskNamed(name: string): SynlogicTask {
  const task = definitions.find((one) => one.name === name);
  if (!task) throw new InputError(`synlogic: task: expected one of ${tasks.join(", ")}, got ${printed(name)}`);
  return task;
}

/** A generated row, together with the parameters that it was generated with. */
export interface GeneratedRow extends Row {
  /** The parameters that the row was generated with. */
  readonly parameters: Parameters;
}

/**
 * Generates rows of a task. The same options give the same rows. Row i of a seed does not depend on the other rows.
 *
 * @throws {InputError} an unknown task, invalid options, or parameters for which no puzzle exists
 */
export function generate(task: string, options: GenerateOptions = {}): GeneratedRow[] {
  const definition = taskNamed(task);
  const { seed, first, count, level, language, ...given } = generateOptions(definition, options);
  const parameters = completeParameters(definition, level, given);
  // The seed includes the name and the parameters, so that neighbouring levels do not share puzzles.
  const stream = (seed ^ hashOf(`${task} ${JSON.stringify(parameters)}`)) >>> 0;
  return Array.from({ length: count }, (_, i) => {
    const puzzle = definition.generate(Random.stream(stream, first + i), parameters, language);
    return { task, ...puzzle, parameters };
  });
}

function hashOf(text: string): number {
  return fnv1a(Array.from(text, (char) => char.codePointAt(0)!));
}

/**
 * Judges a response by the rules of the puzzle.
 *
 * Reads only the text after the last `</think>`, and of that text only the last 50,000 characters. If there are several answers in the
 * requested format, the last complete one counts. No code is evaluated, and the time is linear in the number of characters.
 *
 * @param response the whole assistant message, including the reasoning
 * @returns true if the response is right, false if it is wrong, and null if the question does not say whether such an answer is right
 * @throws {InputError} an unknown task, or metadata that does not have the published form
 */
export function verify(row: Row, response: string): boolean | null {
  return judge(row, response).right;
}

/** Maximum length of a message of which {@link explain} gives the published verdict, which depends on the whole message. */
const MAX_PUBLISHED_CHARACTERS = 200_000;

/** A verdict with its reason and with the verdict of the published verifier. */
export interface Explanation extends Verdict {
  /**
   * Verdict of the published verifier on the whole message, including the verifier's mistakes. Undefined if that verdict is not known, or if
   * the message has more than 200,000 characters.
   */
  readonly published?: PublishedVerdict;
}

/**
 * Judges a response like {@link verify} and explains the verdict: the answer that was found, the rule that it breaks, and the verdict of
 * the published verifier.
 */
export function explain(row: Row, response: string): Explanation {
  const verdict = judge(row, response);
  const published = response.length > MAX_PUBLISHED_CHARACTERS ? undefined : taskNamed(row.task).published?.(row, response);
  return { ...verdict, ...(published !== undefined && { published }) };
}

/** Returns a right answer in the format that the question asks for. @throws {InputError} a row without a solution */
export function solve(row: Row): string {
  expectRow(row, "solve");
  return taskNamed(row.task).solve(row);
}

function judge(row: Row, response: string): Verdict {
  expectRow(row, "verify");
  expectArgument("synlogic.verify: response", typeof response === "string", "a string", response);
  const task = taskNamed(row.task);
  const text = finalText(response);
  if (text === undefined) return { right: false, reason: "the reasoning is never closed by </think>" };
  if (text.trim() === "" && !task.emptyAnswer) return { right: false, reason: "nothing follows the reasoning" };
  return task.verify(row, text);
}

function expectRow(row: Row, where: string): void {
  expectArgument(`synlogic.${where}: row`, isObjectLike(row), "a row { task, question, answer, metadata }", row);
  expectArgument(`synlogic.${where}: row.question`, typeof row.question === "string", "a string", row.question);
}

/** The names of the levels, from the easiest. */
export const levels = LEVELS;
