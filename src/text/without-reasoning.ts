import { expectArgument } from "../base/options.js";

const THINK_CLOSE = "</think>";

/**
 * Returns the answer in a response: the text after the last `</think>` and the white space that follows it. Reasoning that does not end is
 * no answer.
 *
 * @throws {InputError} a response that is not a string
 */
export function withoutReasoning(where: string, response: string): string {
  expectArgument(`${where}: response`, typeof response === "string", "a string", response);
  const end = response.lastIndexOf(THINK_CLOSE);
  if (end >= 0) return response.slice(end + THINK_CLOSE.length).trimStart();
  return response.trimStart().startsWith("<think>") ? "" : response;
}
