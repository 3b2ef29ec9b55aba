import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataString, metadataStrings, metadataValue } from "../metadata.js";
import { lastBox } from "../reading/final-text.js";
import { publishedBox } from "../reading/published.js";
import { commaSeparated, rangeOf, wordsToDraw } from "../reading/words.js";
import { accept, type Language, type Row, reject, undecided } from "../row.js";

type WordSorting = {
  readonly front_letters_range: readonly number[];
  readonly word_count_range: readonly number[];
  readonly words: readonly string[];
};

const ALPHABET = "abcdefghijklmnopqrstuvwxyz";

/** Returns a comparison by an alphabet that begins with the front letters. A word comes before longer words that begin with it. */
function comparison(frontLetters: readonly string[]) {
  const rank = (letter: string) => {
    const front = frontLetters.indexOf(letter);
    return front >= 0 ? front : frontLetters.length + letter.charCodeAt(0);
  };
  return (one: string, other: string): number => {
    for (let i = 0; i < Math.min(one.length, other.length); i++) {
      if (one[i] !== other[i]) return rank(one[i]!) - rank(other[i]!);
    }
    return one.length - other.length;
  };
}

/** Returns the words of a row in the requested order. */
function sorted(row: Row): string[] {
  const frontLetters = metadataString(row, "front_letters")
    .split(",")
    .map((letter) => letter.trim());
  const order = metadataValue(row, "order", "1 or -1", (x): x is 1 | -1 => x === 1 || x === -1);
  const words = metadataStrings(row, "words");
  if (words.length === 0) throw metadataError(row, "words", "one or more words");
  const compare = comparison(frontLetters);
  return [...words].sort((one, other) => order * compare(one, other));
}

/** Draws different words. The first letter is uniform, then the word among those that begin with it. */
function drawWords(random: Random, count: number, from: readonly string[]): string[] {
  const left = new Map<string, string[]>();
  for (const word of shuffle(random, from)) left.set(word[0]!, [...(left.get(word[0]!) ?? []), word]);
  return Array.from({ length: count }, () => {
    const letter = randomChoice(random, [...left.keys()]);
    const word = left.get(letter)!.pop()!;
    if (left.get(letter)!.length === 0) left.delete(letter);
    return word;
  });
}

const box = (words: readonly string[]) => `\\boxed{${words.join(", ")}}`;

export const wordSorting: SynlogicTask<WordSorting> = {
  name: "word_sorting",
  summary: "Sort words by an alphabet in which some letters have moved to the front.",
  languages: ["en", "zh"],
  parameters: {
    front_letters_range: { kind: "list", of: "integer", meaning: "least and greatest number of letters that move to the front, 1 to 26" },
    word_count_range: { kind: "list", of: "integer", meaning: "least and greatest number of words, 2 to 100" },
    words: { kind: "list", of: "string", meaning: "words to draw from, instead of the built-in list" },
  },
  levels: {
    tiny: { front_letters_range: [1, 1], word_count_range: [3, 3], words: [] },
    easy: { front_letters_range: [2, 2], word_count_range: [5, 5], words: [] },
    medium: { front_letters_range: [3, 3], word_count_range: [10, 10], words: [] },
    hard: { front_letters_range: [4, 4], word_count_range: [15, 15], words: [] },
  },
  attributes: ["word_count_range", "front_letters_range"],
  generate(random, { front_letters_range, word_count_range, words: own }, language) {
    const letterCount = randomInteger(random, ...rangeOf("word_sorting: front_letters_range", front_letters_range, 1, 26));
    const count = randomInteger(random, ...rangeOf("word_sorting: word_count_range", word_count_range, 2, 100));
    const words = drawWords(random, count, wordsToDraw("word_sorting", own, count));
    // At least one front letter begins a word, so that the new alphabet matters more often.
    const first = randomChoice(random, words)[0]!;
    const others = shuffle(random, ALPHABET).filter((letter) => letter !== first);
    const frontLetters = shuffle(random, [first, ...others.slice(0, letterCount - 1)]);
    const order = randomBoolean(random) ? 1 : -1;
    const sortedWords = [...words].sort(comparison(frontLetters));
    return {
      question: question(words, frontLetters, order, language),
      answer: (order === 1 ? sortedWords : [...sortedWords].reverse()).join(", "),
      metadata: { words, sorted_words: sortedWords, front_letters: frontLetters.join(","), order },
    };
  },
  solve(row) {
    return box(sorted(row));
  },
  verify(row, text) {
    const expected = sorted(row);
    const found = lastBox(text);
    if (found === undefined) return reject("there is no \\boxed{…} after the reasoning");
    const given = commaSeparated(found);
    if (String(given) === String(expected)) return accept(found);
    if (String(given).toLowerCase() === String(expected).toLowerCase()) {
      return undecided("the words are in order, but some differ in upper and lower case", found);
    }
    const foreign = given.find((word) => !expected.includes(word));
    if (foreign !== undefined) return reject(`${JSON.stringify(foreign)} is not one of the words`, found);
    if (given.length !== expected.length || new Set(given).size !== new Set(expected).size) {
      return reject(`expected each of the ${expected.length} words once`, found);
    }
    const place = given.findIndex((word, i) => word !== expected[i]);
    return reject(`word ${place + 1} is ${given[place]}, not ${expected[place]}`, found);
  },
  guess(row, random) {
    return box(shuffle(random, metadataStrings(row, "words")));
  },
  published(row, response) {
    return publishedBox(response)?.replace(/\s/g, "").replaceAll("，", ",") === sorted(row).join(",");
  },
};

function question(words: readonly string[], frontLetters: readonly string[], order: number, language: Language): string {
  if (language === "zh") {
    return `设想一个新的字母表：字母 ${frontLetters.join("、")} 按此顺序移到最前面，其余字母保持原来的先后次序。
请按新字母表对下列单词${order === 1 ? "升序排列（从前到后）" : "降序排列（从后到前）"}。升序时，若一个单词是另一个单词的开头，较短的排在前面。

单词：${words.join(", ")}

请把排好的全部单词用逗号隔开，写在 \\boxed{} 中，例如 \\boxed{word1, word2, word3}。`;
  }
  const letters = frontLetters.length === 1 ? `the letter ${frontLetters[0]} is` : `the letters ${frontLetters.join(", ")} are`;
  return `In a new alphabet ${letters} moved to the front${frontLetters.length === 1 ? "" : ", in this order"}. All other letters keep their usual order behind them.
Sort the words below by the new alphabet in ${order === 1 ? "increasing order (first to last)" : "decreasing order (last to first)"}. In increasing order, a word comes before the longer words that begin with it.

Words: ${words.join(", ")}

End your answer with all words in order, separated by commas, in \\boxed{}, for example \\boxed{word1, word2, word3}.`;
}
