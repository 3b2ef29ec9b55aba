import * as v from "valibot";
import { followSignals } from "../base/abort.js";
import { count, expectArgument, parseOptions, SEED_LIMIT } from "../base/options.js";
import { Random } from "../base/random.js";
import type { LanguageModel } from "../language-model.js";
import type { Environment } from "./environment.js";
import { expectEnvironment, hashRow, type PlayOptions, playEntries, playEpisode } from "./play.js";
import { checkTrace, type Trace } from "./trace.js";

/** Options of {@link playEpisodes}. Defaults are in parentheses. */
export interface PlayEpisodesOptions extends PlayOptions {
  /** Number of episodes of each row (1). */
  samples?: number;
  /** Maximum number of episodes at a time (16). Episodes of a local model share its forward passes; each needs memory for its state. */
  concurrency?: number;
  /** Traces of an earlier call with the same rows. Their episodes are not played again. */
  finished?: readonly Trace[];
}

const schema = v.strictObject({
  ...playEntries,
  samples: v.optional(count, 1),
  concurrency: v.optional(count, 16),
  finished: v.optional(v.custom<readonly Trace[]>(Array.isArray, "an array of traces"), []),
});

/**
 * Plays several episodes of each row, many at a time, and yields their traces as they finish. The `info` of a trace has the numbers of its
 * `row` and its `sample`. The seed of an episode is `seed` + row · samples + sample, so its result does not depend on the others.
 *
 * Leaving the loop cancels the running episodes.
 *
 * @throws {InputError} invalid options or rows
 * @throws the signal's reason, when the call is cancelled
 */
export async function* playEpisodes<Row extends object>(
  model: LanguageModel,
  environment: Environment<Row>,
  rows: readonly Row[],
  options: PlayEpisodesOptions = {},
): AsyncGenerator<Trace, void, undefined> {
  expectEnvironment("playEpisodes: environment", environment);
  expectArgument("playEpisodes: rows", Array.isArray(rows), "an array of rows", rows);
  const parsed = parseOptions(schema, options, "playEpisodes");
  const { samples, concurrency, finished, signal, seed = Random.anySeed(), topP, ...limits } = parsed;
  const done = new Set(finished.map((trace, i) => episodeKey(checkTrace(trace, `playEpisodes: finished[${i}]`))));
  const controller = new AbortController();
  const unfollow = followSignals(controller, [signal]);
  const running = new Map<number, Promise<{ readonly id: number; readonly trace: Trace }>>();
  const play = async (id: number, row: number, sample: number) => {
    const own = { ...limits, ...(topP !== undefined && { topP }), seed: (seed + id) % SEED_LIMIT, signal: controller.signal };
    const trace = await playEpisode(model, environment, rows[row]!, own);
    return { id, trace: { ...trace, info: { ...trace.info, row, sample } } };
  };
  const next = async () => {
    const { id, trace } = await Promise.race(running.values());
    running.delete(id);
    return trace;
  };
  try {
    for (const [row, data] of rows.entries()) {
      const hash = await hashRow(data, `playEpisodes: rows[${row}]`);
      for (let sample = 0; sample < samples; sample++) {
        if (done.has(keyOf(hash, row, sample))) continue;
        const id = row * samples + sample;
        const playing = play(id, row, sample);
        // An episode may fail while the caller works on another trace. The error is thrown when its turn comes.
        playing.catch(() => {});
        running.set(id, playing);
        if (running.size >= concurrency) yield await next();
      }
    }
    while (running.size > 0) yield await next();
  } finally {
    controller.abort(new DOMException("the loop over the episodes was left", "AbortError"));
    await Promise.allSettled(running.values());
    unfollow();
  }
}

const keyOf = (hash: string, row: unknown, sample: unknown): string => JSON.stringify([hash, row, sample]);

/** Identifies the episode of a trace: row, its number, and sample. */
const episodeKey = ({ task, info }: Trace): string => keyOf(task.hash, info.row, info.sample);
