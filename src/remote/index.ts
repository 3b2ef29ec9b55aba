/**
 * Models on a server, with the methods of a local model. See {@link RemoteModel}.
 *
 * @module lightning-m1/remote
 */

export { RemoteError } from "../base/errors.js";
export type { LanguageModel, LanguageSession, Prompt, PromptOptions, Usage } from "../language-model.js";
export type { ConnectOptions, Fetch, FetchResponse } from "./connect-options.js";
export { type RemoteGeneration, RemoteModel } from "./remote-model.js";
export { RemoteSession } from "./remote-session.js";
