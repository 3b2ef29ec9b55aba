// Puzzles of all tasks, judged by the library's verifiers. Runs in a worker, because a hard puzzle takes up to some seconds to make.

import { formatResponse, generateRows, judgeRow, levelsOf, moreTasks, type Row, rowTasks, synlogic, tasks } from "lightning-m1/rl";

const COMPACT = "compact/";
const EXAMPLE_SEED = 2 ** 32 - 1;

/** A task of the gallery. */
export interface TaskEntry {
  /** `kukurasu`, or `compact/kukurasu` for the small version. */
  readonly name: string;
  readonly isCompact: boolean;
  /** What the puzzle asks for. Compact tasks have no text of their own. */
  readonly summary: string | undefined;
  readonly levels: readonly string[];
  readonly languages: readonly synlogic.Language[];
}

/** Which puzzle to make: the same choice always gives the same puzzle. */
export interface PuzzleChoice {
  readonly task: string;
  readonly level: string;
  readonly language: synlogic.Language;
  readonly seed: number;
  /** The number of the puzzle within the sequence of its seed, from 0. */
  readonly index: number;
}

export interface Judgement {
  /** Null if the question does not say whether such an answer is right. */
  readonly right: boolean | null;
  readonly reason: string;
  /** The answer that was read out of the text. */
  readonly found: string | undefined;
  /** The verdict of SynLogic's own verifier, if it is known. */
  readonly published: synlogic.PublishedVerdict | undefined;
}

/** All tasks: the published ones first. */
export function catalogue(): TaskEntry[] {
  return rowTasks.map((name) => {
    const isCompact = name.startsWith(COMPACT);
    const published = isCompact ? undefined : synlogic.taskNamed(name);
    return { name, isCompact, summary: published?.summary, levels: levelsOf(name), languages: published?.languages ?? ["en"] };
  });
}

/** @throws {InputError} an unknown task or level, or a number out of range */
export function makePuzzle({ task, level, language, seed, index }: PuzzleChoice): Row {
  const [row] = generateRows(task, { level, language, seed, first: index, count: 1 });
  return row!;
}

/** A solved puzzle of the same task and level. */
export interface Example {
  readonly question: string;
  readonly answer: string;
}

/** An example for a compact task, whose questions do not say how answers are written. Undefined for published tasks. */
export function exampleOf(choice: PuzzleChoice): Example | undefined {
  if (!choice.task.startsWith(COMPACT)) return undefined;
  const { question } = makePuzzle(choice);
  for (let index = 0; ; index++) {
    const other = makePuzzle({ ...choice, seed: EXAMPLE_SEED, index });
    if (other.question !== question) return { question: other.question, answer: solution(other).answer };
  }
}

/** Judges what a reader typed. An answer to a compact task may be typed without its tags. */
export function judgeAnswer(row: Row, text: string): Judgement {
  const verdict = judgeRow(row, row.task.startsWith(COMPACT) ? withTags(text) : text);
  const { right, reason, found } = verdict;
  // A model answers after its reasoning. A reader only types the answer.
  const ownReason = reason.replace("after the reasoning", "in your answer");
  return { right, reason: ownReason, found, published: (verdict as synlogic.Explanation).published };
}

function withTags(text: string): string {
  if (text.includes("</think>")) return text;
  return `<think>\n</think>\n${text.includes("<answer>") ? text : `<answer>${text}</answer>`}`;
}

/** A right answer; for a compact task with its steps. */
export function solution(row: Row): { readonly text: string; readonly answer: string } {
  if (!row.task.startsWith(COMPACT)) {
    const text = synlogic.solve(row);
    return { text, answer: text };
  }
  const task = [...tasks, ...moreTasks].find(({ name }) => `${COMPACT}${name}` === row.task)!;
  const solved = task.solve(row.metadata);
  return { text: formatResponse(solved), answer: solved.answer };
}
