import * as v from "valibot";
import { InputError, LightningError } from "../../base/errors.js";
import { count, expectArgument, number, parseOptions, SEED_LIMIT, seedNumber, signal } from "../../base/options.js";
import type { GenerateOptions, Generation } from "../../generate/index.js";
import { expectMethods, expectNumber } from "../arguments.js";
import { heldOut, type Puzzle } from "../data/puzzle.js";
import { callJudges, type JudgeCall, type JudgingOptions, type JudgingSettings, judgingOptions } from "../rewards/judging.js";
import { callVerifier, extractAnswer, judgeAsync, type Task, type Verifiable } from "../tasks/task.js";
import { blindGuesses, type Guess, majorityGuesses } from "./baselines.js";

/** A model that answers questions, such as `MiniMaxM1` or `RemoteModel`. */
export interface Solver {
  generateBatch(
    inputs: readonly (readonly { readonly role: "user"; readonly content: string }[])[],
    options: GenerateOptions,
  ): Pick<Generation, typeof Symbol.asyncIterator>;
}

/** A task whose verifier may be asynchronous and call a server or a sandbox. */
export type EvaluatedTask<Instance = unknown> = Omit<Task<Instance>, "verify"> & Pick<Verifiable<Instance>, "verify">;

/** Which puzzles to evaluate on, and how answers are sampled and judged. */
export interface EvaluateOptions {
  /** The tasks to evaluate on, with all their levels. */
  tasks: readonly EvaluatedTask[];
  /** Number of held-out instances per level of each task (50). */
  perLevel?: number;
  /** Seed (1). It selects the instances. The response to the i-th instance of a level is sampled with the seed plus i. */
  seed?: number;
  /** Sampling temperature (1); 0 is greedy decoding. MiniMax recommends 1 with `topP` 0.95. */
  temperature?: number;
  /** Probability mass of nucleus sampling (0.95). */
  topP?: number;
  /** Maximum number of tokens of a response (512). */
  maxTokens?: number;
  /** Number of responses that are generated together (64). */
  batch?: number;
  /** Concurrency, retries and time limits of verifier calls. */
  judging?: JudgingOptions;
  /** Cancels the evaluation. */
  signal?: AbortSignal;
}

/** Schema entries of the options for sampling answers, and their defaults. */
export const samplingEntries = {
  seed: v.optional(seedNumber, 1),
  temperature: v.optional(
    number("a number of at least 0", (x) => x >= 0),
    1,
  ),
  topP: v.optional(
    number("a number within (0, 1]", (x) => x > 0 && x <= 1),
    0.95,
  ),
  signal: v.optional(signal),
};

const answerEntries = {
  ...samplingEntries,
  maxTokens: v.optional(count, 512),
  batch: v.optional(count, 64),
  judging: v.optional(judgingOptions, {}),
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

/** Statistics of the answers to a set of puzzles. */
export interface Answers {
  /** Share of right answers among all judged answers (pass@1, with one response per puzzle). */
  readonly accuracy: number;
  /** Share of responses with a well-formed answer. */
  readonly formatted: number;
  /** Mean number of tokens of a response. */
  readonly tokens: number;
  /** Number of answers that could not be judged. Missing if all were judged. */
  readonly unjudged?: number;
}

/** The result of one level of a task. */
export interface Score extends Answers {
  /** Name of the task. */
  readonly task: string;
  /** Level, from 1 on. */
  readonly level: number;
  /** Number of instances. */
  readonly instances: number;
  /** Baseline: accuracy of blind guessing, estimated from 20 guesses per instance. */
  readonly blind: number;
  /** Baseline: accuracy of always giving the most frequent answer among training instances. */
  readonly majority: number;
}

/**
 * Evaluates a model on held-out puzzles, level by level, and yields the score of each level as soon as it is complete. The defaults are
 * temperature 1 and top-p 0.95, as in the M1 report (section 6.1).
 *
 * @throws {InputError} invalid options, or a level with fewer held-out instances than `perLevel`
 * @throws {LightningError} no answer of a level could be judged
 */
export async function* evaluateTasks(model: Solver, options: EvaluateOptions): AsyncGenerator<Score> {
  const { tasks, perLevel, ...rest } = parseOptions(schema, options, "evaluateTasks");
  const { seed, judging, signal } = rest;
  for (const [i, given] of tasks.entries()) {
    expectMethods(`evaluateTasks: tasks[${i}]`, given, "a task", ["generate", "question", "solve", "verify", "guess"]);
    // The verifier may be asynchronous, but only `callJudges` calls it. Everything else is used like a synchronous task.
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
 * Evaluates a model on given puzzles. The options are those of {@link evaluateTasks}; the response to puzzle i uses the seed `seed` + i.
 *
 * @throws {InputError} no puzzles, or invalid options
 * @throws {LightningError} no answer could be judged
 */
export async function answerPuzzles(
  model: Solver,
  puzzles: readonly Puzzle[],
  options: Omit<EvaluateOptions, "tasks" | "perLevel"> = {},
): Promise<Answers> {
  expectMethods("answerPuzzles: model", model, "a model", ["generateBatch"]);
  expectArgument("answerPuzzles: puzzles", Array.isArray(puzzles), "an array of puzzles", puzzles);
  const { seed, temperature, topP, maxTokens, batch, judging, signal } = parseOptions(answerSchema, options, "answerPuzzles");
  if (puzzles.length === 0) throw new InputError("answerPuzzles: puzzles: expected at least one puzzle, got none");
  for (const [i, puzzle] of puzzles.entries()) {
    expectMethods(`answerPuzzles: puzzles[${i}].task`, puzzle?.task, "a task", ["question", "verify"]);
  }
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
 * Counts the right answers and the failed calls.
 *
 * @throws {LightningError} all calls failed
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
      `${where}: none of ${outcomes.length} answers was judged; the first call failed with: ${cause.message} (check the verifier; the option judging sets retries, time limit and concurrency)`,
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

/** Returns the mean of `accuracy` over all scores. Each level of each task has the same weight. */
export function meanAccuracy(scores: readonly Pick<Score, "accuracy">[]): number {
  expectArgument("meanAccuracy: scores", Array.isArray(scores), "an array of scores", scores);
  for (const [i, score] of scores.entries()) expectNumber(`meanAccuracy: scores[${i}].accuracy`, score?.accuracy, "a number", () => true);
  return scores.reduce((sum, { accuracy }) => sum + accuracy, 0) / scores.length;
}
