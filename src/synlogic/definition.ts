// The type of a SynLogic task. Each of the 35 tasks is defined in its own file in tasks/.

import type { Random } from "../base/random.js";
import type { Language, PublishedVerdict, Row, Verdict } from "./row.js";

/** A parameter of a puzzle generator, under its name in the published data set. */
export type Parameter =
  | { readonly kind: "integer" | "number"; readonly least: number; readonly most: number; readonly meaning: string }
  | { readonly kind: "flag"; readonly meaning: string }
  | { readonly kind: "choice"; readonly choices: readonly string[]; readonly meaning: string }
  | { readonly kind: "list"; readonly of: "integer" | "string"; readonly meaning: string };

export type ParameterValue = number | boolean | string | readonly (number | string)[];

/** The values of all parameters of a task. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

/**
 * The named levels, from the easiest to the hardest. `tiny` is smaller than any published setting. `easy` is the easiest published setting,
 * and `hard` is the hardest.
 */
export const LEVELS = ["tiny", "easy", "medium", "hard"] as const;
export type Level = (typeof LEVELS)[number];

/** A puzzle as a generator returns it: a row of the data set without its `task`. */
export type Puzzle = Omit<Row, "task">;

/** One of the 35 tasks. */
export interface SynlogicTask<P extends Parameters = Parameters> {
  /** Name of the task in the published data set. */
  readonly name: string;
  /** What the puzzle asks for, in one sentence. */
  readonly summary: string;
  /** Whether a response without text after the reasoning is passed to {@link verify}. By default, such a response is wrong. */
  readonly emptyAnswer?: boolean;
  /** Languages of the questions. */
  readonly languages: readonly Language[];
  /** The parameters of the generator. */
  readonly parameters: { readonly [name in keyof P]: Parameter };
  readonly levels: Readonly<Record<Level, P>>;
  /** The parameters that determine the difficulty, with the most important one first. */
  readonly attributes: readonly (keyof P & string)[];
  /**
   * Generates a puzzle. The same state of `random` gives the same puzzle.
   *
   * @throws {InputError} no puzzle exists for this combination of parameters, although each of them is valid
   */
  generate(random: Random, parameters: P, language: Language): Puzzle;
  /** Returns a right answer in the format that the question asks for. It is the text of a response after the reasoning. */
  solve(row: Row): string;
  /**
   * Judges an answer by the rules of the puzzle. It accepts any text, evaluates no code, and takes time linear in the length of the text.
   *
   * @param text the part of the response that follows the reasoning, at most 50,000 characters
   * @throws {InputError} the metadata does not have the published form
   */
  verify(row: Row, text: string): Verdict;
  /** Guesses a well-formed answer without solving the puzzle. The accuracy of such guesses is a baseline for models. */
  guess(row: Row, random: Random): string;
  /**
   * Returns the verdict of SynLogic's own verifier on a whole message, including the verifier's mistakes. Returns undefined if that verdict
   * is not known. Source: SynLogic at commit 6794f97.
   *
   * @param response at most 200,000 characters
   */
  published?(row: Row, response: string): PublishedVerdict | undefined;
}
