import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataStrings } from "../metadata.js";
import { accept, type Language, type Row, reject, undecided } from "../row.js";

type Cryptarithm = {
  readonly num_letter: number;
  readonly operator_num: number;
  /** Determines the operators: + and - on levels 1 and 2, and also * on level 3. */
  readonly operator_level: number;
};

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const MAX_DRAWS = 2000;
const MAX_RESULT = 1e10;

/** Computes an expression of + - *. Multiplication comes first, then + and - from left to right. */
function compute(numbers: readonly bigint[], operators: readonly string[]): bigint {
  let sum = 0n;
  let product = numbers[0]!;
  let sign = 1n;
  for (const [i, operator] of operators.entries()) {
    const next = numbers[i + 1]!;
    if (operator === "*") product *= next;
    else {
      sum += sign * product;
      [product, sign] = [next, operator === "+" ? 1n : -1n];
    }
  }
  return sum + sign * product;
}

/**
 * Computes the same expression in double precision. With a modulus, each step is reduced, so products stay exact for a modulus of up to
 * 10^7.
 */
function estimated(numbers: readonly number[], operators: readonly string[], modulus = Number.POSITIVE_INFINITY): number {
  let sum = 0;
  let product = numbers[0]! % modulus;
  let sign = 1;
  for (const [i, operator] of operators.entries()) {
    const next = numbers[i + 1]! % modulus;
    if (operator === "*") product = (product * next) % modulus;
    else {
      sum += sign * product;
      [product, sign] = [next, operator === "+" ? 1 : -1];
    }
  }
  return sum + sign * product;
}

/** A puzzle: the words of the operands, joined by the operators, and the word of the result at the end. */
interface Equation {
  readonly words: readonly string[];
  readonly operators: readonly string[];
}

/** Maximum number of trailing digits that are tested, so that their products stay exact in double precision. */
const MAX_TESTED_DIGITS = 7;

/**
 * Finds up to `limit` assignments of digits to letters. Assigns the letters at the last position first, and tests the trailing digits after
 * each position.
 */
function assignments({ words, operators }: Equation, limit: number): Map<string, number>[] {
  const longest = Math.max(...words.map((word) => word.length));
  const leading = new Set(words.filter((word) => word.length > 1).map((word) => word[0]!));
  const digits = new Map<string, number>();
  const used = new Set<number>();
  const found: Map<string, number>[] = [];

  /** Assigns digits to the remaining letters at a position, counted from the end. Continues with the next position. */
  function assign(position: number): void {
    if (found.length >= limit) return;
    if (position === longest) {
      if (holds({ words, operators }, digits)) found.push(new Map(digits));
      return;
    }
    const letter = words.map((word) => word[word.length - 1 - position]).find((one) => one !== undefined && !digits.has(one));
    if (letter === undefined) {
      const tested = Math.min(position + 1, MAX_TESTED_DIGITS);
      const tails = words.map((word) => Number([...word.slice(-tested)].map((one) => digits.get(one)).join("")));
      if ((estimated(tails, operators, 10 ** tested) - tails.at(-1)!) % 10 ** tested === 0) assign(position + 1);
      return;
    }
    for (let digit = leading.has(letter) ? 1 : 0; digit < 10; digit++) {
      if (used.has(digit)) continue;
      digits.set(letter, digit);
      used.add(digit);
      assign(position);
      digits.delete(letter);
      used.delete(digit);
    }
  }
  assign(0);
  return found;
}

const numbersOf = (words: readonly string[], digits: ReadonlyMap<string, number>) =>
  words.map((word) => [...word].map((letter) => digits.get(letter)).join(""));

function holds({ words, operators }: Equation, digits: ReadonlyMap<string, number>): boolean {
  const numbers = numbersOf(words, digits).map(BigInt);
  return compute(numbers.slice(0, -1), operators) === numbers.at(-1);
}

const join = (terms: readonly string[], operators: readonly string[]) =>
  terms.map((term, i) => (i === 0 ? term : `${operators[i - 1] ?? "="} ${term}`)).join(" ");

function equationOf(row: Row): Equation {
  const [words, operators] = [metadataStrings(row, "letter_words"), metadataStrings(row, "operators")];
  if (words.length < 2 || words.length > 30 || words.some((word) => !/^[A-Z]{1,30}$/.test(word))) {
    throw metadataError(row, "letter_words", "words of capital letters");
  }
  if (operators.length !== words.length - 2 || operators.some((one) => !["+", "-", "*"].includes(one))) {
    throw metadataError(row, "operators", `${words.length - 2} of + - *`);
  }
  return { words, operators };
}

/** The phrase that announces the answer, as the question asks for it. */
const PHRASE = /the answer is|答案[是为]/gi;
/** Maximum number of characters after the phrase in which an equation is looked for. */
const MAX_EQUATION = 1000;

/**
 * Reads the text after the last announcement, without decoration. Returns the equation in digits, the text after the equation, and the line
 * as found. Returns undefined if there is no announcement.
 */
function lastAnswer(text: string): { readonly equation: string | undefined; readonly rest: string; readonly found: string } | undefined {
  const phrase = [...text.matchAll(PHRASE)].at(-1);
  if (!phrase) return undefined;
  const after = text.slice(phrase.index + phrase[0].length, phrase.index + phrase[0].length + MAX_EQUATION);
  const plain = after
    .replace(/\\(?:boxed|text|mathrm)\{|[{}$`]|\*\*|\\[()[\]]/g, " ")
    .replace(/[−–－]/g, "-")
    .replace(/\\times|\\cdot|×/g, "*")
    .replace(/(?<=[0-9]),(?=[0-9]{3}(?![0-9]))/g, "");
  const [, equation, rest] =
    /^[\s:：]*((?:[0-9]{1,40}\s*[-+*]\s*){0,40}[0-9]{1,40}\s*=\s*[0-9]{1,40})(?![0-9])([\s\S]*)$/u.exec(plain) ?? [];
  return { equation, rest: rest ?? "", found: plain.trim().split("\n")[0]!.trim() };
}

/** Replace letters by digits so that an equation holds. */
export const cryptarithm: SynlogicTask<Cryptarithm> = {
  name: "cryptarithm",
  summary: "Replace each letter by its own digit so that the equation holds.",
  languages: ["en", "zh"],
  parameters: {
    num_letter: { kind: "integer", least: 2, most: 9, meaning: "number of different letters" },
    operator_num: { kind: "integer", least: 1, most: 3, meaning: "number of operators" },
    operator_level: { kind: "integer", least: 1, most: 3, meaning: "1 and 2: + and -; 3: * too" },
  },
  levels: {
    tiny: { num_letter: 2, operator_num: 1, operator_level: 1 },
    easy: { num_letter: 3, operator_num: 1, operator_level: 2 },
    medium: { num_letter: 4, operator_num: 1, operator_level: 2 },
    hard: { num_letter: 4, operator_num: 2, operator_level: 2 },
  },
  attributes: ["num_letter", "operator_num", "operator_level"],
  generate(random, { num_letter, operator_num, operator_level }, language) {
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      const puzzle = drawEquation(random, num_letter, operator_num, operator_level);
      if (!puzzle || assignments(puzzle, 2).length !== 1) continue;
      const { words, operators, digits } = puzzle;
      const numbers = numbersOf(words, digits);
      return {
        question: question(puzzle, language),
        answer: join(numbers, operators),
        metadata: {
          numbers: numbers.map(Number),
          letter_words: words,
          operators,
          digit_map: Object.fromEntries(digits),
          num_letter,
          operator_num,
          operator_level,
        },
      };
    }
    throw new InputError(`cryptarithm: expected parameters with a unique solution, got none in ${MAX_DRAWS} draws. Use more letters.`);
  },
  solve(row) {
    const equation = equationOf(row);
    const [digits] = assignments(equation, 1);
    if (!digits) throw new InputError(`cryptarithm: row: expected a solvable puzzle, got ${join(equation.words, equation.operators)}`);
    return phrase(join(numbersOf(equation.words, digits), equation.operators), row);
  },
  verify(row, text) {
    const { words, operators } = equationOf(row);
    const answer = lastAnswer(text);
    if (!answer) return reject('there is no "The answer is" after the reasoning');
    const { equation, rest, found } = answer;
    if (equation === undefined) return reject("no equation in digits follows the last announcement", found);
    const terms = equation.split(/[-+*=]/).map((term) => term.trim());
    const signs = equation.match(/[-+*]/g) ?? [];
    if (terms.length !== words.length) return reject(`the equation has ${terms.length} numbers, not ${words.length}`, found);
    if (String(signs) !== String(operators)) return reject(`the operators are ${signs.join(" ")}, not ${operators.join(" ")}`, found);
    const digits = new Map<string, number>();
    for (const [i, word] of words.entries()) {
      const term = terms[i]!;
      if (term.length !== word.length) return reject(`${word} has ${word.length} digits, and ${term} has ${term.length}`, found);
      if (term.length > 1 && term.startsWith("0")) return reject(`${term} begins with 0`, found);
      for (const [j, letter] of [...word].entries()) {
        const digit = Number(term[j]);
        if ((digits.get(letter) ?? digit) !== digit) return reject(`${letter} stands for ${digits.get(letter)} and for ${digit}`, found);
        digits.set(letter, digit);
      }
    }
    if (new Set(digits.values()).size < digits.size) return reject("two letters stand for the same digit", found);
    if (!holds({ words, operators }, digits)) return reject("the equation does not hold", found);
    // The end of the sentence and a remark may follow the equation, but no further part of an equation.
    if (/^[^\S\n]*(?:$|\n|[.。!！;；](?![0-9])|[(（])/.test(rest)) return accept(found, "the letters fit and the equation holds");
    if (/^\s*(?:[-+*/=<>^%.,0-9]|or\b|或)/.test(rest)) return reject("the equation goes on", found);
    return undecided("the line goes on behind the equation", found);
  },
  guess(row, random) {
    const { words, operators } = equationOf(row);
    const letters = [...new Set(words.join(""))];
    const digits = shuffle(random, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
    return phrase(join(numbersOf(words, new Map(letters.map((letter, i) => [letter, digits[i]!]))), operators), row);
  },
  published(row, response) {
    // The published verifier compares the last text that looks like an equation, without spaces. No left side is longer than 200
    // characters.
    const answer = String(row.answer).replaceAll(" ", "");
    for (let at = response.lastIndexOf("="); at >= 0; at = at === 0 ? -1 : response.lastIndexOf("=", at - 1)) {
      const right = /^ *([0-9]+)/.exec(response.slice(at + 1, at + 60))?.[1];
      const left = right && /(?<![0-9])[0-9]+(?: *[-+*] *[0-9]+)+(?= *$)/.exec(response.slice(Math.max(0, at - 200), at))?.[0];
      if (left) return `${left.replaceAll(" ", "")}=${right}` === answer;
    }
    return false;
  },
};

const phrase = (equation: string, row: Row) => (/[一-鿿]/.test(row.question) ? `答案是 ${equation}。` : `The answer is ${equation}.`);

/** Number of draws of operands for each choice of digits and operators. */
const DRAWS_PER_CHOICE = 200;

/** Draws numbers from the chosen digits until the result has no other digits, and replaces the digits by letters. */
function drawEquation(random: Random, letterCount: number, operatorCount: number, level: number): DrawnEquation | undefined {
  const chosen = shuffle(random, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).slice(0, letterCount);
  const operators = Array.from({ length: operatorCount }, () => randomChoice(random, level === 3 ? ["+", "-", "*"] : ["+", "-"]));
  const allowed = digitBits(chosen.join(""));
  for (let draw = 0; draw < DRAWS_PER_CHOICE; draw++) {
    const operands = Array.from({ length: operatorCount + 1 }, () => drawNumber(random, chosen));
    if (operands.includes(-1)) continue;
    // Double precision is much faster, and exact except for very long products.
    const estimate = estimated(operands, operators);
    if (estimate <= 0 || estimate > MAX_RESULT) continue;
    const numbers = [...operands, estimate].map(String);
    if (digitBits(numbers.join("")) !== allowed || compute(operands.map(BigInt), operators) !== BigInt(estimate)) continue;
    const letters = shuffle(random, ALPHABET).slice(0, letterCount);
    const words = numbers.map((number) => [...number].map((digit) => letters[chosen.indexOf(Number(digit))]).join(""));
    return { words, operators, digits: new Map(chosen.map((digit, i) => [letters[i]!, digit])) };
  }
  return undefined;
}

type DrawnEquation = Equation & { readonly digits: Map<string, number> };

/** Draws a number from the chosen digits. In nine of ten cases it has 3 to 6 digits. Returns −1 if the number would begin with 0. */
function drawNumber(random: Random, chosen: readonly number[]): number {
  const length = randomBoolean(random, 0.9) ? randomInteger(random, 3, 6) : randomInteger(random, 1, 2);
  let number = randomChoice(random, chosen);
  if (number === 0 && length > 1) return -1;
  for (let i = 1; i < length; i++) number = 10 * number + randomChoice(random, chosen);
  return number;
}

/** Returns the set of digits in a text as a bit mask. */
function digitBits(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits |= 1 << (text.charCodeAt(i) - 48);
  return bits;
}

function question({ words, operators }: Equation, language: Language): string {
  const first = operators.includes("*");
  if (language === "zh") {
    const lengths = words.map((word) => `${word} 是 ${word.length} 位数`).join("，");
    return `在下面的字母算式中，相同的字母代表相同的数字，不同的字母代表不同的数字（0 到 9）。两位或更多位的数不能以 0 开头。${first ? "先算乘法，再从左到右算加减。" : ""}

${join(words, operators)}

其中${lengths}。请找出使等式成立的数字。

回答的最后一行请写：答案是 $YOUR_ANSWER。其中 $YOUR_ANSWER 是把字母换成数字后的整个等式，各数的顺序不变。`;
  }
  const lengths = words.map((word) => `${word} has ${word.length} digit${word.length > 1 ? "s" : ""}`).join(", ");
  return `In this equation, equal letters stand for equal digits and different letters for different digits (0 to 9). A number of two or more digits does not begin with 0.${first ? " Multiplication comes first, then + and - from left to right." : ""}

${join(words, operators)}

${lengths}. Find the digits that make the equation true.

The last line of your answer must be: The answer is $YOUR_ANSWER. Here $YOUR_ANSWER is the whole equation with the letters replaced by digits, in the same order.`;
}
