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

/** How a policy is trained. */
export interface PolicyOptions {
  /** Generation batches in all, those of earlier runs included. */
  batches: number;
  /** Problems of a generation batch that are learned from (32). */
  groups?: number;
  /** Responses to each problem, G (8). */
  groupSize?: number;
  /** Updates that a generation batch is cut into, each with as many groups (4). The first is on-policy, the others are not. */
  minibatches?: number;
  /** How often each response is learned from (1). */
  epochs?: number;
  /**
   * The objective, `cispo` by default; it averages as it does by itself. With options of its own: `(batch) => cispo(batch, { maxWeight: 4, aggregation: "sequence" })`.
   */
  objective?: (batch: PolicyBatch) => PolicyLoss;
  /**
   * The reference policy π_ref of objectives with `klCoef`: a second model whose weights nobody changes, usually the checkpoint that the training began with, also after a restore. Each batch takes one more
   * forward pass through it. With a reference every update's statistics have `klRef`, whether or not the objective penalises it.
   */
  reference?: Trainable;
  /** Called with each of a batch's warnings. */
  onWarning?: (message: string) => void;
  /** Standard deviation and ε of group-relative advantages. */
  advantages?: AdvantageOptions & { scale?: "group" | "none" };
  /** Most tokens of a response (256), or windows that become longer by the report's criteria. */
  maxTokens?: number | WindowOptions;
  /** Share of the window before its end in which a response loses reward, up to 1 (0: no punishment). DAPO has 0.2. */
  overlong?: number;
  /** Rounds of dynamic sampling (3): at most so many times `groups` problems are sampled until `groups` have right and wrong answers. 0 learns from all. */
  rounds?: number;
  /** Breaks off responses that only repeat themselves, as `generate` does (the report's 3,000 tokens above 0.99). */
  repetition?: { tokens?: number; probability?: number } | false;
  /** How many judges are called at a time, how often and how long: for judges that ask a server. */
  judging?: JudgingOptions;
  /** Sources are drawn by their weight times what their pass rate has to teach, `mixture` (true), or by their weight alone. */
  followPassRates?: boolean;
  /** How the trainer's learning rate moves over all updates; by default it stays, after 10 of warm-up. */
  schedule?: Schedule;
  /** Which problems and which tokens (0). */
  seed?: number;
  /** Ends the run while a batch is sampled. One that is being learned from is learned from to its end, so that the trainer always stands between two batches. */
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
  maxTokens: v.optional(v.union([count, object<WindowOptions>()], "an integer of at least 1 or windows"), 256),
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

/** @throws {InputError} options that do not fit */
export function parsePolicyOptions(options: PolicyOptions, where: string) {
  const parsed = parseOptions(schema, options, where);
  checkPolicyOptions(parsed, where);
  return parsed;
}

/** Responses of a generation batch, which stay in memory until it has been learned from. */
const MAX_BATCH_RESPONSES = 2 ** 20;

/** What single options do not tell. @throws {InputError} options that do not fit each other, or whose own options do not fit */
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
  // Whoever reads them says what is wrong with them.
  withErrorPrefix(`${where}: advantages`, () => groupAdvantages([0], advantages));
  withErrorPrefix(`${where}: maxTokens`, () => nextWindow(state, { perplexity: 1, lengths: [0] }, windows));
}

/** Lengths of responses as windows: a number is a single one. */
export function windowsOf(maxTokens: number | WindowOptions): WindowOptions & { windows: readonly number[] } {
  const { windows = reportWindows, ...when } = typeof maxTokens === "number" ? { windows: [maxTokens] } : maxTokens;
  return { windows, ...when };
}

/** Says where the options stood that a function refuses. */
export function withErrorPrefix<T>(where: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (cause instanceof InputError) throw new InputError(`${where}: ${cause.message}`, { cause });
    throw cause;
  }
}
