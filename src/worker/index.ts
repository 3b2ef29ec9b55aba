/**
 * Models in a worker, with the methods of a model in the same thread. See {@link createWorkerModel}.
 *
 * @module lightning-m1/worker
 */

export type { WorkerLike } from "../base/endpoint.js";
export type { LanguageModel, LanguageSession, Prompt, PromptOptions, Usage } from "../language-model.js";
export { createWorkerModel, type WorkerOptions } from "./create-worker-model.js";
export type { WorkerStatistics } from "./protocol.js";
export type { WorkerRequestInit } from "./respond.js";
export type { WorkerCache } from "./worker-cache.js";
export type { WorkerForwardOptions, WorkerModel } from "./worker-model.js";
export type { WorkerSession } from "./worker-session.js";
