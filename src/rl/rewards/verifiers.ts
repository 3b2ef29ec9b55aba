import { splitWords } from "../tasks/task.js";

/** What an answer in a data set may be; an array accepts any of its members. */
export type ExpectedAnswer = string | number | readonly (string | number)[];

/** Compares answers with what a data set expects. */
export interface Verifier {
  /** What an expected answer has to be, in words. */
  readonly expects: string;
  /** Whether an expected answer is one. */
  accepts(expected: string): boolean;
  verify(expected: string, answer: string): boolean;
  /** The part of a response without tags that is its answer, undefined if there is none. */
  parse(response: string): string | undefined;
}

const wholeText = (response: string) => response.trim() || undefined;
const normaliseWords = (text: string) => splitWords(text.normalize("NFC").toLowerCase()).join(" ");

/** Verifiers by name. All take time linear in the response, and evaluate nothing. */
export const verifiers: Readonly<Record<"exact" | "words" | "number", Verifier>> = {
  /** The same text, but for spaces around it. */
  exact: {
    expects: "text",
    accepts: (expected) => expected.trim() !== "",
    verify: (expected, answer) => expected.trim() === answer.trim(),
    parse: wholeText,
  },
  /** The same words in the same order, whatever their case and the spaces and commas between them. */
  words: {
    expects: "text with words",
    accepts: (expected) => normaliseWords(expected) !== "",
    verify: (expected, answer) => normaliseWords(expected) === normaliseWords(answer),
    parse: wholeText,
  },
  /** The same number, exactly: `1,000`, `1e3` and `2000/2` are equal. Without tags the last number of the response is its answer. */
  number: {
    expects: "a number",
    accepts: (expected) => parseRational(expected) !== undefined,
    verify(expected, answer) {
      const [a, b] = [parseRational(expected), parseRational(answer)];
      return a !== undefined && b !== undefined && a.numerator * b.denominator === b.numerator * a.denominator;
    },
    parse: (response) => response.match(NUMBERS)?.at(-1),
  },
};

/** A sign after a digit is one of subtraction. */
const NUMBERS = /(?<![\d.])[+\-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?:\/\d+)?/g;
const DECIMAL = /^([+\-−]?)(\d{1,3}(?:,\d{3})+|\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
/** Longer ones are no answers, and would take long to compare. */
const MAX_NUMBER_CHARACTERS = 400;

interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** A decimal number or a fraction of two, exactly; undefined for other text. */
function parseRational(text: string): Rational | undefined {
  if (text.length > MAX_NUMBER_CHARACTERS) return undefined;
  const [above, below, ...more] = text.split("/").map((part) => parseDecimal(part.trim()));
  if (!above || more.length > 0 || (text.split("/").length === 2) !== (below !== undefined)) return undefined;
  if (!below) return above;
  if (below.numerator === 0n) return undefined;
  return { numerator: above.numerator * below.denominator, denominator: above.denominator * below.numerator };
}

function parseDecimal(text: string): Rational | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const digits = whole.replaceAll(",", "") + fraction;
  if (digits === "") return undefined;
  const shift = Number(exponent) - fraction.length;
  const value = BigInt(digits) * 10n ** BigInt(Math.max(0, shift));
  return { numerator: sign === "" || sign === "+" ? value : -value, denominator: 10n ** BigInt(Math.max(0, -shift)) };
}
