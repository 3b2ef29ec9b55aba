/**
 * What needs Node: a server on a port ({@link listen}), and training runs that survive the process ({@link runInDirectory}).
 *
 * @module lightning-m1/node
 */
export { type ConnectionLimits, type Listening, type ListenOptions, listen } from "./listen.js";
export type { RunIdentity } from "./run-directory.js";
export { type DirectoryRunOptions, runInDirectory, type StepLine } from "./run-in-directory.js";
