export { generate, type StopReason, type Token } from "./generate.js";
export { createGeneration, type Generation, type Usage } from "./generation.js";
export { type GenerateOptions, type PrefillOptions, parseGenerateOptions } from "./options.js";
export { repetitionStop } from "./repetition.js";
export { Session, type SessionInput } from "./session.js";
