// The puzzle formats of the bundled model. Spelled out, so that the page can show its controls before it has the library's tasks, which are
// large. A test compares them.

export const FORMATS = [
  "dyck-completion",
  "boolean-expression",
  "arithmetic-chain",
  "number-target",
  "word-sorting",
  "web-of-lies",
  "sudoku",
  "bracket-error",
] as const;

/** Levels of every format. Level 1 is the easiest. */
export const LEVELS = ["1", "2", "3"] as const;

export type Format = (typeof FORMATS)[number];
export type Level = (typeof LEVELS)[number];
