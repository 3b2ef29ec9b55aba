import * as v from "valibot";
import { followSignals, rejectOnAbort } from "../base/abort.js";
import { InputError } from "../base/errors.js";
import { count, expectArgument, isObjectLike, milliseconds, number, parseOptions, seedNumber, signal } from "../base/options.js";
import { plainJson } from "../base/plain-json.js";
import { Random } from "../base/random.js";
import type { StopReason } from "../generate/index.js";
import type { LanguageModel } from "../language-model.js";
import type { ChatMessage } from "../text/format-chat.js";
import type { AssistantMessage, Environment, Episode, Scores } from "./environment.js";
import { parseAnswer } from "./parse-answer.js";
import { openPlayer, type Turn } from "./player.js";
import { checkScores, type StopCondition, type Trace, type TraceNode, tracedTools, weightedRewards } from "./trace.js";
import type { MessageTokens } from "./turn-tokens.js";

/** How episodes are played. Defaults are in parentheses. */
export interface PlayOptions {
  /** Maximum number of the model's messages (40). */
  maxTurns?: number;
  /** Maximum number of tokens that the model generates in the whole episode (4096). */
  maxTokens?: number;
  /** Time limit of the episode in milliseconds, without the time of judging (none). */
  timeoutMs?: number;
  /** Sampling temperature (1). */
  temperature?: number;
  /** Probability mass of nucleus sampling (1). Log-probabilities are those of the full distribution at temperature 1. */
  topP?: number;
  /** Seed of sampling and of the environment, an integer within [0, 2^32). Random by default; the trace contains it. */
  seed?: number;
  /** Name of the model in the trace. */
  modelName?: string;
  /** Cancels the episode, which then throws the signal's reason. */
  signal?: AbortSignal;
}

export const playEntries = {
  maxTurns: v.optional(count, 40),
  maxTokens: v.optional(count, 4096),
  timeoutMs: v.optional(milliseconds, Number.POSITIVE_INFINITY),
  temperature: v.optional(
    number("a number of at least 0", (x) => x >= 0),
    1,
  ),
  topP: v.optional(number("a number within (0, 1]", (x) => x > 0 && x <= 1)),
  seed: v.optional(seedNumber),
  modelName: v.optional(v.string(), "model"),
  signal: v.optional(signal),
};
const schema = v.strictObject(playEntries);

/** @throws {InputError} an object without the methods of an environment */
export function expectEnvironment(where: string, environment: Environment<never>): void {
  const fits = isObjectLike(environment) && typeof environment.name === "string" && typeof environment.start === "function";
  expectArgument(where, fits, "an environment { name, start }", environment);
}

/**
 * Starts an episode. One that starts after the signal has aborted is disposed of.
 *
 * @throws {InputError} an environment that returns something else
 * @throws the signal's reason
 */
export async function startEpisode<Row extends object>(
  environment: Environment<Row>,
  row: Row,
  context: { readonly seed: number; readonly signal: AbortSignal },
): Promise<Episode> {
  const started = (async () => environment.start(row, context))();
  const episode = await rejectOnAbort(started, context.signal).catch((error: unknown) => {
    started.then((late) => late?.dispose?.()).catch(() => {});
    throw error;
  });
  const fits =
    isObjectLike(episode) && Array.isArray(episode.messages) && typeof episode.step === "function" && typeof episode.score === "function";
  expectArgument(`${environment.name}: start`, fits, "an episode { messages, step, score }", episode);
  return episode;
}

/**
 * Plays one episode: the model and the environment answer each other until the task is over or a limit is reached. Then the environment
 * judges the episode.
 *
 * A local model continues one session, so every token is computed once, and the trace has the exact ids that it saw and sampled. A
 * server without a tokenizer in this process gets messages, and the trace has no ids.
 *
 * An environment or a server that fails ends the episode without rewards; the trace has the error.
 *
 * @param row the task: plain JSON that the environment understands
 * @throws {InputError} invalid options or a row that is not an object
 * @throws the signal's reason, when the episode is cancelled
 */
export async function playEpisode<Row extends object>(
  model: LanguageModel,
  environment: Environment<Row>,
  row: Row,
  options: PlayOptions = {},
): Promise<Trace> {
  expectArgument("playEpisode: model", isObjectLike(model) && typeof model.generate === "function", "a model", model);
  expectEnvironment("playEpisode: environment", environment);
  const data = plainJson(row, "playEpisode: row") as Row & Record<string, unknown>;
  const { seed = Random.anySeed(), ...settings } = parseOptions(schema, options, "playEpisode");
  const { signal: outer = new AbortController().signal } = settings;
  outer.throwIfAborted();
  const controller = new AbortController();
  const unfollow = followSignals(controller, [outer]);
  const timeout = new DOMException(`the episode took longer than ${settings.timeoutMs} ms`, "TimeoutError");
  const timer = Number.isFinite(settings.timeoutMs) ? setTimeout(() => controller.abort(timeout), settings.timeoutMs) : undefined;
  const record = new Recorder();
  let episode: Episode | undefined;
  let stop: StopCondition = "error";
  let scores: Scores = { rewards: {} };
  let info: Trace["info"] = {};
  const fail = (error: unknown) => {
    stop = "error";
    scores = { rewards: Object.fromEntries(Object.keys(environment.weights ?? {}).map((name) => [name, null])) };
    record.fail(error);
  };
  try {
    episode = await startEpisode(environment, structuredClone(data), { seed, signal: controller.signal });
    try {
      stop = await converse(model, episode, record, { ...settings, seed, signal: controller.signal });
    } catch (error) {
      if (controller.signal.reason !== timeout) throw error;
      stop = "timeout";
    }
    clearTimeout(timer);
    const judged = checkScores(await rejectOnAbort(Promise.resolve(episode.score({ signal: outer })), outer), environment.name);
    info = plainJson(judged.info ?? {}, `${environment.name}: score: info`);
    scores = judged;
  } catch (error) {
    outer.throwIfAborted();
    fail(error);
  } finally {
    clearTimeout(timer);
    unfollow();
    await (async () => episode?.dispose?.())().catch(fail);
  }
  return {
    version: 1,
    task: { type: environment.name, data, key: keyOf(data), hash: await hashOf(data) },
    agent: {
      config: { seed, temperature: settings.temperature, max_turns: settings.maxTurns, max_tokens: settings.maxTokens },
      name: settings.modelName,
      trainable: true,
    },
    tools: tracedTools(episode?.tools ?? []),
    nodes: record.nodes,
    calls: [],
    rewards: weightedRewards(scores, environment.weights),
    metrics: { ...scores.metrics, turns: record.turns, tokens: record.tokens },
    info,
    stop_condition: stop,
    errors: record.errors,
    timing: { seconds: record.seconds },
  };
}

type Settings = Omit<v.InferOutput<typeof schema>, "seed" | "signal"> & { readonly seed: number; readonly signal: AbortSignal };

const ENDS: Readonly<Record<Exclude<StopReason, "eos" | "stop">, StopCondition>> = {
  length: "max_tokens",
  context: "context",
  repetition: "repetition",
};

/** Lets the model and the episode answer each other until the end. */
async function converse(model: LanguageModel, episode: Episode, record: Recorder, settings: Settings): Promise<StopCondition> {
  const player = openPlayer(model, episode.tools ?? [], settings.seed);
  const { temperature, topP, signal } = settings;
  try {
    let messages = episode.messages;
    for (let turns = 0; turns < settings.maxTurns; turns++) {
      const maxTokens = settings.maxTokens - record.tokens;
      if (maxTokens === 0) return "max_tokens";
      const turn = await player.turn(messages, { maxTokens, temperature, signal, ...(topP !== undefined && { topP }) });
      if (!turn) return "context";
      const answer = record.turn(messages, turn);
      if (turn.stop !== "eos" && turn.stop !== "stop") return ENDS[turn.stop];
      const reply = await rejectOnAbort(Promise.resolve(episode.step(answer, { signal })), signal);
      signal.throwIfAborted();
      expectArgument("environment: step", isObjectLike(reply) && Array.isArray(reply.messages), "{ messages, terminated }", reply);
      if (reply.terminated) {
        record.last(reply.messages);
        return "terminated";
      }
      if (reply.messages.length === 0) {
        throw new InputError(`environment: step: expected messages or terminated: true, got neither after turn ${turns + 1}`);
      }
      player.record(toChatMessage(answer));
      messages = reply.messages;
    }
    return "max_turns";
  } finally {
    player.dispose();
  }
}

const NO_TOKENS: MessageTokens = { ids: [], isContent: [] };

/** Collects the nodes of a trace. */
class Recorder {
  readonly nodes: TraceNode[] = [];
  readonly errors: { type: string; message: string; status_code: null; traceback: null }[] = [];
  turns = 0;
  tokens = 0;
  private calls = 0;
  private readonly began = performance.now();

  get seconds(): number {
    return (performance.now() - this.began) / 1000;
  }

  /** Adds the messages before an answer, and the answer. */
  turn(messages: readonly ChatMessage[], { context, ids, logp, text: sampled, tokens, stop }: Turn): AssistantMessage {
    for (const [i, message] of messages.entries()) this.add(message, context?.messages[i] ?? NO_TOKENS);
    this.turns++;
    this.tokens += tokens;
    const text = context?.insideThink ? `<think>${sampled}` : sampled;
    const answer = parseAnswer(text, () => `call_${this.calls++}`);
    const opening = context?.opening ?? [];
    this.add(toChatMessage(answer), { ids: opening, isContent: opening.map(() => false) }, { ids, logp, text, stop });
    return answer;
  }

  /** Adds messages that the model does not see, because the task is over. */
  last(messages: readonly ChatMessage[]): void {
    for (const message of messages) this.add(message, NO_TOKENS);
  }

  fail(error: unknown): void {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    this.errors.push({ type: name, message, status_code: null, traceback: null });
  }

  private add(message: ChatMessage, { ids, isContent }: MessageTokens, answer?: Pick<Turn, "ids" | "logp" | "text" | "stop">): void {
    const sampled = answer?.ids ?? [];
    this.nodes.push({
      parent: this.nodes.length === 0 ? null : this.nodes.length - 1,
      message: message as TraceNode["message"],
      sampled: answer !== undefined,
      timestamp: Date.now() / 1000,
      token_ids: [...ids, ...sampled],
      mask: [...ids.map(() => false), ...sampled.map(() => true)],
      is_content: [...isContent, ...sampled.map(() => true)],
      logprobs: [...(answer?.logp ?? [])],
      advantages: null,
      ...(answer && { text: answer.text, stop: answer.stop }),
    });
  }
}

/** An answer in the form of a message, with the arguments of its calls as JSON. */
function toChatMessage({ content, reasoning, toolCalls }: AssistantMessage): ChatMessage {
  return {
    role: "assistant",
    content,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map(({ id, name, arguments: given }) => ({
        id,
        type: "function",
        function: { name, arguments: JSON.stringify(given) },
      })),
    }),
  };
}

/** The id of a row, if it has one under a usual name; otherwise an empty text. */
function keyOf(row: object): string {
  const fields = row as Readonly<Record<string, unknown>>;
  const id = ["id", "instance_id", "task_id", "_id", "index"]
    .map((name) => fields[name])
    .find((value) => typeof value === "string" || typeof value === "number");
  return id === undefined ? "" : String(id);
}

/** Hash of a row that may not be plain JSON yet. @throws {InputError} a row that JSON cannot represent */
export async function hashRow(row: unknown, where: string): Promise<string> {
  return hashOf(plainJson(row, where));
}

/** SHA-256 of a row's JSON with sorted keys, as hexadecimal digits. */
async function hashOf(row: object): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(row));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** JSON with the keys of all objects in order. Equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`)
    .join(",")}}`;
}
