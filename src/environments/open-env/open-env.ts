import { InputError, RemoteError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import { sleep } from "../../io/retry.js";
import { Connection } from "../../remote/connection.js";
import type { ChatMessage } from "../../text/format-chat.js";
import type { AssistantMessage, Environment, Episode, Reply, Scores } from "../environment.js";
import { ToolError } from "../tools.js";
import { actionOf, messagesOf, observationMessage, toolsOf } from "./conversions.js";
import { EpisodeSocket, ServerError } from "./episode-socket.js";
import { type OpenEnvClientOptions, type OpenEnvClientSettings, parseClientOptions, parseServerUrl } from "./options.js";
import { ACTION_TITLE, type ServedEnvironmentInfo } from "./protocol.js";
import { SlotQueue } from "./slot-queue.js";

/** What a reset says. Servers of this library understand `index`, the number of a row; others may understand other fields. */
export type ResetRow = Readonly<Record<string, unknown>>;

/** An environment that runs on a server. */
export interface OpenEnvEnvironment extends Environment<ResetRow> {
  /** The tasks: one per row of a server of this library, otherwise one empty object, for a task that the seed chooses. */
  readonly rows: readonly ResetRow[];
}

/** Milliseconds before the first retry of a server without capacity. The delay doubles up to 16 times this. */
const FIRST_DELAY_MS = 250;

/**
 * Connects to a server of OpenEnv. The result is used like a local environment: each episode has a WebSocket connection of its own, and the
 * server computes the rewards.
 *
 * The reward of another program's server is the sum of the rewards of its steps, under the name `reward`. It is null if the server gave no
 * reward. If the server fails or cannot be reached, the episode ends without rewards.
 *
 * @param url address of the server, such as `http://127.0.0.1:8000`
 * @throws {InputError} an invalid address or option
 * @throws {RemoteError} a server that cannot be reached, or that does not describe its actions
 */
export async function openEnv(url: string | URL, options: OpenEnvClientOptions = {}): Promise<OpenEnvEnvironment> {
  const settings = parseClientOptions(options);
  const base = parseServerUrl(url);
  const signal = settings.signal ?? new AbortController().signal;
  const { apiKey, headers, connectTimeoutMs } = settings;
  const connection = new Connection(base, {
    ...{ apiKey, headers, timeoutMs: connectTimeoutMs, silenceMs: connectTimeoutMs, retries: 2, retryDelayMs: FIRST_DELAY_MS },
    fetch: (url, init) => fetch(url, init),
  });
  const schema = await connection.requestJson("schema", undefined, signal);
  const metadata = await connection.requestJson("metadata", undefined, signal).catch((error: unknown) => {
    // Not all servers have this path.
    if (error instanceof RemoteError && error.status === 404) return {};
    throw error;
  });
  const { action } = isObject(schema) ? schema : { action: undefined };
  if (!isObject(action)) throw new RemoteError(`openEnv: ${base.origin}${base.pathname}schema: expected { action }, got another answer`);
  const slots = new SlotQueue(settings.concurrency);
  if (action.title !== ACTION_TITLE) {
    const { name } = isObject(metadata) ? metadata : { name: undefined };
    const { toMessages = (observation) => [observationMessage(observation)], toAction = actionOf(action) } = settings;
    const kind: ServerKind = { environment: undefined, toMessages, toAction, toolsOf: () => [] };
    return {
      name: typeof name === "string" && name !== "" ? name : base.host,
      rows: [{}],
      start: (row, context) => startEpisode(base, settings, slots, kind, row, context),
    };
  }
  const info = chooseEnvironment(metadata, settings.environment);
  const kind: ServerKind = { environment: info.name, toMessages: messagesOf, toAction: ({ text }) => ({ text }), toolsOf };
  return {
    name: info.name,
    weights: info.weights,
    rows: Array.from({ length: info.tasks }, (_, index) => ({ index })),
    start: (row, context) => startEpisode(base, settings, slots, kind, row, context),
  };
}

/** How a server is talked to. */
interface ServerKind {
  /** Name of the environment on a server of this library. */
  readonly environment: string | undefined;
  readonly toMessages: NonNullable<OpenEnvClientSettings["toMessages"]>;
  readonly toAction: NonNullable<OpenEnvClientSettings["toAction"]>;
  readonly toolsOf: typeof toolsOf;
}

/** Finds an environment in the metadata of a server of this library. @throws {InputError} an unknown name, or none of several */
function chooseEnvironment(metadata: unknown, name: string | undefined): ServedEnvironmentInfo {
  const given = isObject(metadata) && Array.isArray(metadata.environments) ? (metadata.environments as unknown[]) : [];
  const known = given.filter((one): one is ServedEnvironmentInfo & Record<string, unknown> => {
    return isObject(one) && typeof one.name === "string" && Number.isSafeInteger(one.tasks) && isObject(one.weights);
  });
  const chosen = name === undefined && known.length === 1 ? known[0] : known.find((one) => one.name === name);
  if (chosen) return chosen;
  const names = known.map((one) => one.name).join(" or ");
  throw new InputError(`openEnv: environment: expected ${names}, got ${name === undefined ? "none" : JSON.stringify(name)}`);
}

async function startEpisode(
  base: URL,
  settings: OpenEnvClientSettings,
  slots: SlotQueue,
  kind: ServerKind,
  row: ResetRow,
  { seed, signal }: { readonly seed: number; readonly signal: AbortSignal },
): Promise<Episode> {
  const release = await slots.take(signal);
  try {
    const reset = { seed, ...(kind.environment !== undefined && { environment: kind.environment }), ...row };
    const { socket, data } = await connect(base, settings, reset, signal);
    return new RemoteEpisode(socket, kind, data, release);
  } catch (error) {
    release();
    throw error;
  }
}

/** Opens a connection and resets its episode. A server without capacity is asked again until `capacityTimeoutMs` have passed. */
async function connect(base: URL, settings: OpenEnvClientSettings, reset: object, signal: AbortSignal) {
  const end = performance.now() + settings.capacityTimeoutMs;
  for (let attempt = 0; ; attempt++) {
    const socket = await EpisodeSocket.open(base, settings, signal);
    try {
      return { socket, data: await socket.request({ type: "reset", data: reset }, signal) };
    } catch (error) {
      socket.close();
      const delay = FIRST_DELAY_MS * 2 ** Math.min(attempt, 4);
      if (!(error instanceof ServerError && error.code === "CAPACITY_REACHED")) throw error;
      if (performance.now() + delay > end) {
        throw new RemoteError(`${error.message} (waited ${settings.capacityTimeoutMs} ms: set concurrency to what the server allows)`);
      }
      await sleep(delay, signal);
    }
  }
}

/** An episode that runs on a server. */
class RemoteEpisode implements Episode {
  readonly messages: readonly ChatMessage[];
  readonly tools: Episode["tools"];
  private scores: Scores | undefined;
  /** Sum of the rewards so far. Null if there was none. */
  private total: number | null = null;

  constructor(
    private readonly socket: EpisodeSocket,
    private readonly kind: ServerKind,
    data: Record<string, unknown>,
    private readonly release: () => void,
  ) {
    const { observation, isDone } = this.read(data);
    if (isDone) throw socket.error("reset: expected an episode that begins, got one that is over");
    this.messages = this.toMessages(observation, true);
    this.tools = kind.toolsOf(observation);
  }

  async step(message: AssistantMessage, { signal }: { readonly signal: AbortSignal }): Promise<Reply> {
    try {
      const data = await this.socket.request({ type: "step", data: this.kind.toAction(message) }, signal);
      const { observation, isDone } = this.read(data);
      const messages = this.toMessages(observation, false);
      return isDone ? { messages, terminated: true } : { messages };
    } catch (error) {
      // The model wrote an invalid action and can correct it.
      const said =
        error instanceof ToolError
          ? error.message
          : error instanceof ServerError && error.code === "VALIDATION_ERROR" && this.kind.environment === undefined
            ? error.said
            : undefined;
      if (said === undefined) throw error;
      return { messages: [{ role: "user", content: `error: ${said}` }] };
    }
  }

  async score({ signal }: { readonly signal: AbortSignal }): Promise<Scores> {
    if (this.kind.environment !== undefined && !this.scores) {
      // A limit on this side ended the episode. The server judges it, unless a step whose answer came too late ended it there as well.
      const data = await this.socket.request({ type: "step", data: { end: true } }, signal).catch((error: unknown) => {
        if (error instanceof ServerError && error.code === "SESSION_ERROR" && this.socket.lateAnswer) return this.socket.lateAnswer;
        throw error;
      });
      this.read(data);
    }
    if (this.scores) return this.scores;
    if (this.kind.environment !== undefined) throw this.socket.error("expected the end of the episode, got another observation");
    return { rewards: { reward: this.total } };
  }

  dispose(): void {
    this.socket.close();
    this.release();
  }

  /** Reads an answer. Some servers have the reward and the end in the observation. */
  private read(data: Record<string, unknown>): { readonly observation: Record<string, unknown>; readonly isDone: boolean } {
    const observation = isObject(data.observation) ? data.observation : data;
    const reward = data.reward ?? observation.reward;
    if (typeof reward === "number" || typeof reward === "boolean") this.total = (this.total ?? 0) + Number(reward);
    const isDone = (data.done ?? observation.done) === true;
    if (isDone && this.kind.environment !== undefined) this.scores = this.scoresOf(observation);
    return { observation, isDone };
  }

  /** Reads the rewards of a server of this library. */
  private scoresOf({ rewards, metrics, truncated }: Record<string, unknown>): Scores {
    if (!isObject(rewards)) throw this.socket.error("expected rewards in the last observation, got none");
    const numbers = Object.entries(isObject(metrics) ? metrics : {}).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    );
    const scores = Object.entries(rewards).map(([name, reward]) => [name, isObject(reward) ? Number(reward.score) : null] as const);
    return {
      rewards: Object.fromEntries(scores),
      metrics: { ...Object.fromEntries(numbers), ...(truncated === true && { truncated: 1 }) },
    };
  }

  private toMessages(observation: Record<string, unknown>, isFirst: boolean): readonly ChatMessage[] {
    try {
      return this.kind.toMessages(observation, { isFirst });
    } catch (cause) {
      if (this.kind.environment === undefined) throw cause;
      throw this.socket.error(`${(cause as Error).message} in the observation, got another value`, { cause });
    }
  }
}
