import { SandboxError } from "./errors.js";

/** Limits of a process and its children. */
export interface ProcessLimits {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly memoryBytes: number;
  readonly outputBytes: number;
  readonly processes: number;
  readonly fileBytes: number;
}

/** The input of a process and its limits. */
export interface ProcessRequest {
  /** JSON that the program reads first. */
  readonly input: unknown;
  readonly limits: ProcessLimits;
  readonly signal: AbortSignal | undefined;
}

/** What a process left. All processes of its sandbox are dead. */
export interface ProcessOutcome {
  /** The records that the program wrote, in order. Others cannot write any, because they do not know the key. */
  readonly records: readonly unknown[];
  /** `exit` if no limit ended the process. */
  readonly stop: "exit" | "time" | "memory" | "output";
  /** Exit code, 128 plus the number of the signal if one ended the process. */
  readonly code: number;
  readonly output: string;
}

/**
 * Runs code apart from this program. Code imports it as `#sandbox`. In the build for Node, this name resolves to `src/node/sandbox.ts`.
 */
export interface Sandbox {
  /**
   * Runs `src/environments/software/harness/test-process.ts` in a process of Node without network, in a file system of its own.
   *
   * @throws {SandboxError} the system cannot run such processes, or the process did not start
   */
  runProcess(request: ProcessRequest): Promise<ProcessOutcome>;
  /**
   * Calls `serve(request, notify)` of `src/environments/software/quickjs-thread.ts` in another thread. Its first note means that it has
   * started; the thread is ended if it takes longer than `timeoutMs` from then on. Undefined if such threads are not available: the caller
   * then runs the code itself.
   *
   * @returns the result, or undefined after the timeout
   * @throws {SandboxError} the thread does not start, or ended by itself
   */
  readonly callThread?: (request: object, options: ThreadOptions) => Promise<unknown>;
  /** Finds the module that an import of a package would load, as a URL. Undefined if it is not installed. */
  readonly findPackage?: (name: string) => string | undefined;
}

export interface ThreadOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Takes the notes of the thread. */
  onNote(note: unknown): void;
}

/** A page has no processes. Its threads cannot import packages, whose addresses only a bundler knows. */
export const sandbox: Sandbox = {
  async runProcess() {
    throw new SandboxError("bubblewrap: expected Node on Linux, got a page (use the runtime quickjs)");
  },
};
