import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike, isSeed } from "../base/options.js";
import { printed } from "../base/printed.js";
import { Random } from "../base/random.js";
import { isTokenIds, type TokenIds } from "../model/token-ids.js";
import type { Example } from "./documents.js";

/** Documents by index. A document depends only on its index and the window, so a run can resume from the index of its next document. */
export interface Dataset {
  /**
   * Returns a document. The same index and window always give the same document.
   *
   * @param index 0 or more
   * @param window maximum useful length in tokens, in the current stage of the run. The run itself does not cut longer documents
   * @returns at least one token. A document of one token has no target
   */
  document(index: number, window: number): Example;
}

/** Returns whether a value has the method of a data set. */
export function isDataset(x: unknown): x is Dataset {
  return typeof x === "object" && x !== null && "document" in x && typeof x.document === "function";
}

/** Creates the random generator of document `index` in the stream `seed`. Neighbouring indices and seeds give unrelated numbers. */
export function streamOf(seed: number, index: number): Random {
  for (const [name, value] of [
    ["seed", seed],
    ["index", index],
  ] as const) {
    expectArgument(`streamOf: ${name}`, typeof value === "number", "a number", value);
  }
  return Random.stream(seed, index);
}

/**
 * Creates a data set of random windows of long texts. All start positions are equally likely. A window never spans two texts.
 *
 * @param ids the tokens of one text, or of several texts
 * @param options `seed` (an integer within [0, 2^32)) determines the windows
 * @throws {InputError} no text of at least two tokens, or an invalid seed
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
    throw new InputError(
      `textDataset: ids: expected a text of at least two tokens, got ${isListOfTexts(ids) ? "only shorter texts" : ids.length}`,
    );
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

/** A document for {@link exampleDataset}. */
export interface DatasetExample {
  readonly ids: TokenIds;
  /** Weight of each token as a target, as in `Example`. */
  readonly weights: ArrayLike<number>;
  /** Whether a window may begin anywhere in the document, as in a plain text (false). Otherwise a window only cuts off the end. */
  readonly plain?: boolean;
}

/**
 * Creates a data set of given documents. Each round contains every document once, in a new random order. A window cuts off the end of a
 * document. Documents without a target in the window, such as those with a long prompt, are left out.
 *
 * @param options `seed` (an integer within [0, 2^32)) determines the orders; `where` is the prefix of error messages
 * @throws {InputError} no documents. Its `document` throws if no document has a target in the window
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
  /** Returns the documents of a round in their order. The latest round is cached. */
  function documentsOf(window: number, index: number): readonly DatasetExample[] {
    const useful = latest?.window === window ? latest.documents : examples.filter((example) => hasTarget(example, window));
    if (useful.length === 0) {
      throw new InputError(
        `${where}: expected a document with a target in its first ${window} tokens, got none. Use a longer window or shorter prompts.`,
      );
    }
    const round = Math.floor(index / useful.length);
    if (latest?.window !== window || latest.round !== round) {
      // The original order is shuffled each time, so that a round does not depend on the previous one.
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

/** Separates the random streams of windows from those of orders. */
const WINDOW_SEED_MASK = 0x5bd1e995;

/** Returns whether a document has a target with a weight above 0 within the window. */
export function hasTarget({ ids, weights }: DatasetExample, window: number): boolean {
  for (let t = 1; t < Math.min(window, ids.length); t++) if (weights[t]! > 0) return true;
  return false;
}

/** Shuffles in place (Fisher and Yates). */
function shuffle<T>(items: T[], random: Random): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}
