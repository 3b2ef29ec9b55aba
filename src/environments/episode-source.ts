import * as v from "valibot";
import { InputError, LightningError } from "../base/errors.js";
import { expectArgument, number, parseOptions } from "../base/options.js";
import type { LanguageModel } from "../language-model.js";
import type { EpisodeProblem, PlayedEpisode, ProblemSource } from "../rl/index.js";
import type { Environment } from "./environment.js";
import { expectEnvironment, type PlayOptions, playEntries, playEpisode } from "./play.js";
import { checkTrace, isTruncated, type Trace, totalReward, traceSequence } from "./trace.js";

/** Options of {@link episodeSource}. Defaults are in parentheses. */
export interface EpisodeSourceOptions extends Pick<PlayOptions, "maxTurns" | "timeoutMs"> {
  /** Weight relative to the other sources of a run (1). */
  weight?: number;
  /** Returns whether an episode counts as right, for pass rates and dynamic sampling (a total reward of at least 1). */
  isRight?: (trace: Trace) => boolean;
  /** Receives the trace of each episode. */
  onTrace?: (trace: Trace) => void;
}

const schema = v.strictObject({
  maxTurns: playEntries.maxTurns,
  timeoutMs: playEntries.timeoutMs,
  weight: v.optional(number("a number within [0, 1e9]", (x) => x >= 0 && x <= 1e9)),
  isRight: v.optional(v.custom<(trace: Trace) => boolean>((x) => typeof x === "function", "a function")),
  onTrace: v.optional(v.custom<(trace: Trace) => void>((x) => typeof x === "function", "a function")),
});

/** Returns whether the total reward of an episode is at least 1. */
const earnsAll = (trace: Trace): boolean => (totalReward(trace) ?? 0) >= 1;

/**
 * Creates a source of episodes for `trainPolicy`. Problem i is an episode of row i, modulo the number of rows. The policy learns the tokens
 * that it sampled in all turns; messages of the environment are context.
 *
 * @throws {InputError} an invalid environment or invalid options, or no rows
 */
export function episodeSource<Row extends object>(
  environment: Environment<Row>,
  rows: readonly Row[],
  options: EpisodeSourceOptions = {},
): ProblemSource<EpisodeProblem> {
  expectEnvironment("episodeSource: environment", environment);
  expectArgument("episodeSource: rows", Array.isArray(rows), "an array of rows", rows);
  if (rows.length === 0) throw new InputError("episodeSource: rows: expected at least one, got none");
  const { weight, isRight = earnsAll, onTrace, ...limits } = parseOptions(schema, options, "episodeSource");
  return {
    name: environment.name,
    ...(weight !== undefined && { weight }),
    problem: (index) => ({
      play: async (model, sampling) => {
        const trace = await playEpisode(model as unknown as LanguageModel, environment, rows[index % rows.length]!, {
          ...limits,
          ...sampling,
        });
        onTrace?.(trace);
        return playedEpisode(trace, isRight);
      },
    }),
  };
}

/**
 * Creates a source of recorded episodes for `trainPolicy`, which then learns without playing. The traces of one task form a group, in the
 * order in which they come. Train with the `groupSize` with which they were played.
 *
 * @throws {InputError} no traces
 */
export function traceSource(
  traces: readonly Trace[],
  options: Pick<EpisodeSourceOptions, "isRight" | "weight"> = {},
): ProblemSource<EpisodeProblem> {
  expectArgument("traceSource: traces", Array.isArray(traces), "an array of traces", traces);
  if (traces.length === 0) throw new InputError("traceSource: traces: expected at least one, got none");
  for (const [i, trace] of traces.entries()) checkTrace(trace, `traceSource: traces[${i}]`);
  const { weight, isRight = earnsAll } = parseOptions(schema, options, "traceSource");
  const byTask = new Map<string, Trace[]>();
  for (const trace of traces) byTask.set(trace.task.hash, [...(byTask.get(trace.task.hash) ?? []), trace]);
  const groups = [...byTask.values()];
  return {
    name: traces[0]!.task.type,
    ...(weight !== undefined && { weight }),
    problem: (index) => {
      const group = groups[index % groups.length]!;
      let next = 0;
      return {
        play: async () => {
          const trace = group[next++];
          if (!trace) throw new InputError(`traceSource: expected groupSize of at most ${group.length}, the traces of a task, got more`);
          return playedEpisode(trace, isRight);
        },
      };
    },
  };
}

/** Converts a trace into what `trainPolicy` learns from. */
function playedEpisode(trace: Trace, isRight: (trace: Trace) => boolean): PlayedEpisode {
  const { ids, mask, logp } = traceSequence(trace);
  const [failure] = trace.errors;
  if (logp.length === 0 && !failure) {
    throw new InputError(`${trace.task.type}: expected token ids of the policy, got a trace without (the model needs a tokenizer)`);
  }
  // An episode that failed before the first token has nothing to learn from, but keeps its place in the group.
  const first = logp.length === 0 ? ids.length : mask.indexOf(true);
  const total = totalReward(trace);
  const components = Object.fromEntries(
    Object.entries(trace.rewards).map(([name, reward]) => [name, reward === null ? null : reward.score * reward.weight]),
  );
  return {
    prompt: ids.length === 0 ? [0] : ids.slice(0, first),
    ids: ids.slice(first),
    mask: mask.slice(first),
    logp: Float64Array.from(logp),
    text: trace.nodes.map(({ text }) => text ?? "").join("\n"),
    stop: trace.stop_condition === "repetition" ? "repetition" : isTruncated(trace) ? "length" : "eos",
    judged: total === null ? null : { correct: isRight(trace), total, components },
    ...(failure && { error: new LightningError(`${trace.task.type}: ${failure.type}: ${failure.message}`) }),
  };
}
