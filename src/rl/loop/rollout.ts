import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { GenerateOptions, StopReason, Token } from "../../generate/index.js";
import { expectMethods, expectNumber } from "../arguments.js";

/** One sampled response to a prompt: the tokens of one answer, or of all turns of an episode. */
export interface Rollout {
  /** Token ids after the prompt, including end-of-sequence tokens. */
  readonly ids: readonly number[];
  /**
   * For each id, whether the policy sampled it. The others are context between two turns, such as results of tools: the policy sees them
   * and does not learn them. Absent if all ids were sampled.
   */
  readonly mask?: readonly boolean[];
  /** The decoded text of the sampled tokens. */
  readonly text: string;
  /** Log-probability of each sampled token according to the sampler. It is always at temperature 1, whatever the sampling temperature. */
  readonly logp: Float64Array;
  /**
   * Why the response ended. `"length"` and `"context"` mean that it was truncated, and `"repetition"` that it was stopped as repetitive.
   */
  readonly stop: StopReason;
}

/** Options of {@link rollouts}. */
export interface RolloutOptions extends Pick<GenerateOptions, "maxTokens" | "temperature" | "seed" | "repetition" | "signal"> {
  /** Number of responses to each prompt, G. */
  groupSize: number;
}

/** A model that generates responses: a local model, or a model on a server that returns token ids and log-probabilities. */
export interface Sampler {
  generateBatch(inputs: readonly (readonly number[])[], options: GenerateOptions): AsyncIterable<Token>;
}

/**
 * Samples a group of responses to each prompt. All responses share the same forward passes. Tokens are drawn from the full distribution,
 * without top-k or top-p.
 *
 * Response i to prompt p equals the response of `generate` with the seed `seed + p · groupSize + i`.
 *
 * @param prompts token ids of each prompt
 * @returns one group of `groupSize` responses per prompt
 * @throws {InputError} invalid options, or a server that does not return token ids with log-probabilities
 */
export async function rollouts(model: Sampler, prompts: readonly (readonly number[])[], options: RolloutOptions): Promise<Rollout[][]> {
  expectMethods("rollouts: model", model, "a model", ["generateBatch"]);
  expectArgument("rollouts: prompts", Array.isArray(prompts), "an array of prompts", prompts);
  expectArgument("rollouts: options", isObjectLike(options), "{ groupSize }", options);
  const { groupSize, ...sampling } = options;
  if (!(Number.isSafeInteger(groupSize) && groupSize >= 1)) {
    throw new InputError(`rollouts: groupSize: expected an integer of at least 1, got ${printed(groupSize)}`);
  }
  const { maxTokens = Number.POSITIVE_INFINITY } = sampling;
  expectNumber("rollouts: maxTokens", maxTokens, "an integer of at least 1", (x) => x >= 1);
  const inputs = prompts.flatMap((prompt) => Array.from({ length: groupSize }, () => prompt));
  const responses = inputs.map(() => ({ ids: [] as number[], text: "", logp: [] as number[], stop: undefined as StopReason | undefined }));
  for await (const { index, id, text, logprob, stop } of model.generateBatch(inputs, {
    ...sampling,
    temperature: sampling.temperature ?? 1,
  })) {
    const response = responses[index];
    if (!response || response.stop || response.ids.length >= maxTokens) {
      throw new InputError(
        `rollouts: response ${index}: expected ${responses.length} responses of at most ${maxTokens} tokens, got a surplus token`,
      );
    }
    if (!(Number.isInteger(id) && id >= 0 && Number.isFinite(logprob))) {
      throw new InputError(
        `rollouts: response ${index}: expected a token id and its log-probability, got ${printed(id)} and ${printed(logprob)} (a server must return both)`,
      );
    }
    response.ids.push(id);
    response.logp.push(logprob);
    response.text += text;
    response.stop ??= stop;
  }
  const finished = responses.map(({ ids, text, logp, stop }, i): Rollout => {
    if (!stop) throw new InputError(`rollouts: response ${i}: expected a stop reason, got none after ${ids.length} tokens`);
    return { ids, text, logp: Float64Array.from(logp), stop };
  });
  return prompts.map((_, p) => finished.slice(p * groupSize, (p + 1) * groupSize));
}
