// Reads answers that a question asks for without a box or code block, alone on the last line.

import { lastLine, plainText } from "./final-text.js";

/** The end of a text. It holds the answer if the question asks for a bare answer. */
export interface BareAnswer {
  /** The last line. Empty if the text has no lines. */
  readonly line: string;
  /** The whole text. It is the answer if the text contains only an answer that is broken into several lines. */
  readonly whole: string;
  /** Whether the last line is followed by a code fence. If so, the answer is inside a code block and not bare. */
  readonly fenced: boolean;
}

export function bareAnswer(text: string): BareAnswer {
  const whole = text.trim();
  return { line: lastLine(text) ?? "", whole, fenced: /(?:^|\n)[ \t]*```[^\n]*$/.test(whole) };
}

/** Removes one pair of straight or curly quotes around a text. */
export function unquoted(text: string): string {
  return (
    /^(?:"([^"]*)"|'([^']*)'|“([^”]*)”)$/
      .exec(text)
      ?.slice(1)
      .find((inner) => inner !== undefined)
      ?.trim() ?? text
  );
}

/** Maximum length in characters of a line that may hold a decorated answer. */
const MAX_DECORATED = 400;

/** Zero-width and control characters, but not the tab. */
const INVISIBLE = /\p{Cf}|(?!\t)\p{Cc}/u;

/**
 * Whether a line may hold a decorated answer: it is short, and nothing in it is invisible. Invisible characters are not decoration, but a
 * way to make texts differ that look equal.
 */
export const mayBeDecorated = (line: string): boolean => line.length <= MAX_DECORATED && !INVISIBLE.test(line);

/**
 * Removes decoration from a line, such as quotes, bold marks, a box, answer tags, or words before a colon. Returns all candidate answers
 * that remain.
 *
 * A question that asks for a bare answer does not say whether a decorated answer counts.
 */
export function undecorated(line: string): readonly string[] {
  if (!mayBeDecorated(line)) return [];
  const plain = plainText(line.replace(/<\/?answer>/g, ""));
  const afterColon = plainText(plain.slice(Math.max(plain.lastIndexOf(":"), plain.lastIndexOf("：")) + 1));
  return [plain, afterColon, unquoted(afterColon)];
}
