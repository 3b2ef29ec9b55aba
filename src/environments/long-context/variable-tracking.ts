import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, index, parseOptions } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { drawUntil, randomChoice, randomInteger } from "../../base/random-draws.js";
import { type ExactRow, exactEnvironment, scoreExactly } from "./exact.js";
import { depthsOf, type LongContextOptions } from "./fit-length.js";
import { hideSentences, hidingEntries } from "./hide-sentences.js";

/** Options of {@link generateVariableTracking}. Defaults are in parentheses. */
export interface VariableTrackingOptions extends LongContextOptions {
  /** Number of chains, each with another value (1). One of them is asked for. */
  chains?: number;
  /** Number of assignments from variable to variable in each chain (4). */
  hops?: number;
  /**
   * Position of the statements of the chain that is asked for, from 0 (beginning) to 1 (end): one for all, or hops + 1 ascending numbers.
   * Random by default.
   */
  depth?: number | readonly number[];
}

/** More statements are no longer hidden in a text, and names become rare. */
const MAX_STATEMENTS = 10_000;

const schema = v.strictObject({
  ...hidingEntries,
  chains: v.optional(count, 1),
  hops: v.optional(index, 4),
});

const NAME_LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const NAME_LENGTH = 5;

/**
 * Generates variable tracking: a variable gets a number, a second one the value of the first, and so on. All variables with the number are
 * asked for. The statements are hidden in a long text, in their order, and may be mixed with other chains. Names and numbers are unique.
 * Equal options give an equal task. The kind of task is that of variable tracking in RULER (Hsieh et al., 2024).
 *
 * @throws {InputError} invalid options, or a length that is too short for the statements
 */
export function generateVariableTracking(options: VariableTrackingOptions): ExactRow {
  const { length, countTokens, seed, chains, hops, depth } = parseOptions(schema, options, "generateVariableTracking");
  if (chains * (hops + 1) > MAX_STATEMENTS) {
    throw new InputError(`generateVariableTracking: expected chains * (hops + 1) of at most ${MAX_STATEMENTS}, got ${chains * (hops + 1)}`);
  }
  const random = Random.seeded(seed);
  const taken = new Set<string>();
  const unique = (draw: () => string) => {
    const value = drawUntil(draw, (one) => !taken.has(one));
    taken.add(value);
    return value;
  };
  const drawVariable = () => Array.from({ length: NAME_LENGTH }, () => randomChoice(random, NAME_LETTERS)).join("");
  const drawChain = () => ({
    value: unique(() => String(randomInteger(random, 10_000, 99_999))),
    names: Array.from({ length: hops + 1 }, () => unique(drawVariable)),
  });
  const all = Array.from({ length: chains }, drawChain);
  const asked = all[0]!;
  const depths = all.map((_, i) =>
    // Each variable gets its value before another one copies it.
    i === 0 && depth !== undefined
      ? ascending(depthsOf("generateVariableTracking", depth, hops + 1, () => 0))
      : Array.from({ length: hops + 1 }, () => random.next()).sort((a, b) => a - b),
  );
  const statements = all.flatMap(({ value, names }) =>
    names.map((name, i) => (i === 0 ? `Variable ${name} is ${value}.` : `Variable ${name} gets the value of ${names[i - 1]}.`)),
  );
  const hidden = hideSentences({
    where: "generateVariableTracking",
    ...{ length, countTokens, seed, sentences: statements, depths: depths.flat() },
    promptOf: (text) => trackingPrompt(text, asked.value),
  });
  return { id: `variable-tracking-${seed}`, answers: asked.names, ...hidden };
}

function ascending(depths: readonly number[]): readonly number[] {
  if (depths.some((depth, i) => i > 0 && depth < depths[i - 1]!)) {
    throw new InputError(`generateVariableTracking: depth: expected ascending numbers, got ${JSON.stringify(depths)}`);
  }
  return depths;
}

function trackingPrompt(text: string, value: string): string {
  const question = `Which variables have the value ${value} at the end of the text?`;
  const form = "Answer with all of their names and nothing else, separated by commas.";
  return `Some sentences in the following text give values to variables.\n\n${text}\n\n${question} ${form}`;
}

/**
 * Judges an answer to variable tracking: 1 if it consists of exactly the names that were asked for, each once, in any order; otherwise 0.
 * Reasoning up to the last `</think>` is not part of the answer.
 *
 * @throws {InputError} a row without answers, or a response that is not a string
 */
export function scoreVariableTracking(row: Pick<ExactRow, "answers">, response: string): number {
  return scoreExactly("scoreVariableTracking", row, response, "any order");
}

/** Variable tracking; rows are from {@link generateVariableTracking}. */
export const variableTracking = exactEnvironment("variable-tracking", scoreVariableTracking);
