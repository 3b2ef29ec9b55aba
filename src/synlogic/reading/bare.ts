// Reads answers that a question wants without any wrapper: alone on the last line.

import { lastLine, plainText } from "./final-text.js";

/** The end of a text, which holds the answer if the question asks for a bare one. */
export interface BareAnswer {
  /** The last line. Empty if there is none. */
  readonly line: string;
  /** The whole text. It is the answer if the text holds nothing but an answer that is broken into several lines. */
  readonly whole: string;
  /** Whether a code fence follows the last line. The answer is then in a code block instead of bare. */
  readonly fenced: boolean;
}

export function bareAnswer(text: string): BareAnswer {
  const whole = text.trim();
  return { line: lastLine(text) ?? "", whole, fenced: /(?:^|\n)[ \t]*```[^\n]*$/.test(whole) };
}

/** Removes one pair of quotes around a text, straight or curly. */
export function unquoted(text: string): string {
  return (
    /^(?:"([^"]*)"|'([^']*)'|“([^”]*)”)$/
      .exec(text)
      ?.slice(1)
      .find((inner) => inner !== undefined)
      ?.trim() ?? text
  );
}

/** Maximum length of a line that may hold a decorated answer. Longer lines are not read as one. */
export const MAX_DECORATED = 400;

/**
 * Removes decoration from a line: quotes, bold, a box, answer tags, and words before a colon. Returns the possible answers that remain. A
 * question that asks for a bare answer does not say whether a decorated one counts.
 */
export function undecorated(line: string): readonly string[] {
  if (line.length > MAX_DECORATED) return [];
  const plain = plainText(line.replace(/<\/?answer>/g, ""));
  const afterColon = plainText(plain.slice(Math.max(plain.lastIndexOf(":"), plain.lastIndexOf("：")) + 1));
  return [plain, afterColon, unquoted(afterColon)];
}
