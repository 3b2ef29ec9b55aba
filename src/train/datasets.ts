import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike, isSeed } from "../base/options.js";
import { printed } from "../base/printed.js";
import { Random } from "../base/random.js";
import { isTokenIds, type TokenIds } from "../model/token-ids.js";
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

/** Whether a value has the method of a data set. */
export function isDataset(x: unknown): x is Dataset {
  return typeof x === "object" && x !== null && "document" in x && typeof x.document === "function";
}

/** Random numbers of their own for document `index` of the stream `seed`: the same for the same two, and unlike those of their neighbours. */
export function streamOf(seed: number, index: number): Random {
  for (const [name, value] of [
    ["seed", seed],
    ["index", index],
  ] as const) {
    expectArgument(`streamOf: ${name}`, typeof value === "number", "a number", value);
  }
  // A multiplicative hash (Knuth): neighbours begin far apart.
  const mixed = Math.imul((index ^ (index >>> 16)) + Math.imul(seed, 0x9e3779b1), 0x85ebca6b);
  return Random.seeded((mixed ^ (mixed >>> 13)) >>> 0);
}

/**
 * Windows of long texts, each from anywhere in them, all beginnings as likely. A window never reaches from one text into another.
 *
 * @param ids the tokens of one text, or of several
 * @param seed integer within [0, 2^32): which windows
 * @throws {InputError} no text of two tokens or more, or another seed
 */
export function textDataset(ids: TokenIds | readonly TokenIds[], options: { seed?: number } = {}): Dataset {
  expectArgument("textDataset: options", isObjectLike(options), "an object", options);
  const { seed = 0 } = options;
  if (!isTokenIds(ids)) throw new InputError(`textDataset: ids: expected an array of token ids, got ${typeof ids}`);
  if (!isSeed(seed)) throw new InputError(`textDataset: seed: expected an integer within [0, 2^32), got ${printed(seed)}`);
  const given = isListOfTexts(ids) ? ids : [ids];
  for (const [i, text] of given.entries()) expectArgument(`textDataset: ids[${i}]`, isTokenIds(text), "an array of token ids", text);
  const texts = given.filter(({ length }) => length >= 2);
  if (texts.length === 0) {
    throw new InputError(`textDataset: ids: expected at least two tokens, got ${isListOfTexts(ids) ? "none in any text" : ids.length}`);
  }
  return {
    document(index, window) {
      const beginnings = texts.map(({ length }) => length - Math.min(window, length) + 1);
      let begin = Math.floor(streamOf(seed, index).next() * beginnings.reduce((sum, count) => sum + count, 0));
      let text = 0;
      for (; begin >= beginnings[text]!; text++) begin -= beginnings[text]!;
      return Array.from(texts[text]!.slice(begin, begin + window));
    },
  };
}

function isListOfTexts(ids: TokenIds | readonly TokenIds[]): ids is readonly TokenIds[] {
  return ids.length > 0 && typeof ids[0] === "object";
}

/** A document of an {@link exampleDataset}. */
export interface DatasetExample {
  readonly ids: TokenIds;
  /** For each token as a target, as in `Example`. */
  readonly weights: ArrayLike<number>;
  /** Whether a window may begin anywhere in it (false): for texts. Otherwise a window cuts off the end alone. */
  readonly plain?: boolean;
}

/**
 * Documents of one's own, each once in every round, in another order each time. A window cuts the end off; documents without a target in a window, such as long prompts, are left out.
 *
 * @param seed integer within [0, 2^32): the orders
 * @param where for messages
 * @throws {InputError} no documents; from `document`: none that has a target in this window
 */
export function exampleDataset(
  examples: readonly DatasetExample[],
  options: { readonly seed?: number; readonly where?: string } = {},
): Dataset {
  expectArgument("exampleDataset: options", isObjectLike(options), "an object", options);
  const { seed = 0, where = "exampleDataset" } = options;
  expectArgument("exampleDataset: where", typeof where === "string", "a string", where);
  if (!Array.isArray(examples) || examples.length === 0) throw new InputError(`${where}: expected at least one document, got none`);
  if (!isSeed(seed)) throw new InputError(`${where}: seed: expected an integer within [0, 2^32), got ${printed(seed)}`);
  for (const [i, example] of examples.entries()) {
    if (!isTokenIds(example?.ids) || example.weights?.length !== example.ids.length) {
      throw new InputError(`${where}: document ${i}: expected { ids, weights } of equal length, got something else`);
    }
  }
  let latest: { readonly window: number; readonly round: number; readonly documents: readonly DatasetExample[] } | undefined;
  /** The documents of a round in their order; the latest round is kept. */
  function documentsOf(window: number, index: number): readonly DatasetExample[] {
    const useful = latest?.window === window ? latest.documents : examples.filter((example) => hasTarget(example, window));
    if (useful.length === 0) {
      throw new InputError(
        `${where}: expected a document with a target in its first ${window} tokens, got none (a longer window, or shorter prompts)`,
      );
    }
    const round = Math.floor(index / useful.length);
    if (latest?.window !== window || latest.round !== round) {
      // From the given order, not from that of the round before.
      const documents = examples.filter((example) => hasTarget(example, window));
      shuffle(documents, streamOf(seed, round));
      latest = { window, round, documents };
    }
    return latest.documents;
  }
  return {
    document(index, window) {
      const documents = documentsOf(window, index);
      const { ids, weights, plain = false } = documents[index % documents.length]!;
      const last = Math.max(0, ids.length - window);
      const begin = plain && last > 0 ? Math.floor(streamOf((seed ^ WINDOW_SEED_MASK) >>> 0, index).next() * (last + 1)) : 0;
      const part = <T>(values: ArrayLike<T>) => Array.prototype.slice.call(values, begin, begin + window) as T[];
      return { ids: part(ids), weights: part(weights) };
    },
  };
}

/** Tells the windows of long texts from the orders of rounds. */
const WINDOW_SEED_MASK = 0x5bd1e995;

export function hasTarget({ ids, weights }: DatasetExample, window: number): boolean {
  for (let t = 1; t < Math.min(window, ids.length); t++) if (weights[t]! > 0) return true;
  return false;
}

/** Fisher and Yates. */
function shuffle<T>(items: T[], random: Random): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}
