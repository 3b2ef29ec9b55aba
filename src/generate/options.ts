import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, index, number, parseOptions, seedNumber, signal } from "../base/options.js";
import type { Config } from "../model/config.js";
import type { TextCodec } from "../text/text-codec.js";
import { repetitionSchema } from "./repetition.js";
import type { Sampling } from "./sample.js";

/** Options for computing a prompt. */
export interface PrefillOptions {
  /** Aborts the call before the next forward pass. The call throws the signal's reason and frees its memory. */
  signal?: AbortSignal;
  /** Maximum number of prompt tokens per forward pass (512). It limits scratch memory and the delay of an abort. */
  prefillChunk?: number;
}

/** Options of generation. Defaults are in parentheses. */
export interface GenerateOptions extends PrefillOptions {
  /** Maximum number of tokens to generate (512). With `Infinity`, generation continues until the context is full. */
  maxTokens?: number;
  /**
   * Sampling temperature; 0 decodes greedily. The default is 1 if topK, topP or minP is given, otherwise 0. MiniMax recommends 1 with topP
   * 0.95.
   */
  temperature?: number;
  /** Keeps the k most probable tokens. */
  topK?: number;
  /**
   * Keeps the smallest set of most probable tokens whose total probability reaches this share. If topK is given too, the share is that of
   * the tokens that topK keeps.
   */
  topP?: number;
  /** Keeps tokens whose probability is at least this fraction of the highest one. It applies after topK and topP. */
  minP?: number;
  /** Makes tokens that already occur in the prompt or the text less probable if above 1 (1). */
  repetitionPenalty?: number;
  /**
   * Seed of the sampling, an integer within [0, 2^32). Sequence i of a batch uses the seed plus i. By default the seed is random;
   * `generation.seed` returns it.
   */
  seed?: number;
  /** Strings that end the text. The text does not contain them. */
  stop?: string | readonly string[];
  /** Tokens that end the text, in addition to the end-of-sequence tokens of the configuration and the tokenizer. */
  stopIds?: readonly number[];
  /** Number of most probable alternatives to return with every token (0). */
  topLogprobs?: number;
  /**
   * Stops endless repetition: generation ends after `tokens` (3,000) consecutive tokens with a probability above `probability` (0.99) each.
   * The defaults are those of the report. `false` disables the check.
   */
  repetition?: { tokens?: number; probability?: number } | false;
}

/** Generation options after validation, with all defaults applied. */
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

/** Validates generation options. @throws {InputError} an unknown option, a value out of range, or stop strings without a tokenizer */
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
  if (stops.length > 0 && !codec) throw new InputError(`${where}: stop: expected a model with a tokenizer, got none. Use stopIds instead.`);
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

/** Validates prefill options. @throws {InputError} an unknown option or a value out of range */
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

/** The schema of each option, for interfaces in which the options have other names. */
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
