import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, parseOptions, seedNumber } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { randomInteger, shuffle } from "../../base/random-draws.js";
import { depthEntry, depthsOf } from "./fit-length.js";
import { insertAtDepths } from "./insert-at-depths.js";

/** Options of {@link generateRecall}. Defaults are in parentheses. */
export interface RecallOptions {
  /** Number of pairs of a key and a value. */
  pairs: number;
  /** Number of tokens before the questions: the pairs, and filler between them (`2 · pairs`, which is no filler). */
  context?: number;
  /** Number of different keys that are asked for (all). */
  asked?: number;
  /**
   * Position of the pairs that are asked for, from 0 (beginning) to 1 (end): one for all, or one for each. By default, every order
   * of pairs and filler has the same probability.
   */
  depth?: number | readonly number[];
  /** Number of key tokens in the vocabulary (64). */
  keys?: number;
  /** Number of value tokens in the vocabulary (16). */
  values?: number;
  /** Number of filler tokens in the vocabulary (16). */
  fillers?: number;
  /** Seed of everything that is random, an integer within [0, 2^32) (0). */
  seed?: number;
}

/** A sequence of tokens with questions. It is a document for `Trainer`, whose targets are the answers only. */
export interface RecallSequence {
  /** Context, then each question: a key and its value. Keys are the ids from 0, then come values, then fillers. */
  readonly ids: number[];
  /** 1 for the values that answer a question, 0 for all other tokens. */
  readonly weights: number[];
}

/** Longest context, and largest vocabulary of each kind. */
const MAX_TOKENS = 2 ** 20;

const schema = v.strictObject({
  pairs: count,
  context: v.optional(count),
  asked: v.optional(count),
  depth: depthEntry,
  keys: v.optional(count, 64),
  values: v.optional(count, 16),
  fillers: v.optional(count, 16),
  seed: v.optional(seedNumber, 0),
});

/**
 * Generates a sequence of multi-query associative recall (MQAR, Arora et al. 2023) as token ids: a context of pairs of a key and a value,
 * with random filler between the pairs, and then keys of the context, each followed by its value. With one pair, it is a search for a
 * needle in a haystack.
 *
 * The keys of a sequence are all different; values may repeat. Equal options give an equal sequence.
 *
 * @throws {InputError} invalid options, more pairs than keys, or a context that is too short for the pairs
 */
export function generateRecall(options: RecallOptions): RecallSequence {
  const { pairs, keys, values, fillers, depth, seed, ...given } = parseOptions(schema, options, "generateRecall");
  const { context = 2 * pairs, asked = pairs } = given;
  for (const [name, size] of Object.entries({ context, keys, values, fillers })) {
    if (size > MAX_TOKENS) throw new InputError(`generateRecall: ${name}: expected at most ${MAX_TOKENS}, got ${size}`);
  }
  if (pairs > keys) throw new InputError(`generateRecall: pairs: expected at most ${keys}, the number of keys, got ${pairs}`);
  if (asked > pairs) throw new InputError(`generateRecall: asked: expected at most ${pairs}, the number of pairs, got ${asked}`);
  if (context < 2 * pairs)
    throw new InputError(`generateRecall: context: expected at least ${2 * pairs} for ${pairs} pairs, got ${context}`);

  const random = Random.seeded(seed);
  const allKeys = Array.from({ length: keys }, (_, key) => key);
  const all = shuffle(random, allKeys)
    .slice(0, pairs)
    .map((key) => [key, keys + randomInteger(random, 0, values - 1)]);
  const wanted = all.slice(0, asked);
  const filler = Array.from({ length: context - 2 * pairs }, () => [keys + values + randomInteger(random, 0, fillers - 1)]);
  const units =
    depth === undefined
      ? shuffle(random, [...all, ...filler])
      : insertAtDepths(
          shuffle(random, [...all.slice(asked), ...filler]),
          wanted,
          depthsOf("generateRecall", depth, asked, () => random.next()),
        );
  const body = units.flat();
  const questions = shuffle(random, wanted).flat();
  return { ids: [...body, ...questions], weights: [...body.map(() => 0), ...questions.map((_, i) => i % 2)] };
}
