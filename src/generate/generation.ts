import { InputError } from "../base/errors.js";
import type { Token } from "./generate.js";

/** Token counts over all sequences of a generation. A field is undefined until it is known. */
export interface Usage {
  /** Number of prompt tokens; in a session, number of all tokens before the answer. */
  promptTokens?: number;
  /**
   * Number of tokens generated so far, including end-of-sequence tokens. If a server reports its own count, this field has that count at the end of the generation.
   */
  completionTokens?: number;
}

/** An async iterator over generated tokens. `break` ends the generation and frees its memory. */
export interface Generation extends AsyncGenerator<Token, void, undefined> {
  /** The seed of this generation. The same seed repeats it. */
  readonly seed: number;
  /** Token counts so far. */
  readonly usage: Usage;
  /**
   * Consumes the remaining tokens and returns the whole text. After `break`, returns the text up to that point.
   *
   * @throws {InputError} several sequences; use `texts()`
   * @throws the error of the generation, if it failed
   */
  text(): Promise<string>;
  /** Returns the whole text of every sequence. For one sequence, use `text()`. */
  texts(): Promise<string[]>;
}

/**
 * Creates a generation from an iterator over tokens.
 *
 * @param sequences number of sequences
 * @param usage token counts, updated by the token source
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
    if (sequences !== 1)
      throw new InputError(`generation.text: expected one sequence, got ${sequences}. Use texts(), which returns one text per sequence.`);
    return (await texts())[0]!;
  };
  return Object.assign(run, { seed, usage, text, texts });
}
