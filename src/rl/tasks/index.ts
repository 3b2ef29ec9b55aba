import { arithmeticChain } from "./arithmetic-chain.js";
import { booleanExpression } from "./boolean-expression.js";
import { bracketError } from "./bracket-error.js";
import { calcudoko } from "./calcudoko.js";
import { dyckCompletion } from "./dyck-completion.js";
import { futoshiki } from "./futoshiki.js";
import { kukurasu } from "./kukurasu.js";
import { mathPath } from "./math-path.js";
import { numberTarget } from "./number-target.js";
import { skyscraper } from "./skyscraper.js";
import { sudoku } from "./sudoku.js";
import { survo } from "./survo.js";
import type { Task } from "./task.js";
import { webOfLies } from "./web-of-lies.js";
import { wordSorting } from "./word-sorting.js";

export type { ArithmeticChain } from "./arithmetic-chain.js";
export type { BooleanExpression } from "./boolean-expression.js";
export type { BracketError } from "./bracket-error.js";
export type { Calcudoko } from "./calcudoko.js";
export type { DyckCompletion } from "./dyck-completion.js";
export type { Futoshiki } from "./futoshiki.js";
export type { Kukurasu } from "./kukurasu.js";
export type { MathPath } from "./math-path.js";
export type { NumberTarget } from "./number-target.js";
export type { Skyscraper, Views } from "./skyscraper.js";
export type { Sudoku } from "./sudoku.js";
export type { Survo } from "./survo.js";
export { formatResponse, instanceKey, type Judgement, judge, parseResponse, type Solution, type Task, type Verifiable } from "./task.js";
export type { Statement, WebOfLies } from "./web-of-lies.js";
export type { WordSorting } from "./word-sorting.js";
export {
  arithmeticChain,
  booleanExpression,
  bracketError,
  calcudoko,
  dyckCompletion,
  futoshiki,
  kukurasu,
  mathPath,
  numberTarget,
  skyscraper,
  sudoku,
  survo,
  webOfLies,
  wordSorting,
};

/** The eight tasks that the bundled model is trained on. Pass an instance only to the task that generated it. */
export const tasks: readonly Task[] = [
  dyckCompletion,
  booleanExpression,
  arithmeticChain,
  numberTarget,
  wordSorting,
  webOfLies,
  sudoku,
  bracketError,
];

/** Further tasks in the same notation. The bundled model is not trained on them. Plans and the command line find them by name. */
export const moreTasks: readonly Task[] = [kukurasu, survo, mathPath, futoshiki, skyscraper, calcudoko];
