import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { callback, count, index, number, parseOptions, seedNumber, signal } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { generateEntries } from "../../generate/options.js";
import { type Schedule, scheduleSchema } from "../../train/schedule.js";
import type { Trainable } from "../../train/trainer.js";
import { nextWindow, reportWindows, type WindowOptions } from "../curriculum/index.js";
import { type AdvantageOptions, groupAdvantages } from "../objectives/advantages.js";
import type { PolicyBatch, PolicyLoss } from "../objectives/index.js";
import { type JudgingOptions, judgingOptions } from "../rewards/judging.js";

/** Options of {@link trainPolicy}. */
export interface PolicyOptions {
  /** Total number of generation batches, including those before a restore. */
  batches: number;
  /** Number of groups per generation batch that are learned from, one per problem (32). */
  groups?: number;
  /** Number of responses to each problem, G (8). */
  groupSize?: number;
  /**
   * Number of updates per epoch over a generation batch (4). Each update learns from a minibatch of an equal number of groups. The first
   * update is on-policy, the others are off-policy.
   */
  minibatches?: number;
  /** Number of passes over the responses of a generation batch (1). */
  epochs?: number;
  /**
   * The objective (default: `cispo` with its default options). To set options:
   * `(batch) => cispo(batch, { maxWeight: 4, aggregation: "sequence" })`.
   */
  objective?: (batch: PolicyBatch) => PolicyLoss;
  /**
   * The reference policy π_ref for objectives with `klCoef`: a second model, whose weights do not change. Usually it is the checkpoint that
   * training started from, also after a restore.
   *
   * Each batch takes one additional forward pass through the reference. The statistics of every update then include `klRef`, even if
   * `klCoef` is 0.
   */
  reference?: Trainable;
  /** Called with each warning, which `PolicyMetrics.warnings` contains too. */
  onWarning?: (message: string) => void;
  /** Options of `groupAdvantages`. */
  advantages?: AdvantageOptions & { scale?: "group" | "none" };
  /** Maximum number of tokens of a response (256), or windows that `nextWindow` advances. */
  maxTokens?: number | WindowOptions;
  /**
   * Size of the interval at the end of `maxTokens` in which `overlongPunishment` reduces the reward, as a share of `maxTokens` (0: no
   * punishment). DAPO uses 0.2.
   */
  overlong?: number;
  /**
   * Maximum number of rounds of dynamic sampling (3). Each round samples at most `groups` problems. Only problems with both right and
   * wrong answers count. Sampling ends once all rounds together have `groups` such problems. With 0, one round is sampled and all of its
   * groups are used.
   */
  rounds?: number;
  /**
   * Stops repetitive responses, as `generate` does. By default after 3,000 consecutive tokens with a probability above 0.99, as in the M1
   * report.
   */
  repetition?: { tokens?: number; probability?: number } | false;
  /** Concurrency, retries and time limits of judges. */
  judging?: JudgingOptions;
  /** Whether sources are drawn by weight and pass rate, as `mixture` computes (true), or by weight alone (false). */
  followPassRates?: boolean;
  /** Schedule of the trainer's learning rate over all updates. By default it is constant after 10 warm-up updates. */
  schedule?: Schedule;
  /** Seed of all random choices, which are the choice of sources and the sampling of tokens (0). */
  seed?: number;
  /** Aborts the run during sampling. The updates of a batch always run to completion, so that the trainer can be saved afterwards. */
  signal?: AbortSignal;
}

const object = <T>() => v.custom<T>((x) => typeof x === "object" && x !== null && !Array.isArray(x), "an object");

const integerWithin = (least: number, most: number) =>
  number(`an integer within [${least}, ${most.toLocaleString("en-US")}]`, (x) => Number.isSafeInteger(x) && x >= least && x <= most);

/** @internal */
export const policyEntries = {
  batches: count,
  groups: v.optional(integerWithin(1, 65_536), 32),
  groupSize: v.optional(integerWithin(2, 65_536), 8),
  minibatches: v.optional(count, 4),
  epochs: v.optional(integerWithin(1, 1000), 1),
  advantages: v.optional(object<NonNullable<PolicyOptions["advantages"]>>(), {}),
  maxTokens: v.optional(v.union([count, object<WindowOptions>()], "an integer of at least 1, or { windows }"), 256),
  overlong: v.optional(
    number("a number within [0, 1]", (x) => x >= 0 && x <= 1),
    0,
  ),
  rounds: v.optional(index, 3),
  repetition: v.optional(generateEntries.repetition),
  judging: v.optional(judgingOptions, {}),
  followPassRates: v.optional(
    v.custom<boolean>((x) => typeof x === "boolean", "true or false"),
    true,
  ),
  schedule: v.optional(scheduleSchema, { warmup: 10, decay: "constant" }),
  seed: v.optional(seedNumber, 0),
};

const schema = v.strictObject({
  ...policyEntries,
  objective: v.optional(callback<(batch: PolicyBatch) => PolicyLoss>()),
  reference: v.optional(v.custom<Trainable>((x) => typeof (x as Trainable)?.transformer === "object", "a model")),
  onWarning: v.optional(callback<(message: string) => void>()),
  signal: v.optional(signal),
});

/** Validates options and applies defaults. @throws {InputError} invalid options */
export function parsePolicyOptions(options: PolicyOptions, where: string) {
  const parsed = parseOptions(schema, options, where);
  checkPolicyOptions(parsed, where);
  return parsed;
}

/** Maximum number of responses per generation batch, because all of them stay in memory. */
const MAX_BATCH_RESPONSES = 2 ** 20;

/** Checks that options are consistent, and checks nested options. @throws {InputError} inconsistent options, or invalid nested options */
export function checkPolicyOptions(
  {
    groups,
    groupSize,
    minibatches,
    advantages,
    maxTokens,
  }: Required<Pick<PolicyOptions, "groups" | "groupSize" | "minibatches" | "advantages" | "maxTokens">>,
  where: string,
): void {
  if (groups * groupSize > MAX_BATCH_RESPONSES) {
    throw new InputError(
      `${where}: groups: expected at most ${MAX_BATCH_RESPONSES.toLocaleString("en-US")} responses (groups times groupSize), got ${printed(groups * groupSize)}`,
    );
  }
  if (minibatches > groups) throw new InputError(`${where}: minibatches: expected at most groups, ${groups}, got ${printed(minibatches)}`);
  const windows = windowsOf(maxTokens);
  const state = { tokens: windows.windows?.[0] ?? 0, perplexities: [] };
  // The functions that use these options validate them.
  withErrorPrefix(`${where}: advantages`, () => groupAdvantages([0], advantages));
  withErrorPrefix(`${where}: maxTokens`, () => nextWindow(state, { perplexity: 1, lengths: [0] }, windows));
}

/** Converts `maxTokens` into windows. A number becomes a single window. */
export function windowsOf(maxTokens: number | WindowOptions): WindowOptions & { windows: readonly number[] } {
  const { windows = reportWindows, ...when } = typeof maxTokens === "number" ? { windows: [maxTokens] } : maxTokens;
  return { windows, ...when };
}

/** Runs `body` and prefixes its input errors with the place of the options. */
export function withErrorPrefix<T>(where: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (cause instanceof InputError) throw new InputError(`${where}: ${cause.message}`, { cause });
    throw cause;
  }
}
