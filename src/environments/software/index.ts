export { applyRepairAnswer, parseRepairAnswer, type RepairAnswer } from "./answers.js";
export type { SearchReplace } from "./edits.js";
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
export { SandboxError } from "./project-files.js";
export type { AnswerFormat } from "./prompts.js";
export { runTests } from "./run-tests.js";
export type { TestLimits, TestOptions, TestProject, TestReport, TestStop } from "./test-report.js";
