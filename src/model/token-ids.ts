import { InputError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { Config } from "./config.js";

/** Token ids, in a plain or typed array. */
export type TokenIds = readonly number[] | Int32Array | Uint32Array;

/** Returns whether a value has one of the array types of token ids. */
export function isTokenIds(x: unknown): x is TokenIds {
  return Array.isArray(x) || x instanceof Int32Array || x instanceof Uint32Array;
}

/**
 * Validates token ids.
 *
 * @param past number of tokens that the sequence already has
 * @throws {InputError} not an array, no ids, ids outside the vocabulary, or too many for the context
 */
export function checkIds(ids: TokenIds, config: Config, where: string, past = 0): void {
  if (!isTokenIds(ids)) throw new InputError(`${where}: expected an array of token ids, got ${ids === null ? "null" : typeof ids}`);
  if (ids.length === 0) throw new InputError(`${where}: expected at least one token, got none`);
  const limit = config.maxPositionEmbeddings;
  if (past + ids.length > limit) {
    throw new InputError(
      `${where}: expected at most ${limit} tokens of context, got ${past + ids.length} (max_position_embeddings). Shorten the input.`,
    );
  }
  const wrong = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= config.vocabSize);
  if (wrong >= 0) {
    throw new InputError(
      `${where}: token ${wrong}: expected an integer id within [0, ${config.vocabSize}), got ${printed(ids[wrong])}. Check that the ids come from this model's tokenizer.`,
    );
  }
}
