// Questions in the eight formats of the bundled model. Runs in a worker, because the verifiers are large.

import { drawInstance, judge, parseResponse, Random, type Sudoku, type Task, tasks, type WebOfLies } from "lightning-m1/rl";
import type { Format, Level } from "./formats.ts";

/** The seed of the puzzles that the view offers. */
export const PUZZLE_SEED = 1;

/** Which puzzle to make: the same choice always gives the same puzzle. */
export interface QuestionChoice {
  readonly task: Format;
  readonly level: Level;
  /** The number of the puzzle, from 0. */
  readonly index: number;
}

export interface Verdict {
  readonly isRight: boolean;
  readonly reason: string;
  /** The answer that was read out of the response. */
  readonly found: string | undefined;
  /** A right answer, if the given one is wrong. */
  readonly solution: string | undefined;
}

/** Draws a question that the bundled model was not trained on. */
export function makeQuestion({ task: name, level, index }: QuestionChoice): string {
  const task = tasks.find((one) => one.name === name)!;
  const { instance } = drawInstance(Random.stream(PUZZLE_SEED, index), task, Number(level), true);
  return task.question(instance);
}

/**
 * Judges a response to a question, which may be one that a reader wrote.
 *
 * @param response the whole text of the model, reasoning included
 * @returns undefined if the question has none of the formats
 */
export function judgeResponse(question: string, response: string): Verdict | undefined {
  const read = readQuestion(question);
  if (!read) return undefined;
  const { task, instance, solution } = read;
  const { formatted, correct } = judge(task, instance, response);
  const reason = correct
    ? "All rules hold."
    : formatted
      ? "The answer breaks the rules."
      : "There is no <answer>…</answer> after </think>.";
  return { isRight: correct, reason, found: parseResponse(response), solution: correct ? undefined : solution };
}

/** The longest puzzle that is read. Some solvers search. */
const MAX_NUMBERS = 5;
const OPERAND = "[0-9]{1,4}";

/** By task: reads the instance from the text of a question. Returns undefined for other text; what it returns may still be invalid. */
const readers: Readonly<Record<string, (question: string) => unknown>> = {
  "dyck-completion": (question) => readBrackets(/^Close the open brackets : (.+)$/, question),
  "bracket-error": (question) => readBrackets(/^Find the first bracket error , its position or end or none : (.+)$/, question),
  "boolean-expression": (question) => {
    const [, ...options] = /^Which are true \? A : ([^:;]+) ; B : ([^:;]+) ; C : ([^:;]+)$/.exec(question) ?? [];
    return options.length === 3 && options.every((text) => /^([TF()]|and|or|not)( ([TF()]|and|or|not))*$/.test(text))
      ? { options }
      : undefined;
  },
  "arithmetic-chain": (question) => {
    const expression = new RegExp(`^Compute (${OPERAND}(?: [-+*] ${OPERAND}){0,30})$`).exec(question)?.[1];
    return expression && { expression };
  },
  "number-target": (question) => {
    const [, target, list] = new RegExp(`^Make (${OPERAND}) from (${OPERAND}(?: ${OPERAND})*)$`).exec(question) ?? [];
    const numbers = list?.split(" ").map(Number);
    return numbers && numbers.length > 1 && numbers.length <= MAX_NUMBERS ? { target: Number(target), numbers } : undefined;
  },
  "word-sorting": (question) => {
    const [, words, alphabet] = /^Sort ([A-Z]+(?: [A-Z]+)*) by the alphabet ([A-Z](?: [A-Z])*)$/.exec(question) ?? [];
    const letters = alphabet?.replaceAll(" ", "");
    const isKnown = (letter: string) => letter === " " || letters!.includes(letter);
    return words && letters && new Set(letters).size === letters.length && [...words].every(isKnown)
      ? { words: words.split(" "), alphabet: letters }
      : undefined;
  },
  "web-of-lies": readWebOfLies,
  sudoku: (question): Sudoku | undefined => {
    const [first, ...rows] = question.split("\n");
    const cells = rows.join(" ").split(" ");
    const isGrid = first === "Fill the sudoku with 1 2 3 4 :" && cells.length === 16 && cells.every((cell) => /^[1-4_]$/.test(cell));
    return isGrid ? { cells: cells.map((cell) => (cell === "_" ? 0 : Number(cell))) } : undefined;
  },
};

function readBrackets(format: RegExp, question: string): { readonly brackets: readonly string[] } | undefined {
  const brackets = format.exec(question)?.[1]?.split(" ");
  return brackets?.every((bracket) => /^[()[\]{}]$/.test(bracket)) ? { brackets } : undefined;
}

function readWebOfLies(question: string): WebOfLies | undefined {
  const [, person, quality, rest] = /^Is each honest , T or F \? ([A-Z]) (is honest|lies)((?: \. [^.]+)*) \.$/.exec(question) ?? [];
  if (!person) return undefined;
  const statements = rest!
    .split(" . ")
    .slice(1)
    .map((text) => /^([A-Z]) says ([A-Z]) (is honest|lies)$/.exec(text));
  if (!statements.every((match) => match !== null)) return undefined;
  return {
    known: { person, honest: quality === "is honest" },
    statements: statements.map((match) => ({ speaker: match![1]!, about: match![2]!, honest: match![3] === "is honest" })),
  };
}

interface ReadQuestion {
  readonly task: Task;
  readonly instance: unknown;
  /** A right answer. Undefined if the puzzle has none. */
  readonly solution: string | undefined;
}

function readQuestion(question: string): ReadQuestion | undefined {
  const text = question.trim();
  for (const task of tasks) {
    const instance = readers[task.name]?.(text);
    if (!instance || task.question(instance) !== text) continue;
    try {
      const { answer } = task.solve(instance);
      return { task, instance, solution: task.verify(instance, answer) ? answer : undefined };
    } catch {
      // The text has the form of a question, but is no puzzle: for example, an expression with an operator too many.
      return undefined;
    }
  }
  return undefined;
}
