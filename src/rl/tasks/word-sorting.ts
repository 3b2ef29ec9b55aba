import type { Random } from "../../base/random.js";
import { randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import { levelSettings, splitWords, type Task } from "./task.js";

/** The words to sort, and the alphabet to sort them by. */
export interface WordSorting {
  readonly words: readonly string[];
  /** All letters in sorting order. */
  readonly alphabet: string;
}

const LETTERS = "ABCDEFGH";

/** Per level: the number of words, of pairs with the same first letter, and of letters moved to the front of the alphabet. */
const levels = [
  { fewest: 3, most: 4, pairs: 0, moved: 1 },
  { fewest: 4, most: 5, pairs: 1, moved: 2 },
  { fewest: 6, most: 6, pairs: 2, moved: 3 },
];

/**
 * Draws words of two or three letters. Each of `pairs` first letters begins two words with different second letters. Every other letter
 * begins at most one word.
 */
function drawWords(random: Random, count: number, pairs: number): string[] {
  const initials = shuffle(random, LETTERS).slice(0, count - pairs);
  const beginnings = [...initials, ...initials.slice(0, pairs)].map((initial) => initial + randomChoice(random, LETTERS));
  if (new Set(beginnings).size < count) return drawWords(random, count, pairs);
  return shuffle(random, beginnings).map((beginning) => beginning + randomChoice(random, ["", ...LETTERS]));
}

/** Returns the words that begin with a letter, in the given order and sorted. */
function bucket({ words, alphabet }: WordSorting, letter: string) {
  const found = words.filter((word) => word[0] === letter);
  return { found, sortedWords: found.toSorted((a, b) => alphabet.indexOf(a[1]!) - alphabet.indexOf(b[1]!)) };
}

const sorted = (instance: WordSorting) => [...instance.alphabet].flatMap((letter) => bucket(instance, letter).sortedWords);

/**
 * Sort pseudo-words by an alphabet with some letters moved to the front (SynLogic's `word_sorting`). The steps go through the alphabet and
 * append the words that begin with each letter. If there are two such words, their second letters decide the order.
 */
export const wordSorting: Task<WordSorting> = {
  name: "word-sorting",
  levels: levels.length,

  generate(random, level) {
    const { fewest, most, pairs, moved } = levelSettings(this.name, levels, level);
    const words = drawWords(random, randomInteger(random, fewest, most), pairs);
    const front = shuffle(random, LETTERS).slice(0, moved);
    return { words, alphabet: [...new Set([...front, ...LETTERS])].join("") };
  },

  question: ({ words, alphabet }) => `Sort ${words.join(" ")} by the alphabet ${[...alphabet].join(" ")}`,

  solve(instance) {
    const done: string[] = [];
    const lines = [...instance.alphabet].map((letter) => {
      const { found, sortedWords } = bucket(instance, letter);
      if (found.length === 0) return `${letter} : none`;
      done.push(...sortedWords);
      const order = found.length === 2 ? ` , ${sortedWords[0]![1]} before ${sortedWords[1]![1]}` : "";
      return `${letter} : ${found.join(" ")}${order} : ${done.join(" ")}`;
    });
    return { thinking: lines.join("\n"), answer: done.join(" ") };
  },

  verify: (instance, answer) => splitWords(answer).join(" ") === sorted(instance).join(" "),

  guess: ({ words }, random) => shuffle(random, words).join(" "),
};
