import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { Random } from "../../base/random.js";

/** A worked solution: the steps, and what they lead to. */
export interface Solution {
  readonly thinking: string;
  readonly answer: string;
}

/**
 * A family of puzzles whose answers a program checks (the SynLogic part of the MiniMax-M1 report, section 4, at the size of a small model).
 *
 * Symbols stand between single spaces, names and pseudo-words are capitals, fixed phrases are lower case: a small byte-level BPE has one
 * token for nearly each of them. In `thinking` every step copies what stands nearby, looks one thing up, and writes the state out again.
 */
export interface Task<Instance = unknown> {
  readonly name: string;
  /** Levels run from 1, easy, to this. */
  readonly levels: number;
  /** Plain JSON data, the same for the same state of `random`. */
  generate(random: Random, level: number): Instance;
  /** What the user asks. */
  question(instance: Instance): string;
  /** Step by step; the text that supervised training imitates. */
  solve(instance: Instance): Solution;
  /** Whether `answer`, any text at all, is right. Never throws, evaluates nothing, takes time linear in the text. */
  verify(instance: Instance, answer: string): boolean;
  /** The part of a response that is its answer, undefined if there is none. Without this method it is what stands in the first `<answer>…</answer>` after the first `</think>`. */
  parse?(response: string): string | undefined;
  /** A well-formed answer without solving: what blind guessing scores is what a model has to beat. */
  guess(instance: Instance, random: Random): string;
}

/** What identifies an instance, to keep instances of a test out of the training. */
export function instanceKey<Instance>(task: Pick<Task<Instance>, "name">, instance: Instance): string {
  expectArgument("instanceKey: task", isObjectLike(task), "a task", task);
  return `${task.name} ${JSON.stringify(instance)}`;
}

/** What a task sets per level, at `level`. */
export function levelSettings<Settings>(task: string, levels: readonly Settings[], level: number): Settings {
  const settings = levels[level - 1];
  if (settings === undefined)
    throw new InputError(`${task}: level: expected a whole number from 1 to ${levels.length}, got ${printed(level)}`);
  return settings;
}

/** The words of an answer; commas separate as spaces do. */
export function splitWords(answer: string): string[] {
  return answer.split(/[\s,]+/).filter((word) => word !== "");
}

export function formatResponse({ thinking, answer }: Solution): string {
  return `<think>\n${thinking}\n</think>\n<answer>${answer}</answer>`;
}

/** The answer of a response: within the first `<answer>…</answer>` after the first `</think>`, stripped; undefined where there is none. */
export function parseResponse(response: string): string | undefined {
  expectArgument("parseResponse: response", typeof response === "string", "a string", response);
  const thought = response.indexOf("</think>");
  const begin = thought < 0 ? -1 : response.indexOf("<answer>", thought);
  const end = begin < 0 ? -1 : response.indexOf("</answer>", begin);
  return end < 0 ? undefined : response.slice(begin + "<answer>".length, end).trim();
}

export interface Judgement {
  /** Whether the response has an answer where one belongs. */
  readonly formatted: boolean;
  /** Whether that answer is right. */
  readonly correct: boolean;
}

/** Judges a response by a task whose verifier answers at once. */
export function judge<Instance>(task: Task<Instance>, instance: Instance, response: string): Judgement {
  expectArgument("judge: task", isObjectLike(task), "a task", task);
  const answer = extractAnswer(task, response);
  return { formatted: answer !== undefined, correct: answer !== undefined && task.verify(instance, answer) };
}

/** What reinforcement learning needs of a task. Its verifier may ask a server or a sandbox. */
export interface Verifiable<Instance = unknown> extends Pick<Task<Instance>, "name" | "generate" | "question" | "parse"> {
  /** Whether `answer`, any text at all, is right. It throws or rejects if that cannot be told now, and is asked again then; `signal` aborts when nobody waits for it any more. */
  verify(instance: Instance, answer: string, options?: { readonly signal: AbortSignal }): boolean | Promise<boolean>;
}

/** The answer of a response to a task. */
export function extractAnswer(task: Pick<Task, "parse">, response: string): string | undefined {
  return task.parse ? task.parse(response) : parseResponse(response);
}

/** Judges a response by a task whose verifier may take its time. */
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

/** @throws {InputError} a verifier that answers neither true nor false */
export async function callVerifier<Instance>(
  task: Pick<Verifiable<Instance>, "name" | "verify">,
  instance: Instance,
  answer: string,
  signal: AbortSignal,
): Promise<boolean> {
  const correct = await task.verify(instance, answer, { signal });
  if (typeof correct !== "boolean")
    throw new InputError(`${task.name}: verify: expected true or false, or a promise of one, got ${typeof correct}`);
  return correct;
}
