import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { kindOf, printed } from "../../base/printed.js";
import type { Random } from "../../base/random.js";

/** A worked solution: the steps and the answer. */
export interface Solution {
  readonly thinking: string;
  readonly answer: string;
}

/**
 * A family of puzzles whose answers a program verifies, as in the SynLogic part of the MiniMax-M1 report (section
 * 4), but sized for a small model.
 *
 * In the built-in tasks, symbols are separated by single spaces. Names and pseudo-words have one to three capitals (longer words are
 * written letter by letter), numbers have one or two digits, and fixed phrases are lower case. A small byte-level BPE therefore has one
 * token for nearly every symbol. Each step of `thinking` copies nearby text, looks one thing up, and writes out the new state.
 */
export interface Task<Instance = unknown> {
  readonly name: string;
  /** Number of levels. Level 1 is the easiest. */
  readonly levels: number;
  /** Generates an instance, as plain JSON data. The same state of `random` gives the same instance. */
  generate(random: Random, level: number): Instance;
  /** The question of an instance, as the text of a user message. */
  question(instance: Instance): string;
  /** Solves an instance step by step. Supervised training imitates this text. */
  solve(instance: Instance): Solution;
  /**
   * Whether `answer` is right. The answer may be any text. The function must not throw or evaluate code, and must take time linear in the
   * length of the text.
   */
  verify(instance: Instance, answer: string): boolean;
  /**
   * Extracts the answer from a response. Returns undefined if there is none. By default, the answer is the content of the first
   * `<answer>…</answer>` after the first `</think>`.
   */
  parse?(response: string): string | undefined;
  /** Guesses a well-formed answer without solving the instance. Its accuracy is a baseline for models. */
  guess(instance: Instance, random: Random): string;
}

/** Returns a string that identifies an instance. It is used to keep test instances out of the training data. */
export function instanceKey<Instance>(task: Pick<Task<Instance>, "name">, instance: Instance): string {
  expectArgument("instanceKey: task", isObjectLike(task), "a task", task);
  try {
    return `${task.name} ${JSON.stringify(instance)}`;
  } catch (cause) {
    throw new InputError(`instanceKey: instance: expected plain JSON data, got ${kindOf(instance)}`, { cause });
  }
}

/** Returns the settings of a level. @throws {InputError} a level that does not exist */
export function levelSettings<Settings>(task: string, levels: readonly Settings[], level: number): Settings {
  const settings = typeof level === "number" ? levels[level - 1] : undefined;
  if (settings === undefined)
    throw new InputError(`${task}: level: expected an integer within [1, ${levels.length}], got ${printed(level)}`);
  return settings;
}

/** Splits an answer into words, at white space and commas. */
export function splitWords(answer: string): string[] {
  return answer.split(/[\s,]+/).filter((word) => word !== "");
}

/** Writes a solution as a response: `<think>\n…\n</think>\n<answer>…</answer>`. */
export function formatResponse(solution: Solution): string {
  expectArgument("formatResponse: solution", isObjectLike(solution), "{ thinking, answer }", solution);
  const { thinking, answer } = solution;
  for (const [name, value] of Object.entries({ thinking, answer })) {
    expectArgument(`formatResponse: ${name}`, typeof value === "string" || typeof value === "number", "a string", value);
  }
  return `<think>\n${thinking}\n</think>\n<answer>${answer}</answer>`;
}

/**
 * Extracts the content of the first `<answer>…</answer>` after the first `</think>`, without surrounding white space. Returns undefined if
 * there is none.
 */
export function parseResponse(response: string): string | undefined {
  expectArgument("parseResponse: response", typeof response === "string", "a string", response);
  const thought = response.indexOf("</think>");
  const begin = thought < 0 ? -1 : response.indexOf("<answer>", thought);
  const end = begin < 0 ? -1 : response.indexOf("</answer>", begin);
  return end < 0 ? undefined : response.slice(begin + "<answer>".length, end).trim();
}

/** The judgement of a response. */
export interface Judgement {
  /** Whether the response has a well-formed answer. */
  readonly formatted: boolean;
  /** Whether that answer is right. */
  readonly correct: boolean;
}

/** Judges a response with a task whose verifier is synchronous. */
export function judge<Instance>(task: Task<Instance>, instance: Instance, response: string): Judgement {
  expectArgument("judge: task", isObjectLike(task), "a task", task);
  const answer = extractAnswer(task, response);
  return { formatted: answer !== undefined, correct: answer !== undefined && task.verify(instance, answer) };
}

/** The part of a task that reinforcement learning needs. Its verifier may be asynchronous and call a server or a sandbox. */
export interface Verifiable<Instance = unknown> extends Pick<Task<Instance>, "name" | "generate" | "question" | "parse"> {
  /**
   * Whether `answer` is right. The answer may be any text. If the function throws or rejects, it is called again later.
   *
   * @param options `signal` aborts when the result is no longer needed
   */
  verify(instance: Instance, answer: string, options?: { readonly signal: AbortSignal }): boolean | Promise<boolean>;
}

/** Extracts the answer from a response, with the task's own `parse` if it has one. */
export function extractAnswer(task: Pick<Task, "parse">, response: string): string | undefined {
  return task.parse ? task.parse(response) : parseResponse(response);
}

/** Judges a response with a task whose verifier may be asynchronous. */
export async function judgeAsync<Instance>(
  task: Verifiable<Instance>,
  instance: Instance,
  response: string,
  signal: AbortSignal,
): Promise<Judgement> {
  expectArgument("judge: task", isObjectLike(task), "a task", task);
  const answer = extractAnswer(task, response);
  return { formatted: answer !== undefined, correct: answer !== undefined && (await callVerifier(task, instance, answer, signal)) };
}

/** Calls a verifier. @throws {InputError} the verifier returns neither true nor false */
export async function callVerifier<Instance>(
  task: Pick<Verifiable<Instance>, "name" | "verify">,
  instance: Instance,
  answer: string,
  signal: AbortSignal,
): Promise<boolean> {
  const correct = await task.verify(instance, answer, { signal });
  if (typeof correct !== "boolean")
    throw new InputError(`${task.name}: verify: expected it to return a boolean or a promise of one, got ${typeof correct}`);
  return correct;
}
