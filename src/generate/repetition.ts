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
 * Creates a check for endless repetition (the report's early truncation, section 3.2). It stops after `tokens` (3,000) consecutive tokens
 * with a probability above `probability` (0.99) each. A token at or below that probability resets the count.
 *
 * Small models can have such high probabilities throughout an answer. For them, set `tokens` above the length of their longest answer.
 *
 * @returns a function that takes the log-probability of each token in turn and returns whether to stop; it throws an InputError for NaN
 * @throws {InputError} invalid options
 */
export function repetitionStop(options: { tokens?: number; probability?: number } = {}): (logprob: number) => boolean {
  const { tokens, probability } = parseOptions(repetitionSchema, options, "repetitionStop");
  const threshold = Math.log(probability);
  let run = 0;
  return (logprob) => {
    if (typeof logprob !== "number" || Number.isNaN(logprob))
      throw new InputError(`repetitionStop: logprob: expected a number, got ${printed(logprob)}`);
    run = logprob > threshold ? run + 1 : 0;
    return run >= tokens;
  };
}
