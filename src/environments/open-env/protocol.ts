// What clients and servers of OpenEnv send to each other (huggingface/OpenEnv, src/openenv/core/env_server, version 0.6.1 (development)).

/** Codes of errors. */
export type OpenEnvErrorCode =
  | "INVALID_JSON"
  | "UNKNOWN_TYPE"
  | "VALIDATION_ERROR"
  | "EXECUTION_ERROR"
  | "CAPACITY_REACHED"
  | "FACTORY_ERROR"
  | "SESSION_ERROR";

/** The answer to a reset or a step. */
export interface StepResult {
  readonly observation: Readonly<Record<string, unknown>>;
  /** Null if the step has no reward, or if it could not be judged. */
  readonly reward: number | null;
  readonly done: boolean;
}

/** A tool in the form of OpenAI's API. */
export interface FunctionTool {
  readonly type: "function";
  readonly function: { readonly name: string; readonly description: string; readonly parameters: Readonly<Record<string, unknown>> };
}

/** Why an episode of this library's server is over: the task is over, the limit of turns was reached, or the client ended it. */
export type ServedStop = "terminated" | "max_turns" | "ended";

/** Title of the action schema by which a client recognises a server of this library. */
export const ACTION_TITLE = "lightning-m1 message of the model";

/** A kind of task in the metadata of this library's server. */
export interface ServedEnvironmentInfo {
  readonly name: string;
  readonly description?: string;
  /** Number of rows. */
  readonly tasks: number;
  readonly weights: Readonly<Record<string, number>>;
}
