import { followSignals, rejectOnAbort } from "../../base/abort.js";
import { InputError } from "../../base/errors.js";
import type { Environment, Episode, Reply } from "../../environments/environment.js";
import type { FunctionTool, ServedStop, StepResult } from "../../environments/open-env/protocol.js";
import { checkScores, totalReward, weightedRewards } from "../../environments/trace.js";
import type { ChatMessage } from "../../text/format-chat.js";
import type { Action } from "./actions.js";
import { OpenEnvError } from "./open-env-error.js";

/** What an episode is started with. */
export interface EpisodeSetup {
  readonly id: string;
  readonly environment: Environment;
  readonly row: object;
  /** Number of the row. Null if the client sent the row. */
  readonly index: number | null;
  readonly seed: number;
  readonly maxTurns: number;
  readonly timeoutMs: number;
  /** Receives errors of the environment, which clients do not see. */
  readonly onError: (error: unknown) => void;
}

/** Limits and name of a single step. */
export interface StepOptions {
  readonly timeoutMs: number;
  /** If the last step had this name, its result is returned again, so that a client can repeat a request whose answer it lost. */
  readonly requestId?: string | undefined;
}

/** An episode that a client drives step by step. Steps of one episode never overlap. */
export class ServedEpisode {
  private readonly controller = new AbortController();
  private episode: Episode | undefined;
  private isBusy = false;
  private calls = 0;
  private stepCount = 0;
  private stop: ServedStop | null = null;
  private hasFailed = false;
  private last: { readonly requestId: string; readonly result: StepResult } | undefined;

  constructor(private readonly setup: EpisodeSetup) {}

  /**
   * Starts the episode.
   *
   * @returns its first observation
   * @throws {OpenEnvError} the environment fails, takes too long, or refuses a row of the client
   */
  start(): Promise<StepResult> {
    const { environment, row, seed, index, timeoutMs } = this.setup;
    return this.run(timeoutMs, async (signal) => {
      // Not a direct call, so that an environment that throws at once is handled in the same way.
      const starting = Promise.resolve().then(() => environment.start(structuredClone(row), { seed, signal }));
      // An episode that starts too late is freed at once.
      starting.then(
        (episode) => {
          if (signal.aborted) void this.free(episode);
        },
        () => {},
      );
      const { messages, tools = [] } = await rejectOnAbort(starting, signal).then(
        (episode) => {
          this.episode = episode;
          return episode;
        },
        (error: unknown) => {
          if (error instanceof InputError && index === null) throw new OpenEnvError("VALIDATION_ERROR", 422, error.message);
          throw error;
        },
      );
      return { observation: { ...this.observation(messages), tools: tools.map(asFunction) }, reward: null, done: false };
    });
  }

  get id(): string {
    return this.setup.id;
  }

  /** Whether it is over, judged or failed, and holds no resources. */
  get isOver(): boolean {
    return this.stop !== null || this.hasFailed;
  }

  /** Whether a step runs. */
  get isRunning(): boolean {
    return this.isBusy;
  }

  get state() {
    const { id, environment, index } = this.setup;
    return {
      episode_id: id,
      step_count: this.stepCount,
      environment: environment.name,
      index,
      done: this.isOver,
      stop_condition: this.stop,
    };
  }

  /**
   * Gives a message of the model to the environment, or ends the episode. The last step of an episode has its reward.
   *
   * @throws {OpenEnvError} a step that runs, an episode that is over, or an environment that fails
   */
  async step(action: Action, { timeoutMs, requestId }: StepOptions): Promise<StepResult> {
    if (this.isBusy) throw new OpenEnvError("SESSION_ERROR", 409, "step: another step of this episode is running; wait for its answer");
    if (requestId !== undefined && this.last?.requestId === requestId) return this.last.result;
    if (this.isOver) throw new OpenEnvError("SESSION_ERROR", 409, "step: the episode is over; reset starts another one");
    const result = await this.run(Math.min(timeoutMs, this.setup.timeoutMs), (signal) => this.advance(action, signal));
    this.last = requestId === undefined ? undefined : { requestId, result };
    return result;
  }

  /** Ends the episode without judging it. */
  async close(): Promise<void> {
    this.hasFailed ||= this.stop === null;
    this.controller.abort(new OpenEnvError("SESSION_ERROR", 409, "the episode was closed"));
    const { episode } = this;
    this.episode = undefined;
    await this.free(episode);
  }

  private async advance(action: Action, signal: AbortSignal): Promise<StepResult> {
    const episode = this.episode!;
    const { setup } = this;
    let messages: readonly ChatMessage[] = [];
    let stop: ServedStop | null = "ended";
    if (action.kind === "message") {
      const answer = action.message(() => `call_${this.calls++}`);
      const reply: Reply = await rejectOnAbort(Promise.resolve(episode.step(answer, { signal })), signal);
      signal.throwIfAborted();
      ({ messages } = reply);
      this.stepCount++;
      stop = reply.terminated ? "terminated" : this.stepCount >= setup.maxTurns ? "max_turns" : null;
      if (stop === null && messages.length === 0) throw new InputError(`${setup.environment.name}: step: expected messages, got none`);
    }
    if (stop === null) return { observation: this.observation(messages), reward: null, done: false };
    const scores = checkScores(await rejectOnAbort(Promise.resolve(episode.score({ signal })), signal), setup.environment.name);
    const rewards = weightedRewards(scores, setup.environment.weights);
    const reward = totalReward({ rewards });
    this.stop = stop;
    const observation = { ...this.observation(messages), rewards, metrics: scores.metrics ?? {} };
    await this.close();
    return { observation, reward, done: true };
  }

  private observation(messages: readonly ChatMessage[]) {
    const { stop } = this;
    return {
      episode_id: this.setup.id,
      messages,
      stop_condition: stop,
      terminated: stop === "terminated",
      truncated: stop !== null && stop !== "terminated",
    };
  }

  /** Runs a part of the episode within a time limit. If it fails, the episode is over and not judged. */
  private async run<T>(timeoutMs: number, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const unfollow = followSignals(controller, [this.controller.signal]);
    const late = new OpenEnvError("EXECUTION_ERROR", 504, `the environment took longer than ${timeoutMs / 1000} s; the episode is over`);
    const timer = setTimeout(() => controller.abort(late), Math.min(timeoutMs, MAX_TIMER_MS));
    this.isBusy = true;
    try {
      return await body(controller.signal);
    } catch (cause) {
      // The environment's state is unknown now. An episode that the client closed has ended already.
      const wasClosed = this.isOver;
      await this.close();
      if (cause instanceof OpenEnvError) throw cause;
      if (!wasClosed) this.setup.onError(cause);
      throw new OpenEnvError("EXECUTION_ERROR", 500, "the environment failed; the server's log has the details", {}, { cause });
    } finally {
      clearTimeout(timer);
      unfollow();
      this.isBusy = false;
    }
  }

  private async free(episode: Episode | undefined): Promise<void> {
    try {
      await episode?.dispose?.();
    } catch (error) {
      this.setup.onError(error);
    }
  }
}

/** The longest delay of `setTimeout`. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A tool in the form of OpenAI's API. */
const asFunction = ({ name, description, parameters }: NonNullable<Episode["tools"]>[number]): FunctionTool => ({
  type: "function",
  function: { name, description, parameters },
});
