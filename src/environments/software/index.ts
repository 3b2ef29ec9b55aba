export { SandboxError } from "../../base/errors.js";
export { applyRepairAnswer, parseRepairAnswer, type RepairAnswer } from "./answers.js";
export { BUG_OPERATORS, type BugOperator } from "./bug-operators.js";
export type { SearchReplace } from "./edits.js";
export { type Grade, type GradeOptions, gradeAnswer, type Outcome, type ValidatedInstances, validateInstances } from "./grade.js";
export { type DiscardedBugs, type InjectBugsOptions, type InjectedBugs, injectBugs } from "./inject-bugs.js";
export { formatPredictions, type Prediction, parseInstances, parsePredictions, type SoftwareInstance } from "./instances.js";
export {
  type CodeLocation,
  goldLocations,
  type LocalizationScore,
  type LocalizationStage,
  localizationPrompt,
  parseLocations,
  scoreLocalization,
} from "./localization.js";
export { applyPatch, createPatch } from "./patch.js";
export { PatchError } from "./patch-error.js";
export type { FileMap } from "./paths.js";
export type { AnswerFormat } from "./prompts.js";
export { repairProjects, repairTasks, type SoftwareProject } from "./repair-tasks.js";
export { runTests } from "./run-tests.js";
export { type SoftwareAgentOptions, softwareAgent } from "./software-agent.js";
export { repairPrompt, type SoftwareRepairOptions, softwareRepair, stagedRepair } from "./software-repair.js";
export type { TestLimits, TestOptions, TestProject, TestReport, TestStop } from "./test-report.js";
