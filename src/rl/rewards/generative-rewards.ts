import { InputError } from "../../base/errors.js";
import { printed, printedJson } from "../../base/printed.js";
import { mean } from "../statistics.js";
import type { Answered, Reward } from "./rewards.js";

/** A grade from 1, wrong, to 5, right, or null for no judgement. */
export type Grade = 1 | 2 | 3 | 4 | 5;

/** What grades are worth if nothing is said: the report does not tell. */
const EVENLY_SPACED_VALUES = [0, 0.25, 0.5, 0.75, 1] as const;

/** A response to a question to which there is an answer to compare with: the right one, or one to be as good as. */
export interface AnsweredWithReference extends Answered {
  readonly reference: string;
}

/**
 * The reward of a model that grades answers against the right one on a scale of five (M1 report, section 4.2), judged several times without knowledge of each other.
 *
 * @param grade asks the model: the question, the right answer, the response
 * @param options `values`: what grades 1 to 5 are worth (0, 0.25, 0.5, 0.75, 1); `judgements`: how often is asked (1). The mean of those that gave a grade counts; without any the reward is null
 * @throws {InputError} what is no function, or options that do not fit
 */
export function gradedReward(
  grade: (response: AnsweredWithReference) => Promise<Grade | null> | Grade | null,
  { values = EVENLY_SPACED_VALUES, judgements = 1 }: { values?: readonly number[]; judgements?: number } = {},
): Reward<AnsweredWithReference> {
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
        throw new InputError(`gradedReward: grade: expected a whole number from 1 to 5, or null, got ${printed(got)}`);
      }
    }
    const worth = grades.filter((got) => got !== null).map((got) => values[got - 1]!);
    return worth.length === 0 ? null : mean(worth);
  };
}

/** 1 if the first is better, −1 if the second is, 0 if neither, null for no judgement. */
export type Preference = -1 | 0 | 1;

/**
 * The reward of a model that compares two answers (M1 report, section 4.2): 1 if the response is better than the reference, −1 if it is worse, else 0. It is asked twice, with the places
 * swapped; a preference that does not survive the swap is one for a place, and counts as 0.
 *
 * @param compare asks the model: the question, a first and a second answer
 * @throws {InputError} what is no function
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
