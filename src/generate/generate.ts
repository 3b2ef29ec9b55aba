import { InputError, LightningError } from "../base/errors.js";
import { SEED_LIMIT } from "../base/options.js";
import { Random } from "../base/random.js";
import { checkIds } from "../model/token-ids.js";
import type { Transformer } from "../model/transformer.js";
import type { Tensor } from "../runtime/tensor.js";
import type { TextCodec } from "../text/text-codec.js";
import { BatchScheduler, type StepRequest } from "./batch-scheduler.js";
import { createGeneration, type Generation, type Usage } from "./generation.js";
import { type GenerateOptions, type GenerateSettings, parseGenerateOptions } from "./options.js";
import { repetitionStop } from "./repetition.js";
import { descendingIndices, sample, takeFirst } from "./sample.js";
import { Sequence } from "./sequence.js";
import { type FinalText, StopFilter } from "./stop-filter.js";

export type { Generation } from "./generation.js";

/**
 * Why a generation ended: an end-of-sequence token (`"eos"`), a stop string or stop id (`"stop"`), endless repetition, `maxTokens` reached
 * (`"length"`), or a full context.
 */
export type StopReason = "eos" | "stop" | "repetition" | "length" | "context";

const NO_TEXT: FinalText = { text: "", stop: undefined };

/** A generated token. The ids of all tokens form the generated sequence. Their texts, joined, form its text up to the stop. */
export interface Token {
  /** Index of the sequence in the batch. It is 0 if there is only one. */
  readonly index: number;
  /** Token id. Tokens that end the text (end-of-sequence tokens and stop ids) are returned too, with an empty text. */
  readonly id: number;
  /** The text that this token completes, as whole characters. It may be empty, and is always empty without a tokenizer. */
  readonly text: string;
  /** Natural logarithm of the probability that the model itself gives to this token, before penalty, temperature and restrictions. */
  readonly logprob: number;
  /** The most probable tokens at this position, if `topLogprobs` is above 0. */
  readonly topLogprobs?: readonly { readonly id: number; readonly logprob: number }[];
  /** Why the sequence ended. Present only in its last token. */
  readonly stop?: StopReason;
  /** The stop string that ended the text, if any. */
  readonly stopString?: string;
}

/**
 * Continues all prompts in shared forward passes. Prompt i gives the same tokens as if it were generated alone with the seed plus i.
 *
 * @param prompts token ids of each prompt. The lengths may differ
 * @param usage receives the token counts
 * @throws {InputError} invalid ids or options, or a prompt that fills the context
 */
export function generate(
  transformer: Transformer,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
  codec?: TextCodec,
  usage: Usage = {},
): Generation {
  const settings = parseGenerateOptions(options, transformer.config, codec, "generate");
  if (prompts.length === 0) throw new InputError("generate: input: expected at least one sequence, got none");
  for (const [i, ids] of prompts.entries()) checkIds(ids, transformer.config, `generate: input[${i}]`, 1);
  const seed = settings.seed ?? Random.anySeed();
  usage.promptTokens = prompts.reduce((sum, ids) => sum + ids.length, 0);
  return createGeneration(startSequences(transformer, prompts, settings, seed, codec, usage), seed, prompts.length, usage);
}

async function* startSequences(
  transformer: Transformer,
  prompts: readonly (readonly number[])[],
  settings: GenerateSettings,
  seed: number,
  codec: TextCodec | undefined,
  usage: Usage,
): AsyncGenerator<Token, void, undefined> {
  const sequences: Sequence[] = [];
  try {
    for (const [i, ids] of prompts.entries()) {
      const sequence = Sequence.start(transformer, (seed + i) % SEED_LIMIT);
      sequences.push(sequence);
      sequence.append(ids, `generate: input[${i}]`);
    }
    yield* continueSequences(transformer, sequences, settings, codec, usage);
  } finally {
    for (const sequence of sequences) sequence.dispose();
  }
}

/**
 * Generates from the current state of the sequences. Every round computes one chunk per sequence: its new token, or up to `prefillChunk`
 * tokens of its prompt. How a prompt is divided into chunks does not depend on the rest of the batch.
 */
export async function* continueSequences(
  transformer: Transformer,
  sequences: readonly Sequence[],
  settings: GenerateSettings,
  codec: TextCodec | undefined,
  usage: Usage,
): AsyncGenerator<Token, void, undefined> {
  usage.completionTokens = 0;
  const batch = BatchScheduler.of(transformer);
  const context = transformer.config.maxPositionEmbeddings;
  let active = sequences.map((sequence, index) => new SequenceGeneration(sequence, index, settings, context, codec));
  while (active.length > 0) {
    const round = await Promise.all(active.map((completion) => batch.step(completion)));
    for (const token of round) {
      if (!token) continue;
      usage.completionTokens++;
      yield token;
    }
    active = active.filter(({ stop }) => !stop);
  }
}

/** Computes all pending tokens except the last one. The next generation needs the logits of the last one. */
export async function prefillSequence(
  transformer: Transformer,
  sequence: Sequence,
  { signal, prefillChunk: chunk }: Pick<GenerateSettings, "signal" | "prefillChunk">,
): Promise<void> {
  while (sequence.pending > 1) {
    await BatchScheduler.of(transformer).step({ sequence, count: Math.min(chunk, sequence.pending - 1), chunk, signal });
  }
}

/** The generation of one sequence in one call. It chooses tokens and decides when to stop. */
class SequenceGeneration implements StepRequest<Token> {
  stop: StopReason | undefined;
  private readonly text: StopFilter | undefined;
  private readonly seen: Set<number>;
  private generated = 0;
  private readonly isLooping: (logprob: number) => boolean;

  constructor(
    readonly sequence: Sequence,
    private readonly index: number,
    private readonly settings: GenerateSettings,
    private readonly context: number,
    codec: TextCodec | undefined,
  ) {
    this.text = codec && new StopFilter(codec, settings.stops);
    this.seen = new Set(sequence.ids);
    this.isLooping = settings.repetition ? repetitionStop(settings.repetition) : () => false;
  }

  get count(): number {
    return Math.min(this.sequence.pending, this.chunk);
  }

  get chunk(): number {
    return this.settings.prefillChunk;
  }

  get signal(): AbortSignal | undefined {
    return this.settings.signal;
  }

  /** Chooses the next token and appends it to the sequence. */
  onLogits(logits: Tensor, logprobTensor: Tensor): Token {
    const { sequence, settings, index } = this;
    const { rt } = logits;
    // Checking one log-probability is enough: a single NaN or +∞ among the logits, or logits that are all −∞, make every log-probability
    // NaN.
    if (Number.isNaN(rt.f32(logprobTensor)[0])) {
      throw new LightningError(
        `generate: logits after token ${sequence.length - 1}: expected finite numbers, got NaN or infinity. The weights contain NaN, or activations overflow.`,
      );
    }
    const id = sample(logits, settings.sampling, this.seen, sequence.random);
    // This is a view. It stays valid because nothing is allocated from here on.
    const logprobs = rt.f32(logprobTensor);
    const repeated = this.isLooping(logprobs[id]!);
    sequence.append([id], "generate");
    this.seen.add(id);
    this.generated++;

    const closing = settings.eosIds.has(id) ? "eos" : settings.stopIds.has(id) ? "stop" : undefined;
    const final = (!closing && this.text?.push(id)) || NO_TEXT;
    this.stop = closing ?? (final.stop ? "stop" : this.limitReached(repeated));
    const rest = (this.stop && this.text?.end()) || NO_TEXT;
    if (rest.stop) this.stop = "stop";
    const stopString = final.stop ?? rest.stop;
    return {
      ...{ index, id, text: final.text + rest.text, logprob: logprobs[id]! },
      ...(settings.topLogprobs > 0 && {
        topLogprobs: takeFirst(settings.topLogprobs, descendingIndices(logprobs)).map((id) => ({ id, logprob: logprobs[id]! })),
      }),
      ...(this.stop && { stop: this.stop }),
      ...(stopString !== undefined && { stopString }),
    };
  }

  private limitReached(repeated: boolean): StopReason | undefined {
    if (repeated) return "repetition";
    if (this.generated >= this.settings.maxTokens) return "length";
    return this.sequence.length >= this.context ? "context" : undefined;
  }
}
