import * as v from "valibot";
import { InputError, LightningError } from "../../base/errors.js";
import { count, expectArgument, isObjectLike, number, parseOptions, SEED_LIMIT, seedNumber, signal } from "../../base/options.js";
import type { GenerateOptions, Generation } from "../../generate/index.js";
import { heldOut, type Puzzle } from "../data/puzzle.js";
import { callJudges, type JudgeCall, type JudgingOptions, type JudgingSettings, judgingOptions } from "../rewards/judging.js";
import { callVerifier, extractAnswer, judgeAsync, type Task, type Verifiable } from "../tasks/task.js";
import { blindGuesses, type Guess, majorityGuesses } from "./baselines.js";

/** Who answers: what `MiniMaxM1` is. */
export interface Solver {
  generateBatch(
    inputs: readonly (readonly { readonly role: "user"; readonly content: string }[])[],
    options: GenerateOptions,
  ): Pick<Generation, typeof Symbol.asyncIterator>;
}

/** A task whose verifier may ask a server or a sandbox. */
export type EvaluatedTask<Instance = unknown> = Omit<Task<Instance>, "verify"> & Pick<Verifiable<Instance>, "verify">;

/** Which puzzles, and how they are answered. */
export interface EvaluateOptions {
  tasks: readonly EvaluatedTask[];
  /** Held-out instances for each level of each task (50). */
  perLevel?: number;
  /** Chooses the instances, and the tokens where they are sampled: those of the i-th instance of a level by seed + i. */
  seed?: number;
  /** 0 is greedy; 1, the default, is what MiniMax recommends, with `topP` 0.95. */
  temperature?: number;
  topP?: number;
  /** Most tokens of a response (512). */
  maxTokens?: number;
  /** Responses at a time (64). */
  batch?: number;
  /** How many verifiers are called at a time, how often and how long: for verifiers that ask a server. */
  judging?: JudgingOptions;
  signal?: AbortSignal;
}

const answerEntries = {
  seed: v.optional(seedNumber, 1),
  temperature: v.optional(
    number("a number of at least 0", (x) => x >= 0),
    1,
  ),
  topP: v.optional(
    number("a number within (0, 1]", (x) => x > 0 && x <= 1),
    0.95,
  ),
  maxTokens: v.optional(count, 512),
  batch: v.optional(count, 64),
  judging: v.optional(judgingOptions, {}),
  signal: v.optional(signal),
};

const answerSchema = v.strictObject(answerEntries);
const schema = v.strictObject({
  tasks: v.custom<readonly EvaluatedTask[]>((x) => Array.isArray(x) && x.length > 0, "one or more tasks"),
  perLevel: v.optional(
    number("an integer within [1, 100,000]", (x) => Number.isInteger(x) && x >= 1 && x <= 100_000),
    50,
  ),
  ...answerEntries,
});

/** How puzzles were answered: shares of them. */
export interface Answers {
  /** Right answers, of those that were judged. */
  readonly accuracy: number;
  /** Responses that have the form. */
  readonly formatted: number;
  /** Mean number of tokens of a response. */
  readonly tokens: number;
  /** How many answers no judgement came for; missing if all were judged. */
  readonly unjudged?: number;
}

/** How a level of a task went. Shares of its instances. */
export interface Score extends Answers {
  readonly task: string;
  readonly level: number;
  readonly instances: number;
  /** Right answers by blind guessing: expected, from 20 guesses for each instance. */
  readonly blind: number;
  /** Right answers by always giving the same one: the most frequent among instances that are not held out. */
  readonly majority: number;
}

/**
 * Puts held-out puzzles to a model, level by level, and judges its responses; a score comes as soon as its level is done. By default at temperature 1 with top-p 0.95, as the
 * report evaluates (section 6.1).
 *
 * @throws {InputError} options that do not fit
 */
export async function* evaluateTasks(model: Solver, options: EvaluateOptions): AsyncGenerator<Score> {
  const { tasks, perLevel, ...rest } = parseOptions(schema, options, "evaluateTasks");
  const { seed, judging, signal } = rest;
  for (const given of tasks) {
    // Instances and guesses are those of any task; verifiers are called by `callJudges` alone.
    const task = given as Task;
    for (let level = 1; level <= task.levels; level++) {
      const puzzles = heldOut(task, level, perLevel, seed);
      const { accuracy, formatted, ...answers } = await answerPuzzles(model, puzzles, rest);
      const right = (guesses: readonly Guess[]) => guessAccuracy(given, guesses, judging, signal);
      const baselines = {
        blind: await right(blindGuesses(task, puzzles, seed)),
        majority: await right(majorityGuesses(task, level, puzzles, seed)),
      };
      yield { task: task.name, level, instances: puzzles.length, accuracy, formatted, ...baselines, ...answers };
    }
  }
}

/**
 * Puts puzzles to a model and judges its responses, which are sampled as those of `evaluateTasks`: the i-th with the seed `seed` + i.
 *
 * @throws {InputError} no puzzles, or options that do not fit
 */
export async function answerPuzzles(
  model: Solver,
  puzzles: readonly Puzzle[],
  options: Omit<EvaluateOptions, "tasks" | "perLevel"> = {},
): Promise<Answers> {
  expectArgument("answerPuzzles: model", isObjectLike(model), "a model", model);
  expectArgument("answerPuzzles: puzzles", Array.isArray(puzzles), "an array of puzzles", puzzles);
  const { seed, temperature, topP, maxTokens, batch, judging, signal } = parseOptions(answerSchema, options, "answerPuzzles");
  if (!Array.isArray(puzzles) || puzzles.length === 0) throw new InputError("answerPuzzles: puzzles: expected at least one, got none");
  const calls: JudgeCall<boolean>[] = [];
  const sampling = temperature === 0 ? { temperature } : { temperature, topP };
  let [formattedResponses, tokens] = [0, 0];
  for (let begin = 0; begin < puzzles.length; begin += batch) {
    const some = puzzles.slice(begin, begin + batch);
    const inputs = some.map(({ task, instance }) => [{ role: "user", content: task.question(instance) }] as const);
    const texts = some.map(() => "");
    for await (const { index, text } of model.generateBatch(inputs, {
      ...sampling,
      maxTokens,
      seed: (seed + begin) % SEED_LIMIT,
      signal,
    })) {
      texts[index] += text;
      tokens++;
    }
    for (const [i, { task, instance }] of some.entries()) {
      formattedResponses += Number(extractAnswer(task, texts[i]!) !== undefined);
      calls.push(async (aborted) => (await judgeAsync(task, instance, texts[i]!, aborted)).correct);
    }
  }
  const { right, failed } = await countRight(calls, judging, signal, "answerPuzzles");
  const share = (n: number) => n / puzzles.length;
  return {
    accuracy: right / (puzzles.length - failed),
    formatted: share(formattedResponses),
    tokens: share(tokens),
    ...(failed > 0 && { unjudged: failed }),
  };
}

/**
 * How many verdicts are right, and how many never came.
 *
 * @throws {LightningError} none came
 */
async function countRight(
  calls: readonly JudgeCall<boolean>[],
  judging: JudgingSettings,
  signal: AbortSignal | undefined,
  where: string,
): Promise<{ readonly right: number; readonly failed: number }> {
  const outcomes = await callJudges(calls, judging, signal);
  const failures = outcomes.filter(({ error }) => error);
  if (failures.length === outcomes.length) {
    const cause = failures[0]!.error!;
    throw new LightningError(
      `${where}: none of ${outcomes.length} answers was judged; the first failed with: ${cause.message} (check the verifier; judging sets how often, how long and how many at a time it is asked)`,
      { cause },
    );
  }
  return { right: outcomes.filter(({ value }) => value).length, failed: failures.length };
}

function guessAccuracy(
  task: EvaluatedTask,
  guesses: readonly Guess[],
  judging: JudgingSettings,
  signal: AbortSignal | undefined,
): Promise<number> {
  const calls = guesses.map(
    ([{ instance }, answer]): JudgeCall<boolean> =>
      (aborted) =>
        callVerifier(task, instance, answer, aborted),
  );
  return countRight(calls, judging, signal, "evaluateTasks").then(({ right, failed }) => right / (guesses.length - failed));
}

/** The mean of `accuracy` over all levels of all tasks. */
export function meanAccuracy(scores: readonly Pick<Score, "accuracy">[]): number {
  expectArgument("meanAccuracy: scores", Array.isArray(scores), "an array of scores", scores);
  return scores.reduce((sum, { accuracy }) => sum + accuracy, 0) / scores.length;
}
