import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, index, number, parseOptions, seedNumber, signal } from "../base/options.js";
import type { Config } from "../model/config.js";
import type { TextCodec } from "../text/text-codec.js";
import { repetitionSchema } from "./repetition.js";
import type { Sampling } from "./sample.js";

export interface PrefillOptions {
  /** Cancels: checked before every pass, thrown as the signal's own reason. What was made for the call is freed. */
  signal?: AbortSignal;
  /** Most tokens of a prompt per pass (512): bounds scratch memory, and how long a cancellation can take. */
  prefillChunk?: number;
}

export interface GenerateOptions extends PrefillOptions {
  /** Most tokens to generate (512). `Infinity` goes on to the end of the context. */
  maxTokens?: number;
  /** 0 is greedy. Default 0, or 1 when topK, topP or minP is given. MiniMax recommends 1 with topP 0.95. */
  temperature?: number;
  /** Keeps the k most probable tokens. */
  topK?: number;
  /** Keeps the fewest tokens that together hold this share of the probability (of what topK kept). */
  topP?: number;
  /** Keeps tokens with at least this share of the most probable token's probability (after topK and topP). */
  minP?: number;
  /** Above 1 makes tokens of the prompt and of the text so far less probable. */
  repetitionPenalty?: number;
  /** Integer within [0, 2^32). Sequence i of a batch uses seed + i. Without one a seed is drawn; `generation.seed` tells it. */
  seed?: number;
  /** Ends the text before any of these strings. */
  stop?: string | readonly string[];
  /** Ends the text at any of these tokens, besides the config's and the tokenizer's end of sequence. */
  stopIds?: readonly number[];
  /** Adds the n most probable alternatives to every token (0). */
  topLogprobs?: number;
  /**
   * Ends a generation that only repeats itself: after so many consecutive tokens, each more probable than `probability`
   * (3,000 and 0.99 as in the report). `false` never does.
   */
  repetition?: { tokens?: number; probability?: number } | false;
}

/** Options with every default in place. */
export interface GenerateSettings {
  readonly maxTokens: number;
  readonly sampling: Sampling;
  readonly seed: number | undefined;
  readonly stops: readonly string[];
  readonly stopIds: ReadonlySet<number>;
  readonly eosIds: ReadonlySet<number>;
  readonly topLogprobs: number;
  readonly repetition: { readonly tokens: number; readonly probability: number } | undefined;
  readonly signal: AbortSignal | undefined;
  readonly prefillChunk: number;
}

/** @throws {InputError} an unknown option, a value out of its range, or stop strings without a tokenizer */
export function parseGenerateOptions(
  options: GenerateOptions,
  config: Pick<Config, "vocabSize" | "eosTokenIds">,
  codec: Pick<TextCodec, "eosId"> | undefined,
  where: string,
): GenerateSettings {
  const given = parseOptions(generateSchema, options, where);
  const { topK, topP, minP, repetitionPenalty, maxTokens, seed, stopIds, topLogprobs, repetition, signal, prefillChunk } = given;
  const restricted = [options.topK, options.topP, options.minP].some((option) => option !== undefined);
  const stops = [given.stop].flat();
  if (stops.length > 0 && !codec) throw new InputError(`${where}: stop: expected a model with a tokenizer, got none (stopIds needs none)`);
  const foreign = stopIds.find((id) => id >= config.vocabSize);
  if (foreign !== undefined) throw new InputError(`${where}: stopIds: expected ids within [0, ${config.vocabSize}), got ${foreign}`);
  return {
    sampling: { temperature: given.temperature ?? (restricted ? 1 : 0), topK, topP, minP, repetitionPenalty },
    stopIds: new Set(stopIds),
    eosIds: new Set([...config.eosTokenIds, codec?.eosId ?? []].flat()),
    repetition: repetition || undefined,
    ...{ maxTokens, seed, stops, topLogprobs, signal, prefillChunk },
  };
}

/** @throws {InputError} an unknown option or a value out of its range */
export function parsePrefillOptions(options: PrefillOptions, where: string): Pick<GenerateSettings, "signal" | "prefillChunk"> {
  const { signal, prefillChunk } = parseOptions(prefillSchema, options, where);
  return { signal, prefillChunk };
}

const countOrInfinity = number("an integer of at least 1, or Infinity", (x) => x >= 1 && (Number.isInteger(x) || x === Infinity));
const stop = v.custom<string>((x) => typeof x === "string" && x !== "" && !/\p{Cs}/u.test(x), "a string of one or more whole characters");

const prefillEntries = {
  signal: v.optional(signal),
  prefillChunk: v.optional(count, 512),
};

const prefillSchema = v.strictObject(prefillEntries);

/** The options one by one, for interfaces that give them other names. */
export const generateEntries = {
  ...prefillEntries,
  maxTokens: v.optional(countOrInfinity, 512),
  temperature: v.optional(number("a number of at least 0", (x) => x >= 0 && x < Infinity)),
  topK: v.optional(countOrInfinity, Infinity),
  topP: v.optional(
    number("a number within (0, 1]", (x) => x > 0 && x <= 1),
    1,
  ),
  minP: v.optional(
    number("a number within [0, 1]", (x) => x >= 0 && x <= 1),
    0,
  ),
  repetitionPenalty: v.optional(
    number("a number within [1e-6, 1e6]", (x) => x >= 1e-6 && x <= 1e6),
    1,
  ),
  seed: v.optional(seedNumber),
  stop: v.optional(
    v.lazy((x): v.GenericSchema<string | string[]> => (Array.isArray(x) ? v.array(stop) : stop)),
    [],
  ),
  stopIds: v.optional(v.array(index, "an array of token ids"), []),
  topLogprobs: v.optional(index, 0),
  repetition: v.optional(
    v.lazy(
      (x): v.GenericSchema<unknown, v.InferOutput<typeof repetitionSchema> | false> => (x === false ? v.literal(false) : repetitionSchema),
    ),
    {},
  ),
};

const generateSchema = v.strictObject(generateEntries);
