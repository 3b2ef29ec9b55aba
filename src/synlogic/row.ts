// The row format of the published data set, and the verdicts of verifiers.

/** Language of a question. */
export type Language = "en" | "zh";

/** Plain JSON data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A puzzle in the published row format. */
export interface Row {
  /** One of the 35 task names. */
  readonly task: string;
  /** The prompt, which is the text of the user message. */
  readonly question: string;
  /** The stored answer. It is empty for some tasks, whose solution is in the metadata. */
  readonly answer: Json;
  /** Data about the puzzle, under the keys of the published generator. */
  readonly metadata: { readonly [key: string]: Json } | null;
}

/** The verdict on a response, with its reason. */
export interface Verdict {
  /** Whether the answer is right. Null if the question does not say whether such an answer is right. */
  readonly right: boolean | null;
  /** The answer that was found in the response. Undefined if none was found. */
  readonly found?: string | undefined;
  /** The rule that the answer breaks, or why the answer is right or undecided. */
  readonly reason: string;
}

/** Returns the verdict for a right answer. */
export function accept(found: string, reason = "all rules hold"): Verdict {
  return { right: true, found, reason };
}

/** Returns the verdict for a wrong or missing answer. @param reason the rule that the answer breaks */
export function reject(reason: string, found?: string): Verdict {
  return { right: false, found, reason };
}

/** Returns the verdict for an answer if the question does not say whether it is right. */
export function undecided(reason: string, found?: string): Verdict {
  return { right: null, found, reason };
}

/**
 * The verdict of the published verifier on the whole message. `"error"` means that the verifier throws or hangs. `"evaluates"` means that
 * it runs the text as code, so that the text itself can decide the verdict.
 */
export type PublishedVerdict = boolean | "error" | "evaluates";
