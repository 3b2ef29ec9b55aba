// What a scripted user says, as data of a task.

import * as v from "valibot";
import { count, text } from "../../base/options.js";

/** What a scripted user says to messages with certain words. */
export interface UserRule {
  /**
   * Words that the assistant's message must contain, in any order and in any case; in a list, one of the alternatives. `*` at the end
   * of a word stands for any ending: `"cancel* job"`.
   */
  readonly when: string | readonly string[];
  /** What the user says. Of a list, one text each time the rule applies, and the last one from then on. `{result}` stands for the result of `call`. */
  readonly say: string | readonly string[];
  /** A tool of the user that it calls before it answers. */
  readonly call?: { readonly name: string; readonly arguments?: Readonly<Record<string, unknown>> | undefined } | undefined;
  /** Whether the user leaves after the last text of `say`. */
  readonly stop?: boolean | undefined;
}

/** What a scripted user says. */
export interface UserScript {
  /** The first message. */
  readonly opening: string;
  readonly rules?: readonly UserRule[] | undefined;
  /** Answer to a message to which no rule applies ("I do not know."). */
  readonly otherwise?: string | undefined;
  /** Number of messages in a row without anything new for the user, after which it leaves (3). */
  readonly patience?: number | undefined;
}

/** The message of an object's schema, which is also that of a missing field and, if the schema is strict, of an unknown one. */
export function objectMessage(expected: string) {
  return (issue: { readonly expected: string | null }): string =>
    issue.expected === "Object" ? expected : issue.expected === "never" ? "a known field" : "a value";
}

/** A schema of one text or a list of texts. */
function oneOrMore(expected: string, fits: (text: string) => boolean) {
  const isFit = (x: unknown) => typeof x === "string" && fits(x);
  return v.custom<string | readonly string[]>((x) => isFit(x) || (Array.isArray(x) && x.length > 0 && x.every(isFit)), expected);
}

export const userScriptSchema = v.strictObject(
  {
    opening: text,
    rules: v.optional(
      v.array(
        v.strictObject(
          {
            when: oneOrMore("words or a list of alternatives", (x) => wordsOf(x).length > 0),
            say: oneOrMore("a text or a list of texts", (x) => x !== ""),
            call: v.optional(
              v.strictObject(
                { name: text, arguments: v.optional(v.record(v.string(), v.unknown(), "an object")) },
                objectMessage("a call { name, arguments }"),
              ),
            ),
            stop: v.optional(v.boolean("true or false")),
          },
          objectMessage("a rule { when, say, call, stop }"),
        ),
        "an array of rules",
      ),
    ),
    otherwise: v.optional(text),
    patience: v.optional(count),
  },
  objectMessage("a script { opening, rules, otherwise, patience }"),
);

/** The words of a text, in lower case. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+\*?/gu) ?? [];
}

/** Whether a message contains the words of a rule. */
export function applies(when: UserRule["when"], message: string): boolean {
  const words = wordsOf(message.replaceAll("*", " "));
  const known = new Set(words);
  const contains = (word: string) => (word.endsWith("*") ? words.some((one) => one.startsWith(word.slice(0, -1))) : known.has(word));
  return [when].flat().some((alternative) => wordsOf(alternative).every(contains));
}
