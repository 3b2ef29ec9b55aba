import { splitWords } from "../tasks/task.js";

/** The expected answer of a row of a data set. An array accepts each of its elements. */
export type ExpectedAnswer = string | number | readonly (string | number)[];

/** Compares answers with the expected answer of a data set. */
export interface Verifier {
  /** Description of a valid expected answer, for messages. */
  readonly expects: string;
  /** Whether an expected answer is valid. */
  accepts(expected: string): boolean;
  /** Whether an answer, which may be any text, equals the expected answer. */
  verify(expected: string, answer: string): boolean;
  /** Extracts the answer from a response without tags. Returns undefined if there is none. */
  parse(response: string): string | undefined;
}

const wholeText = (response: string) => response.trim() || undefined;
const normaliseWords = (text: string) => splitWords(text.normalize("NFC").toLowerCase()).join(" ");

/** Verifiers by name. All of them take time linear in the length of the response and evaluate no code. */
export const verifiers: Readonly<Record<"exact" | "words" | "number", Verifier>> = {
  /** Accepts equal texts, ignoring white space around them. */
  exact: {
    expects: "text",
    accepts: (expected) => expected.trim() !== "",
    verify: (expected, answer) => expected.trim() === answer.trim(),
    parse: wholeText,
  },
  /** Accepts equal words in equal order. Ignores case, and white space and commas between the words. */
  words: {
    expects: "text with words",
    accepts: (expected) => normaliseWords(expected) !== "",
    verify: (expected, answer) => normaliseWords(expected) === normaliseWords(answer),
    parse: wholeText,
  },
  /** Accepts exactly equal numbers: `1,000`, `1e3` and `2000/2` are equal. In a response without tags, the last number is the answer. */
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

/** A sign directly after a digit or a decimal point is an operator and not part of the number. */
const NUMBERS = /(?<![\d.])[+\-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?:\/\d+)?/g;
const DECIMAL = /^([+\-−]?)(\d{1,3}(?:,\d{3})+|\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
/** Maximum length of a text that is read as a number. Comparing longer numbers would take too long. */
const MAX_NUMBER_CHARACTERS = 400;

interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Reads a decimal number, or a fraction of two decimal numbers, as an exact rational. Returns undefined for any other text. */
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
