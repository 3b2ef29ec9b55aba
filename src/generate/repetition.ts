import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, number, parseOptions } from "../base/options.js";
import { printed } from "../base/printed.js";

export const repetitionSchema = v.strictObject(
  {
    tokens: v.optional(count, 3000),
    probability: v.optional(
      number("a number within (0, 1)", (x) => x > 0 && x < 1),
      0.99,
    ),
  },
  "false, or { tokens, probability }",
);

/**
 * The report's early truncation (section 3.2): a response ends once `tokens` (3,000) consecutive tokens each had more than `probability` (0.99), since nothing but a loop is as sure of
 * itself for as long. One token at or below it, and the count begins anew. A small model is sure of whole answers: let `tokens` be more than the longest of them has.
 *
 * @returns a function that is told the log-probability of each token in turn, and answers whether to stop. It throws an InputError for NaN
 * @throws {InputError} options that do not fit
 */
export function repetitionStop(options: { tokens?: number; probability?: number } = {}): (logprob: number) => boolean {
  const { tokens, probability } = parseOptions(repetitionSchema, options, "repetitionStop");
  const sure = Math.log(probability);
  let run = 0;
  return (logprob) => {
    if (typeof logprob !== "number" || Number.isNaN(logprob))
      throw new InputError(`repetitionStop: logprob: expected a number, got ${printed(logprob)}`);
    run = logprob > sure ? run + 1 : 0;
    return run >= tokens;
  };
}
