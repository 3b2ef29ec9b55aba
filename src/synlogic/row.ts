// The row format of the published data set, and the verdicts of verifiers.

/** Language of a question. */
export type Language = "en" | "zh";

/** Plain JSON data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A puzzle in the published row format. */
export interface Row {
  /** One of the 35 task names. */
  readonly task: string;
  /** The prompt: the text of the user message. */
  readonly question: string;
  /** The stored answer. Empty for some tasks, which store their solution in the metadata. */
  readonly answer: Json;
  /** Data of the generator about the puzzle, under the keys of the published generator. */
  readonly metadata: { readonly [key: string]: Json } | null;
}

/** The verdict on a response, with its reason. */
export interface Verdict {
  /** Whether the answer is right. Null if the question does not say whether such an answer is right. */
  readonly right: boolean | null;
  /** The answer as found in the response. Undefined if none was found. */
  readonly found?: string | undefined;
  /** The rule that the answer breaks, or why it is right or undecided. */
  readonly reason: string;
}

/** The answer is right. */
export function accept(found: string, reason = "all rules hold"): Verdict {
  return { right: true, found, reason };
}

/** The answer is wrong or missing. @param reason the broken rule */
export function reject(reason: string, found?: string): Verdict {
  return { right: false, found, reason };
}

/** The question does not say whether the answer is right. */
export function undecided(reason: string, found?: string): Verdict {
  return { right: null, found, reason };
}

/**
 * The verdict of the published verifier on the whole message. `"error"` if the verifier throws or hangs; `"evaluates"` if it runs the text
 * as code, so that the text can decide the verdict.
 */
export type PublishedVerdict = boolean | "error" | "evaluates";
