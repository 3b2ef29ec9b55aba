import { InputError } from "../runtime/errors.js";
import type { Config } from "./config.js";

/** Token ids, in an array of either kind. */
export type TokenIds = readonly number[] | Int32Array | Uint32Array;

/** The ids as a plain array; what is no array of ids stays what it is, for `checkIds` to refuse. */
export function plainIds(ids: TokenIds): readonly number[] {
  return ids instanceof Int32Array || ids instanceof Uint32Array ? [...ids] : ids;
}

/** @throws {InputError} no array, no ids, ids that are no tokens, or more than fit into the context after `past` tokens */
export function checkIds(ids: TokenIds, config: Config, where: string, past = 0): void {
  if (!Array.isArray(ids) && !(ids instanceof Int32Array) && !(ids instanceof Uint32Array))
    throw new InputError(`${where}: expected an array of token ids, got ${ids === null ? "null" : typeof ids}`);
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
      `${where}: token ${wrong}: expected an integer id within [0, ${config.vocabSize}), got ${ids[wrong]} (is this the model's tokenizer?)`,
    );
  }
}
