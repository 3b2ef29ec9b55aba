// Reads, checks and writes the trace of a bucket sort of words.

import type { Language } from "../row.js";

/** A bucket: words that the sort has not separated yet. A state is a list of buckets in alphabetical order. */
export type Bucket = readonly string[];

/**
 * What a thought says about a word: its letter at the current position, or an empty text if the word is shorter, and the letter's number.
 */
export interface Reading {
  readonly word: string;
  readonly letter: string;
  readonly number: number;
}

const letterNumber = (letter: string) => (letter === "" ? 0 : letter.charCodeAt(0) - 96);

/** Returns the true reading of a word at a position. */
export function readLetter(word: string, position: number): Reading {
  const letter = word[position] ?? "";
  return { word, letter, number: letterNumber(letter) };
}

/** A step of the sort: the bucket that is split, the position of the letters, and the state after the step. */
export interface Step {
  readonly bucket: Bucket;
  readonly position: number;
  readonly state: readonly Bucket[];
}

/**
 * Sorts words with buckets, letter by letter from the left. All buckets are split by one position before the next position is used. Buckets
 * of one word are not split.
 *
 * @param key returns the text that a word is sorted by: the word itself, or a misread word
 */
export function sortingSteps(words: readonly string[], key: (word: string) => string = (word) => word): Step[] {
  const steps: Step[] = [];
  let state: readonly Bucket[] = [words];
  const longest = Math.max(...words.map((word) => key(word).length));
  for (let position = 0; position < longest; position++) {
    for (const bucket of state.filter((one) => one.length > 1)) {
      const at = state.indexOf(bucket);
      const numberOf = (word: string) => letterNumber(key(word)[position] ?? "");
      const numbers = [...new Set(bucket.map(numberOf))].sort((a, b) => a - b);
      const parts = numbers.map((number) => bucket.filter((word) => numberOf(word) === number));
      state = [...state.slice(0, at), ...parts, ...state.slice(at + 1)];
      steps.push({ bucket, position, state });
    }
  }
  return steps;
}

/** Splits a trace into its numbered thoughts. The text after the last state belongs to the last thought. */
export function splitThoughts(trace: string): string[] {
  return trace.split(/(?:Thought|思考)\s*[0-9]+\s*[:：]/).slice(1);
}

/** Reads every `"word": "letter" (number)` in a thought. For a word without a letter, any other text or the number 0 is accepted. */
function readings(thought: string): Reading[] {
  return [...thought.matchAll(/"([^"]*)"\s*[:：]\s*"?([^"()（）]{0,20})"?\s*[(（]([^()（）]{0,10})[)）]/g)].map((match) => {
    const [letter, number] = [match[2]!.trim(), match[3]!.trim()];
    return { word: match[1]!, letter: /^[a-z]$/.test(letter) ? letter : "", number: /^[0-9]+$/.test(number) ? Number(number) : 0 };
  });
}

/** Reads a state such as `"a" < ["b" ? "c"] < "d"`. Returns undefined if there is none. */
function readState(thought: string): Bucket[] | undefined {
  const tokens = thought.match(/"[^"]*"|\S/g) ?? [];
  const isWord = (token: string | undefined) => token !== undefined && token.length > 1;
  const state: Bucket[] = [];
  let at = tokens.findIndex((token) => token === "[" || isWord(token));
  if (at < 0) return undefined;
  for (;;) {
    const bucket: string[] = [];
    if (isWord(tokens[at])) bucket.push(tokens[at++]!);
    else if (tokens[at] === "[") {
      do {
        at++;
        if (!isWord(tokens[at])) return undefined;
        bucket.push(tokens[at++]!);
      } while (tokens[at] === "?");
      if (tokens[at++] !== "]") return undefined;
    } else return undefined;
    state.push(bucket.map((word) => word.slice(1, -1)));
    if (tokens[at++] !== "<") return state;
  }
}

/** Whether two buckets contain the same words, in any order. */
const sameBucket = (one: Bucket, other: Bucket) => one.length === other.length && String([...one].sort()) === String([...other].sort());

/** Returns the number of the first wrong thought of a trace, counted from 1. Returns undefined if all thoughts are right. */
export function firstWrongThought(words: readonly string[], trace: string): number | undefined {
  const steps = sortingSteps(words);
  const wrong = splitThoughts(trace).findIndex((thought, i) => {
    const step = steps[i >> 1];
    if (!step) return true;
    if (i % 2 === 0) {
      const given = readings(thought);
      const isRight = ({ word, letter, number }: Reading) => {
        const right = readLetter(word, step.position);
        return letter === right.letter && number === right.number;
      };
      return (
        !sameBucket(
          given.map(({ word }) => word),
          step.bucket,
        ) || !given.every(isRight)
      );
    }
    const state = readState(thought);
    return state?.length !== step.state.length || state.some((bucket, j) => !sameBucket(bucket, step.state[j]!));
  });
  return wrong < 0 ? undefined : wrong + 1;
}

const quoted = (word: string) => `"${word}"`;

const writeState = (state: readonly Bucket[]) =>
  state.map((bucket) => (bucket.length === 1 ? quoted(bucket[0]!) : `[${bucket.map(quoted).join(" ? ")}]`)).join(" < ");

const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

/** Writes a thought that reads the letters of a bucket. */
export function writeReadings(given: readonly Reading[], position: number, language: Language): string {
  const letters = given
    .map(({ word, letter, number }) => `${quoted(word)}: ${letter === "" ? "none" : quoted(letter)} (${number})`)
    .join(", ");
  if (language === "zh") return `比较 ${given.map(({ word }) => quoted(word)).join(" ? ")} 的第 ${position + 1} 个字母：${letters}`;
  const ordinal = ORDINALS[position] ?? `${position + 1}th`;
  return position === 0 ? `The first letters of all words are ${letters}.` : `The ${ordinal} letters of the next bucket are ${letters}.`;
}

/** Writes a thought that shows a state. */
export function writeStep(state: readonly Bucket[], language: Language): string {
  return language === "zh" ? `现在的顺序：${writeState(state)}。` : `The order so far is ${writeState(state)}.`;
}
