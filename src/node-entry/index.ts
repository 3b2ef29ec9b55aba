/**
 * APIs that need Node: HTTP servers ({@link listen}) and training runs that resume after the process ends ({@link runInDirectory}).
 *
 * @module lightning-m1/node
 */
export { type ConnectionLimits, type Listening, type ListenOptions, listen } from "./listen.js";
export type { RunIdentity } from "./run-directory.js";
export { type BatchLine, type DirectoryRunOptions, runInDirectory, type StepLine } from "./run-in-directory.js";
