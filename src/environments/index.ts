/**
 * Environments: tasks that a model solves in several turns, with tools, under limits, with rewards that a program judges.
 * {@link playEpisode} lets a model and an {@link Environment} answer each other and records a {@link Trace}.
 *
 * @module lightning-m1/environments
 */

export { encodeTrace } from "./encode-trace.js";
export type { AssistantMessage, Environment, Episode, EpisodeCall, MalformedCall, Reply, Scores, ToolDefinition } from "./environment.js";
export { type EpisodeSourceOptions, episodeSource, traceSource } from "./episode-source.js";
export * from "./long-context/index.js";
export { type OpenEnvEnvironment, openEnv, type ResetRow } from "./open-env/open-env.js";
export type { OpenEnvClientOptions } from "./open-env/options.js";
export { passHatK } from "./pass-hat.js";
export { type PlayOptions, playEpisode } from "./play.js";
export { type PlayEpisodesOptions, playEpisodes } from "./play-episodes.js";
export { type EpisodeScript, playScript } from "./play-script.js";
export { reverify } from "./reverify.js";
export * from "./software/index.js";
export * from "./tool-dialogues/index.js";
export { type ToolEnvironmentDefinition, ToolError, type ToolOf, type ToolTranscript, toolEnvironment } from "./tools.js";
export {
  formatTrace,
  isTruncated,
  parseTraces,
  type StopCondition,
  type Trace,
  type TraceMessage,
  type TraceNode,
  totalReward,
  traceSequence,
} from "./trace.js";
