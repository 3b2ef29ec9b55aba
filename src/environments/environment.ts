import type { ChatMessage, ToolCall } from "../text/format-chat.js";

/** A tool that a model may call. Its parameters are a JSON Schema of an object. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A call of a tool. The result of the tool names its id. */
export interface EpisodeCall extends ToolCall {
  readonly id: string;
}

/** What a model wrote in place of a call. */
export interface MalformedCall {
  readonly line: string;
  readonly error: string;
  readonly id?: string;
  readonly name?: string;
}

/** A message of the model, split into its parts. */
export interface AssistantMessage {
  /** The whole text, as the model wrote it. */
  readonly text: string;
  /** The text between `<think>` and `</think>`. Absent if there is none. */
  readonly reasoning?: string;
  /** The text without reasoning and tool calls. */
  readonly content: string;
  readonly toolCalls: readonly EpisodeCall[];
  /** What should be a call and is not, with the reason: lines of the text, or calls of a client with their `id` and `name`. */
  readonly malformed: readonly MalformedCall[];
}

/** What an episode returns after a message of the model. */
export interface Reply {
  /** What the model sees next: results of its tool calls, or a message of the user. */
  readonly messages: readonly ChatMessage[];
  /** Whether the task is over, so that the model does not answer again. */
  readonly terminated?: boolean;
}

/** The result of an episode. */
export interface Scores {
  /** Rewards by name. Null for a reward that could not be judged, which is not the same as 0. */
  readonly rewards: Readonly<Record<string, number | null>>;
  /** Other numbers by name. They do not affect training. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Other data of the episode as plain JSON. They become `info` of the trace. */
  readonly info?: Readonly<Record<string, unknown>>;
}

/** One attempt at a task. It has its own state, which no other episode shares and which ends with it. */
export interface Episode {
  /** What the model sees first. */
  readonly messages: readonly ChatMessage[];
  /** The tools that the model may call. */
  readonly tools?: readonly ToolDefinition[];
  /**
   * Takes a message of the model.
   *
   * @param options `signal` aborts when the episode is cancelled or out of time
   * @throws if the environment itself fails, for example if a sandbox does not start. The episode then ends without rewards
   */
  step(message: AssistantMessage, options: { readonly signal: AbortSignal }): Reply | Promise<Reply>;
  /** Judges the episode. Called once, after the last step, also if a limit ended the episode. */
  score(options: { readonly signal: AbortSignal }): Scores | Promise<Scores>;
  /** Frees what the episode holds. Called once, after everything else. */
  dispose?(): void | Promise<void>;
}

/** A kind of task. A row is the data of one task as plain JSON, which no episode may change. */
export interface Environment<Row extends object = object> {
  readonly name: string;
  /** Weights of the rewards by name (1 each). The reward of an episode is the weighted sum. */
  readonly weights?: Readonly<Record<string, number>>;
  /**
   * Starts an episode.
   *
   * @param options `seed` of everything that is random in the episode; `signal` as in `step`
   */
  start(row: Row, options: { readonly seed: number; readonly signal: AbortSignal }): Episode | Promise<Episode>;
}
