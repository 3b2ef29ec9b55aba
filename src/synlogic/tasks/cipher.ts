import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomChoice, randomInteger } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataString, metadataValue } from "../metadata.js";
import { finalBlockGrid } from "../reading/answers.js";
import { codeBlocks } from "../reading/final-text.js";
import { itemsOf, type Literal, parseLiteral, stringOf } from "../reading/literal.js";
import { accept, type Language, type Row, reject, undecided } from "../row.js";
import { WORDS } from "../words.js";

const CIPHERS = ["caesar", "atbash", "reverse", "vigenere"] as const;
type CipherName = (typeof CIPHERS)[number];
type Direction = "encrypt" | "decrypt";

type CipherParameters = {
  readonly ciphers: readonly string[];
  readonly max_shift: number;
  readonly max_words: number;
  readonly min_length: number;
  readonly max_length: number;
};

/** A cipher with its key. */
type Cipher =
  | { readonly cipher: "caesar"; readonly shift: number }
  | { readonly cipher: "vigenere"; readonly key: string }
  | { readonly cipher: "atbash" | "reverse" };

const LETTERS = 26;
const A = "A".charCodeAt(0);

/**
 * Replaces each letter A to Z. @param to returns the index of the new letter, given that of the old one; `letter` counts the letters so
 * far, without spaces
 */
function mapLetters(text: string, to: (position: number, letter: number) => number): string {
  let letter = 0;
  return text.replace(/[A-Z]/g, (char) => {
    const position = to(char.charCodeAt(0) - A, letter++);
    return String.fromCharCode(A + (((position % LETTERS) + LETTERS) % LETTERS));
  });
}

function apply(cipher: Cipher, direction: Direction, text: string): string {
  const sign = direction === "encrypt" ? 1 : -1;
  switch (cipher.cipher) {
    case "caesar":
      return mapLetters(text, (position) => position + sign * cipher.shift);
    case "vigenere":
      return mapLetters(text, (position, letter) => position + sign * (cipher.key.charCodeAt(letter % cipher.key.length) - A));
    case "atbash":
      return mapLetters(text, (position) => LETTERS - 1 - position);
    default:
      return [...text].reverse().join("");
  }
}

/**
 * Returns the cipher of a row that a generator made, or undefined if the metadata does not name a cipher. Rows without a cipher are valid,
 * because the published verifier needs only the answer.
 */
function cipherOf(row: Row): { readonly cipher: Cipher; readonly direction: Direction; readonly text: string } | undefined {
  if (!isObject(row.metadata) || row.metadata.cipher === undefined) return undefined;
  const cipher = metadataValue(row, "cipher", CIPHERS.join(", "), (x): x is CipherName => CIPHERS.includes(x as CipherName));
  const direction = metadataValue(row, "direction", "encrypt, decrypt", (x): x is Direction => x === "encrypt" || x === "decrypt");
  const text = metadataString(row, direction === "encrypt" ? "plaintext" : "ciphertext");
  if (cipher === "caesar") {
    const shift = metadataValue(row, "shift", "an integer", (x): x is number => Number.isSafeInteger(x));
    return { cipher: { cipher, shift }, direction, text };
  }
  if (cipher === "vigenere") {
    const key = metadataValue(row, "key", "capital letters", (x): x is string => typeof x === "string" && /^[A-Z]+$/.test(x));
    return { cipher: { cipher, key }, direction, text };
  }
  return { cipher: { cipher }, direction, text };
}

/**
 * Returns the right text: the result of the cipher if it is known, otherwise the stored answer without its double brackets. If a Vigenère
 * text contains spaces, the stored answer decides, because other generators may count the spaces when they apply the key.
 */
function expectedText(row: Row): string {
  const known = cipherOf(row);
  const stored =
    typeof row.answer === "string" && row.answer.startsWith("[[") && row.answer.endsWith("]]") ? row.answer.slice(2, -2) : undefined;
  const countsSpaces = known?.cipher.cipher === "vigenere" && known.text.includes(" ");
  if (known && !(countsSpaces && stored !== undefined)) return apply(known.cipher, known.direction, known.text);
  if (stored === undefined) throw metadataError(row, "cipher", CIPHERS.join(", "));
  return stored;
}

/** Returns the string of a list that contains one list of one string. Returns undefined for any other literal. */
function onlyString(literal: Literal | undefined): string | undefined {
  const outer = itemsOf(literal);
  const inner = outer?.length === 1 ? itemsOf(outer[0]) : undefined;
  return inner?.length === 1 ? stringOf(inner[0]!) : undefined;
}

const block = (text: string) => `\`\`\`python\n[[${JSON.stringify(text)}]]\n\`\`\``;

/** Encrypt or decrypt a short text with a named cipher. */
export const cipher: SynlogicTask<CipherParameters> = {
  name: "cipher",
  summary: "Encrypt or decrypt a short text with a named cipher.",
  languages: ["en", "zh"],
  parameters: {
    ciphers: { kind: "list", of: "string", meaning: `ciphers that are drawn from: ${CIPHERS.join(", ")}` },
    max_shift: { kind: "integer", least: 1, most: 25, meaning: "largest shift of a Caesar cipher" },
    max_words: { kind: "integer", least: 1, most: 4, meaning: "most words of a text" },
    min_length: { kind: "integer", least: 3, most: 7, meaning: "fewest letters of a word" },
    max_length: { kind: "integer", least: 3, most: 7, meaning: "most letters of a word" },
  },
  // There is no published generator.
  levels: {
    tiny: { ciphers: ["reverse", "caesar"], max_shift: 1, max_words: 1, min_length: 3, max_length: 3 },
    easy: { ciphers: ["caesar"], max_shift: 25, max_words: 1, min_length: 3, max_length: 3 },
    medium: { ciphers: ["caesar", "atbash", "reverse"], max_shift: 25, max_words: 2, min_length: 3, max_length: 7 },
    hard: { ciphers: CIPHERS, max_shift: 25, max_words: 2, min_length: 3, max_length: 7 },
  },
  attributes: ["max_words", "max_length", "max_shift"],
  generate(random, parameters, language) {
    const { ciphers, max_words, min_length, max_length } = parameters;
    if (min_length > max_length) throw new InputError(`cipher: min_length: expected at most ${max_length}, got ${min_length}`);
    const unknown = ciphers.find((one) => !CIPHERS.includes(one as CipherName));
    if (unknown !== undefined)
      throw new InputError(`cipher: ciphers: expected some of ${CIPHERS.join(", ")}, got ${JSON.stringify(unknown)}`);
    const words = WORDS.filter((word) => word.length >= min_length && word.length <= max_length);
    const chosen = drawCipher(random, randomChoice(random, ciphers) as CipherName, parameters.max_shift);
    const direction: Direction = randomChoice(random, ["encrypt", "decrypt"]);
    // A palindrome would equal its reversal.
    const plaintext = drawUntil(
      () =>
        Array.from({ length: randomInteger(random, 1, max_words) }, () => randomChoice(random, words))
          .join(" ")
          .toUpperCase(),
      (text) => apply(chosen, "encrypt", text) !== text,
    );
    const ciphertext = apply(chosen, "encrypt", plaintext);
    const [given, result] = direction === "encrypt" ? [plaintext, ciphertext] : [ciphertext, plaintext];
    return {
      question: question(chosen, direction, given, language),
      answer: `[[${result}]]`,
      metadata: { ...chosen, direction, plaintext, ciphertext },
    };
  },
  solve: (row) => block(expectedText(row)),
  verify(row, text) {
    const expected = expectedText(row);
    const answer = finalBlockGrid(text);
    if (!answer) return reject("the answer does not end with a code block that holds a nested list");
    const { literal, found, assigned } = answer;
    const result = onlyString(literal);
    if (result === undefined) return reject("the last code block is not a doubly nested list with one string", found);
    if (result !== expected && result.toUpperCase() === expected && /^[\x20-\x7e]*$/.test(result)) {
      return undecided("the answer is in lower case, and the question does not say whether that is allowed", found);
    }
    if (result !== expected) return reject("the text is not the result of the cipher", found);
    return assigned ? undecided("the block assigns the list to a name", found) : accept(found, "the text is the result of the cipher");
  },
  guess(row, random) {
    const text = cipherOf(row)?.text ?? expectedText(row);
    return block(mapLetters(text, () => randomInteger(random, 0, LETTERS - 1)));
  },
  published(row, response) {
    // The published verifier evaluates the text after the last fence with the tag python. Without such a fence, it evaluates everything
    // before the first fence, which is usually not an expression.
    const tagged = response.lastIndexOf("```python");
    const code = tagged < 0 ? response.split("```")[0]! : response.slice(tagged + "```python".length).split("```")[0]!;
    const literal = parseLiteral(code);
    if (literal) return onlyString(literal) === (typeof row.answer === "string" ? row.answer.slice(2, -2) : undefined);
    return tagged >= 0 && codeBlocks(response).length > 0 && /[a-z+*]/.test(code) ? "evaluates" : false;
  },
};

function drawCipher(random: Random, name: CipherName, maxShift: number): Cipher {
  if (name === "caesar") return { cipher: name, shift: randomInteger(random, 1, maxShift) };
  if (name !== "vigenere") return { cipher: name };
  return { cipher: name, key: randomChoice(random, KEYS).toUpperCase() };
}

/** The keys are words of three different letters. */
const KEYS = WORDS.filter((word) => word.length === 3 && new Set(word).size === 3);

function question(cipher: Cipher, direction: Direction, text: string, language: Language): string {
  const format = '```python\n[["RESULT"]]\n```';
  // Only a reversal moves the spaces.
  const kept = language === "zh" ? "空格不变，也不计入字母序号。" : " Spaces stay in place and are not counted as letters.";
  const spaces = cipher.cipher === "reverse" ? "" : kept;
  if (language === "zh") {
    return `${description(cipher, language)}${spaces}请${direction === "encrypt" ? "加密" : "解密"}下面的文本。

文本：${text}

请在回答的最后给出一个 \`\`\`python 代码块，其中只有一个双层嵌套的列表，里面是结果（用大写字母），例如：
${format}`;
  }
  return `${description(cipher, language)}${spaces} ${direction === "encrypt" ? "Encrypt" : "Decrypt"} this text:

${text}

End your answer with a \`\`\`python code block that holds only the result in capital letters, within a doubly nested list:
${format}`;
}

function description(cipher: Cipher, language: Language): string {
  const zh = language === "zh";
  switch (cipher.cipher) {
    case "caesar":
      return zh
        ? `凯撒密码：加密时每个字母在字母表中向后移动 ${cipher.shift} 位，Z 之后接 A。`
        : `In this Caesar cipher, encryption moves each letter ${cipher.shift} places forward in the alphabet, where A follows Z.`;
    case "vigenere":
      return zh
        ? `维吉尼亚密码，密钥是 ${cipher.key}：加密时把密钥反复写在字母下方，每个字母向后移动其下方密钥字母的位数（A = 0，B = 1，……，Z = 25），Z 之后接 A。`
        : `In a Vigenère cipher with the key ${cipher.key}, the key is written again and again below the letters. To encrypt, each letter is moved forward by the number of the key letter below it (A = 0, B = 1, …, Z = 25), where A follows Z.`;
    case "atbash":
      return zh
        ? "阿特巴希密码：加密时字母表倒过来用，A 变成 Z，B 变成 Y，……，Z 变成 A。"
        : "The Atbash cipher turns the alphabet round: A becomes Z, B becomes Y, …, Z becomes A.";
    default:
      return zh
        ? "倒序密码：加密时把整个文本（包括空格）从后往前写。"
        : "This cipher writes the whole text backwards, from its last character to its first.";
  }
}
