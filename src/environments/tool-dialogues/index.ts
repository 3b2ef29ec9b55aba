export { bikeWorkshop, bikeWorkshopTasks } from "./bike-workshop/index.js";
export { checkTau2Tasks, type TaskProblem } from "./check-tasks.js";
export { type DialogueOptions, dialogueEnvironment } from "./dialogue-environment.js";
export type { CallResult, Databases, DialogueDomain, DomainFunction } from "./domain.js";
export { type ModelJudgeOptions, modelJudge } from "./model-judge.js";
export { type ModelUserOptions, modelUser } from "./model-user.js";
export { recordedUser } from "./recorded-user.js";
export type { DialogueJudge, DialogueMessage, JudgedStatement } from "./reward.js";
export {
  parseTau2Tasks,
  type Requestor,
  type RewardPart,
  type Tau2Action,
  type Tau2Assertion,
  type Tau2Criteria,
  type Tau2FunctionCall,
  type Tau2Instructions,
  type Tau2Message,
  type Tau2Task,
} from "./tau2-tasks.js";
export type { UserRule, UserScript } from "./user-script.js";
export { type DialogueUser, STOP_MARKS, scriptedUser, type UserContext, type UserSource } from "./users.js";
