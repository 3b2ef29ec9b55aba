import type { Random } from "../../base/random.js";
import { drawUntil, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataString } from "../metadata.js";
import { bareAnswer, mayBeDecorated } from "../reading/bare.js";
import { pythonInteger } from "../reading/python-integer.js";
import { accept, type Language, reject, undecided } from "../row.js";
import { BRACKET_PAIRS, drawBrackets, isOpener, scanBrackets } from "../search/brackets.js";

type DyckLanguageErrors = {
  readonly n_types: number;
  readonly total_length: number;
};

/**
 * Returns the position of the first wrong closer, counted from 1. Returns the length plus 1 if brackets stay open, and -1 if the sequence
 * is balanced.
 */
function firstError(sequence: string): number {
  const { open, error } = scanBrackets(sequence);
  if (error !== undefined) return error + 1;
  return open.length > 0 ? sequence.length + 1 : -1;
}

/** Draws a sequence with a wrong closer. Its position is uniform among the possible positions. */
function withWrongCloser(random: Random, pairs: readonly string[], length: number): string {
  const draft = drawBrackets(random, pairs, length + (length % 2), 0)!;
  const wrongClosers = (position: number) => {
    const last = scanBrackets(draft.slice(0, position - 1)).open.at(-1);
    return pairs.filter((pair) => pair[0] !== last).map((pair) => pair[1]!);
  };
  const positions = Array.from({ length }, (_, i) => i + 1).filter((position) => wrongClosers(position).length > 0);
  const position = randomChoice(random, positions);
  // The wrong closer replaces the right one, or is inserted before an opener.
  const rest = draft.slice(isOpener(draft[position - 1]!) ? position - 1 : position);
  const damaged = draft.slice(0, position - 1) + randomChoice(random, wrongClosers(position)) + rest;
  return damaged.slice(0, length);
}

/** Draws a sequence without wrong closers that leaves brackets open. */
function withOpenEnd(random: Random, pairs: readonly string[], length: number): string {
  const most = Math.min(length, 6);
  const open = drawUntil(
    () => randomInteger(random, 1, most),
    (count) => count % 2 === length % 2,
  );
  return drawBrackets(random, pairs, length, open)!;
}

function draw(random: Random, pairs: readonly string[], length: number): string {
  const kind = random.next();
  // Only a sequence of even length can be balanced.
  if (kind < 0.2 && length % 2 === 0) return drawBrackets(random, pairs, length, 0)!;
  if (kind > 0.8 && length > 1) return withOpenEnd(random, pairs, length);
  return withWrongCloser(random, pairs, length);
}

export const dyckLanguageErrors: SynlogicTask<DyckLanguageErrors> = {
  name: "dyck_language_errors",
  summary: "Find the first wrong closer of a bracket sequence.",
  languages: ["en", "zh"],
  parameters: {
    n_types: { kind: "integer", least: 1, most: 4, meaning: "number of bracket types" },
    total_length: { kind: "integer", least: 1, most: 200, meaning: "length of the sequence" },
  },
  levels: {
    tiny: { n_types: 2, total_length: 6 },
    easy: { n_types: 3, total_length: 10 },
    medium: { n_types: 4, total_length: 15 },
    hard: { n_types: 4, total_length: 30 },
  },
  attributes: ["total_length", "n_types"],
  generate(random, { n_types, total_length }, language) {
    const pairs = shuffle(random, BRACKET_PAIRS).slice(0, n_types);
    const sequence = draw(random, pairs, total_length);
    const position = firstError(sequence);
    return {
      question: question(sequence, pairs, language),
      answer: String(position),
      metadata: {
        bracket_string: sequence,
        first_error_pos: position > 0 ? position : null,
        is_valid: position < 0,
        n_types,
        total_length,
        bracket_pairs: pairs.map((pair) => ({ open: pair[0]!, close: pair[1]! })),
      },
    };
  },
  solve(row) {
    return String(firstError(metadataString(row, "bracket_string")));
  },
  verify(row, text) {
    const expected = String(firstError(metadataString(row, "bracket_string")));
    const { line, fenced } = bareAnswer(text);
    if (line === expected) {
      return fenced
        ? undecided("the question asks for the number alone, but it is in a code block", line)
        : accept(line, positionText(expected));
    }
    if (/^(?:-1|[1-9][0-9]*)$/.test(line))
      return reject(line === "-1" ? "the sequence is not balanced" : `the first error is not at position ${line}`, line);
    if (onlyNumber(line) === expected) return undecided("the question asks for the number alone, but there is other text around it", line);
    return reject("the last line is neither a position nor -1", line);
  },
  guess(row, random) {
    const length = metadataString(row, "bracket_string").length;
    return String(randomChoice(random, [-1, ...Array.from({ length: length + 1 }, (_, i) => i + 1)]));
  },
  published(row, response) {
    const message = response.toLowerCase();
    if (["valid", "correct", "合法"].some((word) => message.includes(word))) return row.answer === "-1";
    // The published verifier compares positions as numbers, but -1 as text.
    return row.answer === "-1" ? response.trim() === "-1" : String(pythonInteger(response)) === row.answer;
  },
};

const positionText = (position: string) => (position === "-1" ? "the sequence is balanced" : `the first error is at position ${position}`);

/**
 * Returns the only number in a line that may have words or marks around it. Returns undefined if there are several numbers, or if the
 * number is not a plain integer.
 */
function onlyNumber(line: string): string | undefined {
  if (!mayBeDecorated(line)) return undefined;
  return /^[^0-9]*?(?<![A-Za-z_.])(?<![+−-] ?)(-1|[1-9][0-9]*)(?![A-Za-z_])[^0-9]*$/.exec(line)?.[1];
}

function question(sequence: string, pairs: readonly string[], language: Language): string {
  if (language === "zh") {
    return `下面的括号序列长度为 ${sequence.length}，可能用到的括号有 ${pairs.join(" ")}：
${sequence}

从左到右阅读，位置从 1 开始计数，找出第一个错误的位置：
- 如果有右括号与最近的未闭合左括号类型不同，或者此时没有未闭合的左括号，答案是第一个这样的右括号的位置。
- 如果所有右括号都匹配，但末尾仍有括号未闭合，答案是序列长度加 1，即 ${sequence.length + 1}。
- 如果序列完全合法，答案是 -1。

请在最后一行只写出这个数字，不要加其他任何内容。`;
  }
  return `The bracket sequence below has ${sequence.length} characters. It may use the brackets ${pairs.join(" ")}:
${sequence}

Read it from left to right and find the position of its first error, counted from 1:
- If a closing bracket differs in type from the most recent bracket that is still open, or if none is open, the answer is the position of the first such closing bracket.
- If all closing brackets match, but some brackets are still open at the end, the answer is the length plus 1, that is ${sequence.length + 1}.
- If the sequence is balanced, the answer is -1.

Write the number on the last line of your answer and nothing else on that line.`;
}
