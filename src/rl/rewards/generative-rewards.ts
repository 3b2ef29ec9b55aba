import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed, printedJson } from "../../base/printed.js";
import { mean } from "../statistics.js";
import type { Answered, Reward } from "./rewards.js";

/** A grade from 1 (wrong) to 5 (right). */
export type Grade = 1 | 2 | 3 | 4 | 5;

/** Default rewards of the grades 1 to 5. The M1 report gives no numbers. */
const EVENLY_SPACED_VALUES = [0, 0.25, 0.5, 0.75, 1] as const;

/** A response to a question with a reference answer. The reference is the right answer, or an answer of the desired quality. */
export interface AnsweredWithReference extends Answered {
  readonly reference: string;
}

/**
 * Creates a reward from a model that grades responses against a reference answer on a five-point scale (M1 report, section 4.2).
 *
 * The model is called `judgements` times per response, independently. The reward is the mean over the calls that return a
 * grade, and null if no call does.
 *
 * @param grade calls the model with the question, the reference answer and the response; null means no grade
 * @param options `values`: rewards of the grades 1 to 5 (0, 0.25, 0.5, 0.75, 1); `judgements`: calls per response (1)
 * @returns the reward. It throws an InputError if `grade` returns an invalid grade
 * @throws {InputError} `grade` is not a function, or invalid options
 */
export function gradedReward(
  grade: (response: AnsweredWithReference) => Promise<Grade | null> | Grade | null,
  options: { values?: readonly number[]; judgements?: number } = {},
): Reward<AnsweredWithReference> {
  expectArgument("gradedReward: options", isObjectLike(options), "{ values, judgements }", options);
  const { values = EVENLY_SPACED_VALUES, judgements = 1 } = options;
  if (typeof grade !== "function") throw new InputError(`gradedReward: grade: expected a function, got ${typeof grade}`);
  if (!(Array.isArray(values) && values.length === 5 && values.every(Number.isFinite))) {
    throw new InputError(`gradedReward: values: expected five numbers, got ${printedJson(values)}`);
  }
  if (!(Number.isSafeInteger(judgements) && judgements >= 1)) {
    throw new InputError(`gradedReward: judgements: expected an integer of at least 1, got ${printed(judgements)}`);
  }
  return async (response) => {
    const grades = await Promise.all(Array.from({ length: judgements }, () => grade(response)));
    for (const got of grades) {
      if (got !== null && ![1, 2, 3, 4, 5].includes(got)) {
        throw new InputError(`gradedReward: grade: expected an integer within [1, 5], or null, got ${printed(got)}`);
      }
    }
    const worth = grades.filter((got) => got !== null).map((got) => values[got - 1]!);
    return worth.length === 0 ? null : mean(worth);
  };
}

/** The result of a comparison: 1 if the first answer is better, −1 if the second is better, otherwise 0. */
export type Preference = -1 | 0 | 1;

/**
 * Creates a reward from a model that compares two answers (M1 report, section 4.2): 1 if the response is better than the reference, −1 if
 * it is worse, else 0.
 *
 * The model is called twice, with the positions swapped, to remove position bias. If the two results contradict, the reward is 0.
 *
 * @param compare calls the model with the question, a first and a second answer; null means no result, and makes the reward null
 * @returns the reward. It throws an InputError if `compare` returns an invalid result
 * @throws {InputError} `compare` is not a function
 */
export function pairwiseReward(
  compare: (question: string, first: string, second: string) => Promise<Preference | null> | Preference | null,
): Reward<AnsweredWithReference> {
  if (typeof compare !== "function") throw new InputError(`pairwiseReward: compare: expected a function, got ${typeof compare}`);
  return async ({ question, text, reference }) => {
    const [first, second] = await Promise.all([compare(question, text, reference), compare(question, reference, text)]);
    for (const got of [first, second]) {
      if (got !== null && ![-1, 0, 1].includes(got))
        throw new InputError(`pairwiseReward: compare: expected -1, 0, 1 or null, got ${printed(got)}`);
    }
    if (first === null || second === null) return null;
    return first === -second ? first : 0;
  };
}
