import * as v from "valibot";
import { callback, count, index, number, parseOptions, seedNumber, signal } from "../runtime/options.js";
import { type Schedule, schedule } from "../train/schedule.js";
import type { AdvantageOptions } from "./advantages.js";
import type { WindowOptions } from "./curriculum/index.js";
import type { AggregationOptions, PolicyBatch, PolicyLoss } from "./objectives/index.js";

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
   * The objective, `cispo` by default. It is given the `weights` of the responses and therefore no aggregation: that is the next option. With options of its own:
   * `(batch) => cispo(batch, { maxWeight: 4 })`.
   */
  objective?: (batch: PolicyBatch) => PolicyLoss;
  /** How tokens are averaged over a minibatch: `{ aggregation: "token" }` by default, as CISPO and DAPO do. */
  aggregation?: AggregationOptions;
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
  /** Sources are drawn by their weight times what their pass rate has to teach, `mixture` (true), or by their weight alone. */
  followPassRates?: boolean;
  /** How the trainer's learning rate moves over all updates; by default it stays, after 10 of warm-up. */
  schedule?: Schedule;
  /** Which problems and which tokens (0). */
  seed?: number;
  signal?: AbortSignal;
}

const object = <T>() => v.custom<T>((x) => typeof x === "object" && x !== null && !Array.isArray(x), "an object");

/** @internal */
export const policyEntries = {
  batches: count,
  groups: v.optional(count, 32),
  groupSize: v.optional(
    number("an integer of at least 2", (x) => Number.isSafeInteger(x) && x >= 2),
    8,
  ),
  minibatches: v.optional(count, 4),
  epochs: v.optional(count, 1),
  aggregation: v.optional(object<AggregationOptions>(), { aggregation: "token" }),
  advantages: v.optional(object<NonNullable<PolicyOptions["advantages"]>>(), {}),
  maxTokens: v.optional(v.union([count, object<WindowOptions>()], "an integer of at least 1 or windows"), 256),
  overlong: v.optional(
    number("a number within [0, 1]", (x) => x >= 0 && x <= 1),
    0,
  ),
  rounds: v.optional(index, 3),
  repetition: v.optional(v.union([v.literal(false), object<{ tokens?: number; probability?: number }>()], "an object or false")),
  followPassRates: v.optional(
    v.custom<boolean>((x) => typeof x === "boolean", "true or false"),
    true,
  ),
  schedule: v.optional(schedule, { warmup: 10, decay: "constant" }),
  seed: v.optional(seedNumber, 0),
};

const schema = v.pipe(
  v.strictObject({
    ...policyEntries,
    objective: v.optional(callback<(batch: PolicyBatch) => PolicyLoss>()),
    signal: v.optional(signal),
  }),
  v.check(({ groups, minibatches }) => minibatches <= groups, "at least as many groups as minibatches"),
);

/** @throws {InputError} options that do not fit */
export function parsePolicyOptions(options: PolicyOptions, where: string) {
  return parseOptions(schema, options, where);
}
