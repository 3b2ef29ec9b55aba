import { InputError } from "../base/errors.js";
import type { Token } from "./generate.js";

/** Tokens of all sequences of a generation. A field is undefined until its number is known. */
export interface Usage {
  /** Tokens of the prompts; in a session, all tokens that precede the answer. */
  promptTokens?: number;
  /** Tokens generated so far, ends of sequence included; of a server's, its own count, known at the end if it tells one. */
  completionTokens?: number;
}

/** Tokens as they are generated. `break` ends the generation and frees what it holds. */
export interface Generation extends AsyncGenerator<Token, void, undefined> {
  /** The seed that repeats this run. */
  readonly seed: number;
  /** How many tokens it was. */
  readonly usage: Usage;
  /**
   * The whole text: waits for the rest, which no loop gets any more. After `break` it is the text up to there.
   *
   * @throws {InputError} several sequences: `texts()` has one text for each
   * @throws what the generation failed with
   */
  text(): Promise<string>;
  /** The whole text of every sequence, as `text()`. */
  texts(): Promise<string[]>;
}

/**
 * A generation over tokens.
 *
 * @param sequences how many they belong to
 * @param usage filled in by whoever makes the tokens
 */
export function createGeneration(
  tokens: AsyncGenerator<Token, void, undefined>,
  seed: number,
  sequences: number,
  usage: Usage,
): Generation {
  const written = Array<string>(sequences).fill("");
  let failure: { readonly error: unknown } | undefined;
  async function* observed(): AsyncGenerator<Token, void, undefined> {
    try {
      for await (const token of tokens) {
        written[token.index] += token.text;
        yield token;
      }
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  const run = observed();
  const texts = async (): Promise<string[]> => {
    for await (const _ of run);
    if (failure) throw failure.error;
    return [...written];
  };
  const text = async (): Promise<string> => {
    if (sequences !== 1) throw new InputError(`generation.text: expected one sequence, got ${sequences} (texts() has one text for each)`);
    return (await texts())[0]!;
  };
  return Object.assign(run, { seed, usage, text, texts });
}
