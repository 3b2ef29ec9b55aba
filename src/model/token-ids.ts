import { InputError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { Config } from "./config.js";

/** Token ids, in an array of either kind. */
export type TokenIds = readonly number[] | Int32Array | Uint32Array;

/** Whether this is an array that token ids come in. */
export function isTokenIds(x: unknown): x is TokenIds {
  return Array.isArray(x) || x instanceof Int32Array || x instanceof Uint32Array;
}

/** @throws {InputError} no array, no ids, ids that are no tokens, or more than fit into the context after `past` tokens */
export function checkIds(ids: TokenIds, config: Config, where: string, past = 0): void {
  if (!isTokenIds(ids)) throw new InputError(`${where}: expected an array of token ids, got ${ids === null ? "null" : typeof ids}`);
  if (ids.length === 0) throw new InputError(`${where}: expected at least one token, got none`);
  const limit = config.maxPositionEmbeddings;
  if (past + ids.length > limit) {
    throw new InputError(
      `${where}: expected at most ${limit} tokens of context, got ${past + ids.length} (max_position_embeddings; shorten the input)`,
    );
  }
  const wrong = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= config.vocabSize);
  if (wrong >= 0) {
    throw new InputError(
      `${where}: token ${wrong}: expected an integer id within [0, ${config.vocabSize}), got ${printed(ids[wrong])} (is this the model's tokenizer?)`,
    );
  }
}
