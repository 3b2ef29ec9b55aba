// Lists of words in answers, and the words that a generator draws from.

import { InputError } from "../../base/errors.js";
import { printed } from "../../base/printed.js";
import { WORDS } from "../words.js";
import { plainText } from "./final-text.js";

/** Splits a list at Latin or Chinese commas and removes harmless decoration from each item. A comma at the end is ignored. */
export function commaSeparated(text: string): string[] {
  const items = text
    .replace(/\\[ ,;!]/g, " ")
    .replace(/[,，]\s*$/, "")
    .split(/[,，、]/);
  return items.map((item) => plainText(item).replace(/^(["'])(.*)\1$/, "$2"));
}

/**
 * Returns the words that a generator draws from: the caller's words, or the built-in list if the caller passes none.
 *
 * @throws {InputError} a word with characters other than a to z, or too few different words
 */
export function wordsToDraw(where: string, own: readonly string[], least: number): readonly string[] {
  if (own.length === 0) return WORDS;
  const words = [...new Set(own)];
  const wrong = words.find((word) => !/^[a-z]+$/.test(word));
  if (wrong !== undefined) throw new InputError(`${where}: words: expected lower-case words of the letters a to z, got ${printed(wrong)}`);
  if (words.length < least) throw new InputError(`${where}: words: expected at least ${least} different words, got ${words.length}`);
  return words;
}

/**
 * Reads a parameter that is a range, such as `word_count_range`: its minimum and its maximum.
 *
 * @throws {InputError} anything other than two integers in ascending order within the limits
 */
export function rangeOf(where: string, range: readonly number[], least: number, most: number): readonly [from: number, to: number] {
  const [from, to] = range;
  if (range.length !== 2 || from === undefined || to === undefined || from < least || to > most || from > to) {
    throw new InputError(`${where}: expected two integers in ascending order within [${least}, ${most}], got ${JSON.stringify(range)}`);
  }
  return [from, to];
}
