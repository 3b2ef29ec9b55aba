import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataString, metadataStrings } from "../metadata.js";
import { lastBox } from "../reading/final-text.js";
import { publishedBox } from "../reading/published.js";
import { pythonInteger } from "../reading/python-integer.js";
import { rangeOf, wordsToDraw } from "../reading/words.js";
import { accept, type Language, type Row, reject, undecided } from "../row.js";
import {
  type Bucket,
  firstWrongThought,
  type Reading,
  readLetter,
  sortingSteps,
  splitThoughts,
  writeReadings,
  writeStep,
} from "./word-sorting-trace.js";

type WordSortingMistake = {
  readonly word_count_range: readonly number[];
  readonly mistake_rate: number;
  readonly words: readonly string[];
};

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
/** Maximum number of draws of words. After that, words with a short trace are used. */
const DRAWS = 30;
/** Minimum number of thoughts of a trace, if the words allow it. With shorter traces, 1 would be by far the most frequent answer. */
const LEAST_THOUGHTS = 4;

/** Draws words. Some of them begin with the same letter, so that the trace has more than one step. */
function drawWords(random: Random, count: number, from: readonly string[]): string[] {
  let words: string[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    const letters = new Set(Array.from({ length: Math.ceil(count * 0.7) }, () => randomChoice(random, from)[0]!));
    const alike = shuffle(
      random,
      from.filter((word) => letters.has(word[0]!)),
    ).slice(0, count);
    words = alike.length === count ? alike : shuffle(random, from).slice(0, count);
    if (2 * sortingSteps(words).length >= LEAST_THOUGHTS) break;
  }
  return words;
}

/** A misreading of one word of a bucket: either the word is read as another word, or its letter gets a wrong number. */
interface Misreading {
  readonly word: string;
  readonly as: string;
  readonly numberError: number;
}

function misread(random: Random, words: readonly string[], bucket: Bucket, position: number): Misreading {
  const candidates = bucket.filter((one) => position < one.length);
  const word = randomChoice(random, candidates);
  const spelled = [...LETTERS].map((letter) => word.slice(0, position) + letter + word.slice(position + 1));
  // The misread word must differ from all other words, because the sort could never separate two equal words.
  const readings = spelled.filter((one) => !words.includes(one));
  if (readings.length === 0 || randomBoolean(random, 0.2)) {
    return { word, as: word, numberError: readLetter(word, position).number === 1 || randomBoolean(random) ? 1 : -1 };
  }
  return { word, as: randomChoice(random, readings), numberError: 0 };
}

/** Damages a state: exchanges or merges two neighbouring buckets, repeats a bucket, or omits a word. */
function damaged(random: Random, state: readonly Bucket[]): readonly Bucket[] {
  const at = randomInteger(random, 0, state.length - 1);
  const bucket = state[at]!;
  const next = state[at + 1];
  const [before, after] = [state.slice(0, at), state.slice(at + 1)];
  const missing = [...before, ...(bucket.length > 1 ? [bucket.slice(1)] : []), ...after];
  const damages = [
    [...before, bucket, bucket, ...after],
    missing,
    ...(next
      ? [
          [...before, next, bucket, ...after.slice(1)],
          [...before, [...bucket, ...next], ...after.slice(1)],
        ]
      : []),
  ];
  return randomChoice(random, damages);
}

/** Writes a trace. @param mistake number of the thought to damage; undefined for none */
function writeTrace(random: Random, words: readonly string[], mistake: number | undefined, language: Language): string {
  const trueSteps = sortingSteps(words);
  const atReading = mistake !== undefined && mistake % 2 === 1;
  const damagedStep = mistake === undefined ? undefined : trueSteps[(mistake - 1) >> 1]!;
  const read = atReading ? misread(random, words, damagedStep!.bucket, damagedStep!.position) : undefined;
  // The steps after a misread letter are consistent with it.
  const steps = sortingSteps(words, (word) => (word === read?.word ? read.as : word));
  let final: readonly Bucket[] = [words];
  const contents = steps.flatMap(({ bucket, position, state }, i) => {
    const letters = bucket.map((word): Reading => {
      if (word !== read?.word) return readLetter(word, position);
      const { letter, number } = readLetter(read.as, position);
      return { word, letter, number: number + (mistake === 2 * i + 1 ? read.numberError : 0) };
    });
    final = mistake === 2 * i + 2 ? damaged(random, state) : state;
    return [writeReadings(letters, position, language), writeStep(final, language)];
  });
  const [name, end] = language === "zh" ? ["思考", "排序结果"] : ["Thought", "The sorted words"];
  const thoughts = contents.map((content, i) => `${name} ${i + 1}: ${content}`);
  return `${thoughts.join("\n")}\n${end}: ${final.flat().join(", ")}`;
}

/** Returns the right answer: the number of the first wrong thought, or "No". */
const rightAnswer = (row: Row) => String(firstWrongThought(metadataStrings(row, "words"), metadataString(row, "thoughts")) ?? "No");

export const wordSortingMistake: SynlogicTask<WordSortingMistake> = {
  name: "word_sorting_mistake",
  summary: "Find the first wrong step in a trace that sorts words.",
  languages: ["en", "zh"],
  parameters: {
    word_count_range: { kind: "list", of: "integer", meaning: "least and greatest number of words, 2 to 50" },
    mistake_rate: { kind: "number", least: 0, most: 1, meaning: "share of traces with a mistake" },
    words: { kind: "list", of: "string", meaning: "words to draw from, instead of the built-in list" },
  },
  levels: {
    tiny: { word_count_range: [3, 3], mistake_rate: 0.9, words: [] },
    easy: { word_count_range: [5, 5], mistake_rate: 0.9, words: [] },
    medium: { word_count_range: [15, 15], mistake_rate: 0.9, words: [] },
    hard: { word_count_range: [30, 30], mistake_rate: 0.9, words: [] },
  },
  attributes: ["word_count_range"],
  generate(random, { word_count_range, mistake_rate, words: own }, language) {
    const count = randomInteger(random, ...rangeOf("word_sorting_mistake: word_count_range", word_count_range, 2, 50));
    const words = drawWords(random, count, wordsToDraw("word_sorting_mistake", own, count));
    const thoughtCount = 2 * sortingSteps(words).length;
    const mistake = randomBoolean(random, mistake_rate) ? randomInteger(random, 1, thoughtCount) : undefined;
    const thoughts = writeTrace(random, words, mistake, language);
    if (firstWrongThought(words, thoughts) !== mistake) {
      throw new InputError(`word_sorting_mistake: words: expected words that a trace can be written for, got ${words.join(", ")}`);
    }
    return {
      question: question(words, thoughts, language),
      answer: mistake ?? null,
      metadata: { is_mistake: mistake !== undefined, thoughts, words, answer: mistake ?? null },
    };
  },
  solve(row) {
    return `\\boxed{${rightAnswer(row)}}`;
  },
  verify(row, text) {
    const expected = rightAnswer(row);
    const found = lastBox(text);
    if (found === undefined) return reject("there is no \\boxed{…} after the reasoning");
    if (found.toLowerCase() === expected.toLowerCase())
      return accept(found, expected === "No" ? "all thoughts are right" : `thought ${expected} is the first wrong one`);
    if (/^0+[1-9][0-9]*$/.test(found) && found.replace(/^0+/, "") === expected) return undecided("the number has leading zeros", found);
    if (!/^(?:no|[0-9]{1,6})$/i.test(found)) return reject('expected "No" or the number of a thought', found);
    return reject(/^no$/i.test(found) ? "not all thoughts are right" : `thought ${found} is not the first wrong one`, found);
  },
  guess(row, random) {
    const count = splitThoughts(metadataString(row, "thoughts")).length;
    const number = randomInteger(random, 0, count);
    return `\\boxed{${number === 0 ? "No" : number}}`;
  },
  published(row, response) {
    const given = publishedBox(response)?.trim().toLowerCase();
    if (given === undefined) return false;
    // Python's isdigit() decides what a number is, so it has no sign.
    if (/^\p{Nd}+$/u.test(given)) return row.answer !== null && String(pythonInteger(given)) === String(row.answer);
    return given === String(row.answer ?? "no").toLowerCase();
  },
};

function question(words: readonly string[], thoughts: string, language: Language): string {
  if (language === "zh") {
    return `下面的思考步骤按字母顺序排列这些单词：${words.join(", ")}

排序方法：先按第一个字母把单词分组，再按第二个字母把仍未分开的组细分，依此类推；同一位置上从左到右处理各组，只有一个单词的组不再处理。
奇数步列出当前组中每个单词在该位置的字母及其编号（a 为 1，z 为 26，没有字母时写 none，编号为 0）。偶数步给出此时的完整顺序，各组用 < 隔开，组内尚未分开的单词用 ? 隔开。

${thoughts}

错误可能是：读错字母或编号，某一步遗漏、重复了单词，或者顺序、分组不对。请找出第一个错误的步骤。
请把它的编号写在 \\boxed{} 中；如果全部正确，请写 \\boxed{No}。`;
  }
  return `The thoughts below sort these words alphabetically: ${words.join(", ")}

The method: words are put into buckets by their first letter. Buckets of several words are then split by the second letter, and so on. All buckets are split by one letter before the next letter is used, from left to right, and buckets of one word are left alone.
Odd thoughts list, for each word of a bucket, the letter at the current position and the letter's number (a is 1, z is 26; a word without a letter at this position has the number 0). Even thoughts show the whole order after this step: buckets are separated by <, and the words of a bucket, in no particular order, by ?.

${thoughts}

A mistake is a misread letter or number, a word that is missing or repeated, or a wrong order or bucket. Which thought is the first one with a mistake?
End your answer with its number in \\boxed{}, or with \\boxed{No} if all thoughts are right.`;
}
