export { SandboxError } from "./project-files.js";
export { runTests } from "./run-tests.js";
export type { TestLimits, TestOptions, TestProject, TestReport, TestStop } from "./test-report.js";
