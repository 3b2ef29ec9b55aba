import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, parseOptions } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { drawUntil, randomInteger, shuffle } from "../../base/random-draws.js";
import { type ExactRow, exactEnvironment, scoreExactly } from "./exact.js";
import { depthsOf, type LongContextOptions } from "./fit-length.js";
import { hideSentences, hidingEntries } from "./hide-sentences.js";
import { drawName } from "./words.js";

/** Options of {@link generateNeedles}. Defaults are in parentheses. */
export interface NeedleOptions extends LongContextOptions {
  /** Number of needles, which are sentences with a name and a number (1). */
  needles?: number;
  /** Number of needles that are asked for (1). The others have the same form. */
  asked?: number;
  /** Position of the needles that are asked for, from 0 (beginning) to 1 (end): one for all, or one for each. Random by default. */
  depth?: number | readonly number[];
}

/** More needles have no names of their own. */
const MAX_NEEDLES = 2000;

const schema = v.strictObject({
  ...hidingEntries,
  needles: v.optional(count, 1),
  asked: v.optional(count, 1),
});

/**
 * Generates a search for needles in a haystack: sentences that give things a number of seven digits are hidden in a long text, and some of
 * the numbers are asked for. Names and numbers are unique, and the text contains no other digits. Equal options give an equal task.
 *
 * @throws {InputError} invalid options, or a length that is too short for the needles
 */
export function generateNeedles(options: NeedleOptions): ExactRow {
  const { length, countTokens, seed, needles, asked, depth } = parseOptions(schema, options, "generateNeedles");
  if (needles > MAX_NEEDLES) throw new InputError(`generateNeedles: needles: expected at most ${MAX_NEEDLES}, got ${needles}`);
  if (asked > needles) throw new InputError(`generateNeedles: asked: expected at most ${needles}, the number of needles, got ${asked}`);
  const random = Random.seeded(seed);
  const numberOf = new Map<string, string>();
  const numbers = new Set<string>();
  while (numberOf.size < needles) {
    const name = drawUntil(
      () => drawName(random),
      (one) => !numberOf.has(one),
    );
    const number = drawUntil(
      () => String(randomInteger(random, 1_000_000, 9_999_999)),
      (one) => !numbers.has(one),
    );
    numberOf.set(name, number);
    numbers.add(number);
  }
  const names = [...numberOf.keys()];
  const wanted = names.slice(0, asked);
  const wantedDepths = depthsOf("generateNeedles", depth, asked, () => random.next());
  const depths = [...wantedDepths, ...names.slice(asked).map(() => random.next())];
  const sentences = names.map((name) => `The registration number of the ${name} is ${numberOf.get(name)}.`);
  const questions = shuffle(random, wanted);
  const hidden = hideSentences({
    where: "generateNeedles",
    ...{ length, countTokens, seed, sentences, depths },
    promptOf: (text) => needlePrompt(text, questions),
  });
  return { id: `needles-${seed}`, answers: questions.map((name) => numberOf.get(name)!), ...hidden };
}

function needlePrompt(text: string, names: readonly string[]): string {
  const things = names.map((name) => `the ${name}`);
  const question =
    things.length === 1
      ? [`What is the registration number of ${things[0]} in the text above? Answer with the number only.`]
      : [
          "What are the registration numbers of these things in the text above?",
          ...things.map((name) => `- ${name}`),
          "Answer with the numbers only, in the order of the list, separated by commas.",
        ];
  return `Some things in the following text have a registration number.\n\n${text}\n\n${question.join("\n")}`;
}

/**
 * Judges an answer to a search for needles: 1 if it consists of exactly the numbers that were asked for, in their order; otherwise 0.
 * Reasoning up to the last `</think>` is not part of the answer.
 *
 * @throws {InputError} a row without answers, or a response that is not a string
 */
export function scoreNeedles(row: Pick<ExactRow, "answers">, response: string): number {
  return scoreExactly("scoreNeedles", row, response);
}

/** Searches for needles in a haystack; rows are from {@link generateNeedles}. */
export const needles = exactEnvironment("needles", scoreNeedles);
