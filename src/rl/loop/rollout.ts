import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { GenerateOptions, StopReason, Token } from "../../generate/index.js";

/** One response to a prompt, as it was sampled. */
export interface Rollout {
  /** Its tokens, the one that ended it included. */
  readonly ids: readonly number[];
  readonly text: string;
  /** log-probability of each token, as the sampler had it: at temperature 1, whatever the sampling. */
  readonly logp: Float64Array;
  /** Why it ended. `"length"` and `"context"` cut it off; `"repetition"` broke off a loop. */
  readonly stop: StopReason;
}

export interface RolloutOptions extends Pick<GenerateOptions, "maxTokens" | "temperature" | "seed" | "repetition" | "signal"> {
  /** Responses to each prompt: G. */
  groupSize: number;
}

/** Whoever can respond: a model here, or one on a server that answers with token ids. */
export interface Sampler {
  generateBatch(inputs: readonly (readonly number[])[], options: GenerateOptions): AsyncIterable<Token>;
}

/**
 * Groups of responses, sampled from the whole distribution, all in the same passes. The response i of prompt p is what `generate` gives alone with the seed `seed + p · groupSize + i`.
 *
 * @param prompts token ids
 * @returns one group per prompt
 * @throws {InputError} options that do not fit, or a server that does not tell token ids
 */
export async function rollouts(
  model: Sampler,
  prompts: readonly (readonly number[])[],
  { groupSize, ...options }: RolloutOptions,
): Promise<Rollout[][]> {
  expectArgument("rollouts: model", isObjectLike(model), "a model", model);
  expectArgument("rollouts: prompts", Array.isArray(prompts), "an array of prompts", prompts);
  if (!(Number.isSafeInteger(groupSize) && groupSize >= 1)) {
    throw new InputError(`rollouts: groupSize: expected an integer of at least 1, got ${printed(groupSize)}`);
  }
  const { maxTokens = Number.POSITIVE_INFINITY } = options;
  const inputs = prompts.flatMap((prompt) => Array.from({ length: groupSize }, () => prompt));
  const responses = inputs.map(() => ({ ids: [] as number[], text: "", logp: [] as number[], stop: undefined as StopReason | undefined }));
  for await (const { index, id, text, logprob, stop } of model.generateBatch(inputs, {
    ...options,
    temperature: options.temperature ?? 1,
  })) {
    const response = responses[index];
    if (!response || response.stop || response.ids.length >= maxTokens) {
      throw new InputError(
        `rollouts: response ${index}: expected one of ${responses.length}, of at most ${maxTokens} tokens, got a token beyond`,
      );
    }
    if (!(Number.isInteger(id) && id >= 0 && Number.isFinite(logprob))) {
      throw new InputError(
        `rollouts: response ${index}: expected token ids with log-probabilities, got ${printed(id)} with ${logprob} (a server has to return both)`,
      );
    }
    response.ids.push(id);
    response.logp.push(logprob);
    response.text += text;
    response.stop ??= stop;
  }
  const whole = responses.map(({ ids, text, logp, stop }, i): Rollout => {
    if (!stop) throw new InputError(`rollouts: response ${i}: expected an end, got none after ${ids.length} tokens`);
    return { ids, text, logp: Float64Array.from(logp), stop };
  });
  return prompts.map((_, p) => whole.slice(p * groupSize, (p + 1) * groupSize));
}
