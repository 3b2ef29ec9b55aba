import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { decodeJson, isObject } from "../../base/json.js";
import { count, number, oneOf, parseOptions, seedNumber, text } from "../../base/options.js";
import { printed, printedJson } from "../../base/printed.js";
import { trainerSchema } from "../../train/trainer-options.js";
import type { Codec } from "../data/codec.js";
import { type ProblemSource, taskSource } from "../data/problem.js";
import { cispo, dapo, dualClip, grpo, gspo, type PolicyBatch, type PolicyLoss, reinforce, unified } from "../objectives/index.js";
import { type AnsweredPuzzle, correctnessReward, formatReward } from "../rewards/rewards.js";
import { verifiers } from "../rewards/verifiers.js";
import { moreTasks, tasks, type Verifiable } from "../tasks/index.js";
import { checkPolicyOptions, policyEntries, withErrorPrefix } from "./policy-options.js";

type Objective = (batch: PolicyBatch, options?: object) => PolicyLoss;

const objectives: Readonly<Record<string, Objective>> = { cispo, grpo, dapo, reinforce, gspo, "dual-clip": dualClip, unified };
const rewards = { correct: correctnessReward, format: formatReward };

const rewardWeight = number("a number within [0, 1e6]", (x) => x >= 0 && x <= 1e6);
const objectiveSchema = v.custom<{ readonly name: string }>((x) => isObject(x) && typeof x.name === "string", 'an object with a "name"');

const levels = v.optional(v.pipe(v.array(count, "an array of levels"), v.nonEmpty("at least one level")));
// Narrower than the range in `mixture`, so that products of weights do not underflow.
const weight = v.optional(
  number("a number within [1e-9, 1e9]", (x) => x >= 1e-9 && x <= 1e9),
  1,
);
const bundledTask = v.strictObject({ name: text, levels, weight });
const moduleTasks = v.strictObject({ module: text, weight });
const fileTask = v.strictObject({
  ...{ file: text, name: v.optional(text), weight },
  verifier: oneOf(...(Object.keys(verifiers) as (keyof typeof verifiers)[])),
  answer: v.optional(oneOf("tagged", "text"), "tagged"),
});

const schema = v.strictObject({
  model: v.optional(text),
  reference: v.optional(text),
  tasks: v.pipe(
    v.array(
      // The key decides which variant is meant. A union schema would report errors about the wrong variant.
      v.lazy((task): typeof bundledTask | typeof moduleTasks | typeof fileTask => {
        if (isObject(task) && "module" in task) return moduleTasks;
        return isObject(task) && "file" in task ? fileTask : bundledTask;
      }),
      "an array of { name }, { module } or { file, verifier }",
    ),
    v.nonEmpty("at least one task"),
  ),
  rewards: v.optional(v.strictObject({ correct: v.optional(rewardWeight, 1), format: v.optional(rewardWeight, 0) }), {}),
  objective: objectiveSchema,
  trainer: v.optional(v.omit(trainerSchema, ["decays"]), {}),
  run: v.omit(v.strictObject(policyEntries), ["seed"]),
  heldOut: v.optional(
    v.strictObject({
      perLevel: number("an integer within [1, 100,000]", (x) => Number.isInteger(x) && x >= 1 && x <= 100_000),
      every: count,
    }),
  ),
  seed: v.optional(seedNumber, 0),
  build: v.optional(oneOf("auto", "simd", "relaxed", "debug"), "auto"),
  save: v.optional(v.strictObject({ every: v.optional(count, 10) }), {}),
});

/** An entry of a plan for custom tasks: a module that exports tasks, or a JSONL file of questions and answers. */
export type CustomTasks = (v.InferOutput<typeof moduleTasks> | v.InferOutput<typeof fileTask>) & {
  /** Position in the plan, for messages. */
  readonly at: string;
};

/** A level of a task to learn. */
export interface PlannedLevel {
  readonly task: Verifiable;
  readonly level: number;
  /** Weight relative to the other levels. */
  readonly weight: number;
}

/** A run of reinforcement learning, as described by a JSON file. Paths are not resolved. */
export type PolicyPlan = Omit<v.InferOutput<typeof schema>, "tasks"> & {
  /** Levels of the built-in tasks. */
  readonly levels: readonly PlannedLevel[];
  /** Custom tasks, which the caller has to load. */
  readonly customTasks: readonly CustomTasks[];
};

/**
 * Parses the plan file of a run.
 *
 * @param where the file, for messages
 * @throws {CheckpointError} bytes that are not valid JSON
 * @throws {InputError} unknown keys, invalid values, or inconsistent values
 */
export function parsePolicyPlan(bytes: Uint8Array, where: string): PolicyPlan {
  const { tasks: chosen, ...plan } = parseOptions(schema, decodeJson(bytes, where), where);
  if (Object.values(plan.rewards).every((weight) => weight === 0)) {
    throw new InputError(`${where}: rewards: expected at least one weight above 0, got only zeros`);
  }
  checkPolicyOptions(plan.run, `${where}: run`);
  checkObjective(plan.objective, `${where}: objective`);
  const entries = chosen.map((task, i) => ({ ...task, at: `${where}: tasks.${i}` }));
  const bundled = entries.filter((task) => !("module" in task || "file" in task)) as BundledTask[];
  return { ...plan, levels: bundledLevels(bundled), customTasks: entries.filter((task) => "module" in task || "file" in task) };
}

/** Whether a plan needs a reference model. This is the case if it names one, or if its objective has a KL penalty. */
export function needsReference({ objective, reference }: PolicyPlan): boolean {
  return reference !== undefined || Number((objective as { klCoef?: unknown }).klCoef ?? 0) > 0;
}

/** Returns the objective of a plan, with its options bound. */
export function objectiveOf({ objective: { name, ...options } }: Pick<PolicyPlan, "objective">): (batch: PolicyBatch) => PolicyLoss {
  return (batch) => objectives[name]!(batch, options);
}

/** Creates a source of problems for every level of a plan. */
export function sourcesOf({ levels, rewards: weights, seed }: PolicyPlan, codec: Pick<Codec, "prompt">): ProblemSource[] {
  const weighted = (["correct", "format"] as const)
    .filter((name) => weights[name] > 0)
    .map((name) => [name, (response: AnsweredPuzzle) => weights[name] * rewards[name](response)] as const);
  return levels.map(({ task, level, weight }) => taskSource(task, level, codec, { seed, weight, rewards: Object.fromEntries(weighted) }));
}

/** A batch of one token. The objective is called with it to validate its options. */
const probeBatch: PolicyBatch = { logp: [[-1]], logpOld: [[-1]], logpRef: [[-1]], mask: [[1]], advantages: [1], groups: [0] };

/** Checks the name and the options of an objective. @throws {InputError} an unknown objective, or invalid options */
function checkObjective(objective: PolicyPlan["objective"], where: string): void {
  if (!Object.hasOwn(objectives, objective.name)) {
    const known = Object.keys(objectives).map((one) => JSON.stringify(one));
    throw new InputError(`${where}.name: expected one of ${known.join(", ")}, got ${printedJson(objective.name)}`);
  }
  withErrorPrefix(where, () => objectiveOf({ objective })(probeBatch));
}

type BundledTask = v.InferOutput<typeof bundledTask> & { readonly at: string };

function bundledLevels(chosen: readonly BundledTask[]): PlannedLevel[] {
  const named = [...tasks, ...moreTasks];
  const all = chosen.flatMap(({ name, levels, weight, at }) => {
    const task = named.find((one) => one.name === name);
    if (!task) {
      const known = named.map((one) => JSON.stringify(one.name)).join(", ");
      throw new InputError(
        `${at}.name: expected one of ${known}, got ${printedJson(name)} (for custom tasks use { "module": … } or { "file": …, "verifier": … })`,
      );
    }
    const beyond = levels?.find((level) => level > task.levels);
    if (beyond) throw new InputError(`${at}.levels: expected levels from 1 to ${task.levels}, got ${printed(beyond)}`);
    return (levels ?? Array.from({ length: task.levels }, (_, l) => l + 1)).map((level) => ({ task, level, weight, at }));
  });
  return checkDistinctLevels(all);
}

/** Checks that no level of a task occurs twice. @throws {InputError} a duplicate level */
export function checkDistinctLevels(levels: readonly (PlannedLevel & { readonly at: string })[]): PlannedLevel[] {
  const same = (one: PlannedLevel, other: PlannedLevel) => one.task.name === other.task.name && one.level === other.level;
  const twin = levels.find((level, i) => levels.findIndex((one) => same(one, level)) < i);
  if (twin) throw new InputError(`${twin.at}: expected each level at most once, got level ${twin.level} of ${twin.task.name} twice`);
  return levels.map(({ at: _, ...level }) => level);
}
