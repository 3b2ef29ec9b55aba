// The row format of the published data set, and what a verifier says about a response.

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
  /** The stored answer. Some tasks leave it empty, because their solution lies in the metadata. */
  readonly answer: Json;
  /** What the generator knows about the puzzle. The keys are those of the published generator. */
  readonly metadata: { readonly [key: string]: Json } | null;
}

/** The verdict on a response, with its reason. */
export interface Verdict {
  /** Whether the answer is right. Null if the question leaves it open. */
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

/** The answer is wrong, or there is none. @param reason the rule that it breaks */
export function reject(reason: string, found?: string): Verdict {
  return { right: false, found, reason };
}

/** The question does not say whether the answer is right. */
export function undecided(reason: string, found?: string): Verdict {
  return { right: null, found, reason };
}

/**
 * What the published verifier says about the whole message: its verdict; `"error"` for an exception or a hang; `"evaluates"` where it
 * would run the text as code, so that its verdict is up to the text.
 */
export type PublishedVerdict = boolean | "error" | "evaluates";
