import type { Oracle } from "../oracle.js";

type Puzzle = { readonly letter_words: readonly string[]; readonly operators: readonly string[] };

/** Whether numbers, written in digits, are the words of the puzzle and fit into its equation. */
function fits(numbers: readonly string[], { letter_words, operators }: Puzzle): boolean {
  const pairs = new Set(letter_words.flatMap((word, i) => [...word].map((letter, j) => letter + numbers[i]![j])));
  const letters = new Set(letter_words.join(""));
  const digits = new Set([...pairs].map((pair) => pair[1]));
  if (pairs.size !== letters.size || digits.size !== letters.size) return false;
  if (numbers.some((number, i) => number.length !== letter_words[i]!.length || (number.length > 1 && number[0] === "0"))) return false;
  const left = operators.reduce((sum, operator, i) => sum + Number(numbers[i + 1]) * (operator === "-" ? -1 : 1), Number(numbers[0]));
  return left === Number(numbers.at(-1));
}

/** Tries all digits for all letters. */
function solutions(puzzle: Puzzle): string[][] {
  const letters = [...new Set(puzzle.letter_words.join(""))];
  let partial = [""];
  for (const _ of letters)
    partial = partial.flatMap((digits) => [..."0123456789"].filter((d) => !digits.includes(d)).map((d) => digits + d));
  return partial
    .map((digits) => puzzle.letter_words.map((word) => [...word].map((letter) => digits[letters.indexOf(letter)]).join("")))
    .filter((numbers) => fits(numbers, puzzle));
}

const write = (numbers: readonly string[], { operators }: Puzzle) =>
  `The answer is ${numbers.map((number, i) => (i === 0 ? number : `${operators[i - 1] ?? "="} ${number}`)).join(" ")}.`;

const known = new Map<string, string[][]>();

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const puzzle = row.metadata as unknown as Puzzle;
    const key = JSON.stringify(puzzle.letter_words) + puzzle.operators;
    if (!known.has(key)) known.set(key, solutions(puzzle));
    const numbers = [...known.get(key)![0]!];
    const kind = Math.floor(random.next() * 5);
    if (kind === 1) {
      // Two digits exchanged everywhere.
      const [a, b] = [Math.floor(random.next() * 10), Math.floor(random.next() * 10)].map(String) as [string, string];
      for (const [i, number] of numbers.entries()) numbers[i] = [...number].map((d) => (d === a ? b : d === b ? a : d)).join("");
    } else if (kind === 2) {
      const i = Math.floor(random.next() * numbers.length);
      numbers[i] = String(Number(numbers[i]) + 1);
    } else if (kind === 3) {
      // Still a true equation, with other words as a rule.
      numbers[0] = String(Number(numbers[0]) + 9);
      numbers[numbers.length - 1] = String(Number(numbers.at(-1)) + 9);
    }
    return { text: write(numbers, puzzle), right: fits(numbers, puzzle) };
  },
  solutions: (row) => solutions(row.metadata as unknown as Puzzle).length,
};
