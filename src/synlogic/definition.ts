// The type of the 35 tasks, each of which is defined in a file in tasks/.

import type { Random } from "../base/random.js";
import type { Language, PublishedVerdict, Row, Verdict } from "./row.js";

/** A parameter of a generator, under its published name. */
export type Parameter =
  | { readonly kind: "integer" | "number"; readonly least: number; readonly most: number; readonly meaning: string }
  | { readonly kind: "flag"; readonly meaning: string }
  | { readonly kind: "choice"; readonly choices: readonly string[]; readonly meaning: string }
  | { readonly kind: "list"; readonly of: "integer" | "string"; readonly meaning: string };

export type ParameterValue = number | boolean | string | readonly (number | string)[];

/** Values of all parameters of a task. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

/**
 * The named levels, from the easiest. `tiny` is smaller than the published sizes; `easy` is the easiest published setting
 * and `hard` the hardest.
 */
export const LEVELS = ["tiny", "easy", "medium", "hard"] as const;
export type Level = (typeof LEVELS)[number];

/** A puzzle as a generator returns it: a row without its `task`. */
export type Puzzle = Omit<Row, "task">;

/** One of the 35 tasks. */
export interface SynlogicTask<P extends Parameters = Parameters> {
  /** Its published name. */
  readonly name: string;
  /** What the puzzle asks for, in one sentence. */
  readonly summary: string;
  /** Whether {@link verify} judges a response without any text after the reasoning. Otherwise such a response is wrong. */
  readonly emptyAnswer?: boolean;
  /** Languages of the questions. */
  readonly languages: readonly Language[];
  /** The parameters of the generator. */
  readonly parameters: { readonly [name in keyof P]: Parameter };
  readonly levels: Readonly<Record<Level, P>>;
  /** The parameters that make a puzzle harder, with the most important one first. */
  readonly attributes: readonly (keyof P & string)[];
  /**
   * Generates a puzzle. The same state of `random` gives the same puzzle.
   *
   * @throws {InputError} each parameter is valid, but no puzzle has this combination
   */
  generate(random: Random, parameters: P, language: Language): Puzzle;
  /** Returns a right answer, in the format that the question asks for: the text that follows the reasoning. */
  solve(row: Row): string;
  /**
   * Judges an answer by the rules of the puzzle. No text makes it throw. It evaluates no code, and its time is linear in the length of the
   * text.
   *
   * @param text the part of the response that follows the reasoning, at most 100,000 characters
   * @throws {InputError} metadata that does not have the published form
   */
  verify(row: Row, text: string): Verdict;
  /** Guesses a well-formed answer without solving the puzzle. Its accuracy is a baseline for models. */
  guess(row: Row, random: Random): string;
  /**
   * Returns the verdict of the published verifier on a whole message, faults included. Undefined if that verdict is not known.
   * Source: SynLogic at commit 6794f97.
   */
  published?(row: Row, response: string): PublishedVerdict | undefined;
}
