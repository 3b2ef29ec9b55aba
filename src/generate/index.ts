export { type Generation, generate, type StopReason, type Token } from "./generate.js";
export type { GenerateOptions, PrefillOptions } from "./options.js";
export { Session, type SessionInput } from "./session.js";
export type { TextCodec } from "./text.js";
