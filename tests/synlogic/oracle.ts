import type { Random } from "../../src/base/random.js";
import type { Row } from "../../src/synlogic/index.js";

/** An answer with what an independent check says about it. */
export interface Candidate {
  /** The text that follows the reasoning. */
  readonly text: string;
  readonly right: boolean | null;
}

/**
 * What the tests know about a task, without any code of `src/synlogic`: an oracle reads the question or the metadata itself and decides by
 * brute force.
 */
export interface Oracle {
  /** Draws a well-formed answer, often close to a right one: a solution with one thing changed, two things exchanged, or a random answer. */
  candidate(row: Row, random: Random): Candidate;
  /** Counts the solutions of a puzzle, up to two. Only called on the level `tiny`, and on `easy` if `unique` is set. */
  solutions?(row: Row): number;
  /** Whether the generator promises exactly one solution. */
  readonly unique: boolean;
}

/** The oracle of a task: `oracle` in `oracles/TASK.ts`. */
export async function oracleOf(task: string): Promise<Oracle> {
  const module: { readonly oracle: Oracle } = await import(`./oracles/${task.replaceAll("_", "-")}.ts`);
  return module.oracle;
}
