/** A project with its tests. */
export interface TestProject {
  /** Text of every file by its path: relative, with `/`. Contains the tests. */
  readonly files: Readonly<Record<string, string>>;
  /** Paths of the test files, which import the other modules of the project. */
  readonly tests: readonly string[];
}

/** Limits of the run of one test file. */
export interface TestLimits {
  /** Processor time in milliseconds (5,000). QuickJS does not measure it. */
  readonly cpuMs?: number;
  /** Time in milliseconds (10,000). */
  readonly wallMs?: number;
  /** Memory in bytes (256 MiB). */
  readonly memoryBytes?: number;
  /** Printed text in bytes (1 MiB). */
  readonly outputBytes?: number;
  /** Processes at the same time, the one of the tests included (1: tests cannot start processes). QuickJS has no processes. */
  readonly processes?: number;
  /** Bytes of all files that the tests write (64 MiB). QuickJS has no files. */
  readonly fileBytes?: number;
}

/** Options of `runTests`. */
export interface TestOptions {
  /** Where the code runs ("quickjs"): an interpreter inside of this process, or a process of Node in a sandbox of Linux. */
  readonly runtime?: "quickjs" | "bubblewrap";
  readonly limits?: TestLimits;
  /** Cancels the run. */
  readonly signal?: AbortSignal;
}

/**
 * How the run of a test file ended:
 *
 * - `finished`: all its tests ran
 * - `syntax`: a module cannot be parsed
 * - `load`: a module cannot be found, or it threw an error when it was loaded
 * - `time`, `memory`, `output`: a limit
 * - `crashed`: the process or the interpreter ended before all tests had run, for example by `process.exit`
 */
export type TestStop = "finished" | "syntax" | "load" | "time" | "memory" | "output" | "crashed";

/** Results of the tests of a project. */
export interface TestReport {
  /** Result by test: `path > name`, with the names of its suites before its own. A test that did not run is absent and has not passed. */
  readonly results: Readonly<Record<string, "passed" | "failed">>;
  /** Messages of failed tests, each at most 2,000 characters. */
  readonly failures: Readonly<Record<string, string>>;
  /** How the run of each test file ended. */
  readonly stops: Readonly<Record<string, TestStop>>;
  /** Messages of test files that did not finish. */
  readonly errors: Readonly<Record<string, string>>;
  /** What the code printed, up to the limit. It decides nothing. */
  readonly output: string;
}

/** Result of one test. */
export interface TestResult {
  readonly name: string;
  readonly passed: boolean;
  readonly message: string;
}

/** Result of one test file. */
export interface FileOutcome {
  readonly results: readonly TestResult[];
  readonly stop: TestStop;
  readonly error: string;
  readonly output: string;
}

/** A file as the sandbox gets it: JavaScript, JSON or other text, or the reason why it cannot be parsed. */
export type SourceFile = { readonly text: string } | { readonly error: string };

/** One test file and what it needs. */
export interface FileRun {
  readonly path: string;
  readonly project: TestProject;
  /** The files of the project, without types. */
  readonly files: ReadonlyMap<string, SourceFile>;
  readonly limits: Required<TestLimits>;
}
