import { Random } from "../generate/random.js";
import { isTokenIds, type TokenIds } from "../model/token-ids.js";
import { InputError } from "../runtime/errors.js";
import { isSeed } from "../runtime/options.js";
import type { Example } from "./documents.js";

/**
 * Documents by number. Nothing else decides what a document is, so that a run needs only the number of the next one to go on exactly where it
 * stopped.
 */
export interface Dataset {
  /**
   * @param index from 0 on; the same index and window give the same document
   * @param window most tokens that are of use, as a run's stages have it; longer documents are not cut by the run
   * @returns at least one token; only documents of two and more teach anything
   */
  document(index: number, window: number): Example;
}

/** Random numbers of their own for document `index` of the stream `seed`: the same for the same two, and unlike those of their neighbours. */
export function streamOf(seed: number, index: number): Random {
  // A multiplicative hash (Knuth): neighbours begin far apart.
  const mixed = Math.imul((index ^ (index >>> 16)) + Math.imul(seed, 0x9e3779b1), 0x85ebca6b);
  return Random.seeded((mixed ^ (mixed >>> 13)) >>> 0);
}

/**
 * Windows of one long text, each from anywhere in it, all beginnings as likely.
 *
 * @param ids the text's tokens
 * @param seed integer within [0, 2^32): which windows
 * @throws {InputError} fewer than two tokens, or another seed
 */
export function textDataset(ids: TokenIds, { seed = 0 }: { seed?: number } = {}): Dataset {
  if (!isTokenIds(ids)) throw new InputError(`textDataset: ids: expected an array of token ids, got ${typeof ids}`);
  if (ids.length < 2) throw new InputError(`textDataset: ids: expected at least two tokens, got ${ids.length}`);
  if (!isSeed(seed)) throw new InputError(`textDataset: seed: expected an integer within [0, 2^32), got ${seed}`);
  return {
    document(index, window) {
      const size = Math.min(window, ids.length);
      const begin = Math.floor(streamOf(seed, index).next() * (ids.length - size + 1));
      return Array.from(ids.slice(begin, begin + size));
    },
  };
}
