import { arithmeticChain } from "./arithmetic-chain.js";
import { booleanExpression } from "./boolean-expression.js";
import { bracketError } from "./bracket-error.js";
import { dyckCompletion } from "./dyck-completion.js";
import { numberTarget } from "./number-target.js";
import { sudoku } from "./sudoku.js";
import type { Task } from "./task.js";
import { webOfLies } from "./web-of-lies.js";
import { wordSorting } from "./word-sorting.js";

export type { ArithmeticChain } from "./arithmetic-chain.js";
export type { BooleanExpression } from "./boolean-expression.js";
export type { BracketError } from "./bracket-error.js";
export type { DyckCompletion } from "./dyck-completion.js";
export type { NumberTarget } from "./number-target.js";
export type { Sudoku } from "./sudoku.js";
export { formatResponse, instanceKey, type Judgement, judge, parseResponse, type Solution, type Task, type Verifiable } from "./task.js";
export type { Statement, WebOfLies } from "./web-of-lies.js";
export type { WordSorting } from "./word-sorting.js";
export { arithmeticChain, booleanExpression, bracketError, dyckCompletion, numberTarget, sudoku, webOfLies, wordSorting };

/** The eight built-in tasks. Pass an instance only to the task that generated it. */
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
