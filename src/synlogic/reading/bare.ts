// Reads answers that a question wants without any wrapper: alone on the last line.

import { lastLine, plainText } from "./final-text.js";

/** The end of a text, where a question wants a bare answer. */
export interface BareAnswer {
  /** The last line. Empty if there is none. */
  readonly line: string;
  /** The whole text: the answer, if it is broken into several lines and nothing else is there. */
  readonly whole: string;
  /** Whether a code fence follows the last line, so that it does not stand alone. */
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

/** A longer line is no answer with something around it. */
export const MAX_DECORATED = 400;

/**
 * Returns what a line may mean without quotes, bold, a box, answer tags, and words before a colon. Where a question wants a bare answer, it leaves
 * open whether an answer in such a decoration counts.
 */
export function undecorated(line: string): readonly string[] {
  if (line.length > MAX_DECORATED) return [];
  const plain = plainText(line.replace(/<\/?answer>/g, ""));
  const afterColon = plainText(plain.slice(Math.max(plain.lastIndexOf(":"), plain.lastIndexOf("：")) + 1));
  return [plain, afterColon, unquoted(afterColon)];
}
