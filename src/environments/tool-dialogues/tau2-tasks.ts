// Tasks in the format of tau2-bench 1.0 (https://github.com/sierra-research/tau2-bench).

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import { flag, oneOf } from "../../base/options.js";
import { printedJson } from "../../base/printed.js";
import { anyText, checkRow, nonEmptyText, parseRows } from "../long-context/rows.js";
import { objectMessage, type UserScript, userScriptSchema } from "./user-script.js";

/** Who calls a tool. */
export type Requestor = "assistant" | "user";

/** The parts of a reward. */
export const REWARD_PARTS = ["DB", "ENV_ASSERTION", "ACTION", "COMMUNICATE", "NL_ASSERTION"] as const;
/** A part of a reward. */
export type RewardPart = (typeof REWARD_PARTS)[number];

type Missing = null | undefined;
type Arguments = Readonly<Record<string, unknown>>;

/** A call of a tool that solves a part of a task. */
export interface Tau2Action {
  readonly action_id?: string | Missing;
  /** Who makes the call ("assistant"). */
  readonly requestor?: Requestor | Missing;
  readonly name: string;
  readonly arguments?: Arguments | Missing;
  readonly info?: string | Missing;
  /** The arguments that `ACTION` compares. All by default. */
  readonly compare_args?: readonly string[] | Missing;
}

/** A call of a function of the domain. */
export interface Tau2FunctionCall {
  readonly env_type: Requestor;
  readonly func_name: string;
  readonly arguments?: Arguments | Missing;
}

/** A condition on the databases after an episode. */
export interface Tau2Assertion extends Tau2FunctionCall {
  /** What the function must return (true). */
  readonly assert_value?: boolean | Missing;
  readonly message?: string | Missing;
}

/** A message before the beginning of an episode. */
export interface Tau2Message {
  readonly role: "user" | "assistant" | "tool";
  readonly content?: string | Missing;
  readonly tool_calls?: readonly { readonly id: string; readonly name: string; readonly arguments?: Arguments | Missing }[] | Missing;
  /** Of a tool's result: the id of the call. */
  readonly id?: string | Missing;
  /** Of a tool's result: who made the call ("assistant"). */
  readonly requestor?: Requestor | Missing;
}

/** What the user wants and knows. */
export interface Tau2Instructions {
  readonly domain?: string | Missing;
  readonly reason_for_call?: string | Missing;
  readonly known_info?: string | Missing;
  readonly unknown_info?: string | Missing;
  readonly task_instructions?: string | Missing;
}

/** What an episode is judged by. */
export interface Tau2Criteria {
  /** One solution of the task. `DB` compares the databases with those after these calls. */
  readonly actions?: readonly Tau2Action[] | Missing;
  readonly env_assertions?: readonly Tau2Assertion[] | Missing;
  /** Texts that the assistant must say. */
  readonly communicate_info?: readonly string[] | Missing;
  /** Statements about the conversation that a judge must confirm. */
  readonly nl_assertions?: readonly string[] | Missing;
  /** The parts whose product is the reward (DB and COMMUNICATE). */
  readonly reward_basis?: readonly RewardPart[] | Missing;
}

/** A task in the format of tau2-bench. A field that is null counts as missing. Unknown fields are kept. */
export interface Tau2Task {
  readonly id: string;
  readonly description?:
    | { readonly purpose?: string | Missing; readonly relevant_policies?: string | Missing; readonly notes?: string | Missing }
    | Missing;
  readonly user_scenario?: { readonly persona?: string | Missing; readonly instructions?: string | Tau2Instructions | Missing } | Missing;
  /** The request as a text, for an assistant that works alone. */
  readonly ticket?: string | Missing;
  readonly initial_state?:
    | {
        /** Changes of the databases, merged into them. */
        readonly initialization_data?: { readonly agent_data?: Arguments | Missing; readonly user_data?: Arguments | Missing } | Missing;
        readonly initialization_actions?: readonly Tau2FunctionCall[] | Missing;
        readonly message_history?: readonly Tau2Message[] | Missing;
      }
    | Missing;
  readonly evaluation_criteria?: Tau2Criteria | Missing;
  /** Names of the user's tools. All of the domain by default. */
  readonly user_tools?: readonly string[] | Missing;
  /** What a scripted user says. Not a field of tau2-bench, which ignores it. */
  readonly user_script?: UserScript | Missing;
}

const text = v.nullish(anyText);
const texts = v.nullish(v.array(anyText, "an array of strings"));
const requestor = oneOf("assistant", "user");
const plainObject = v.custom<Record<string, unknown>>(isObject, "an object");

/** An optional list of objects with known fields. */
const listOf = <const Entries extends v.ObjectEntries>(entries: Entries) =>
  v.nullish(v.array(v.looseObject(entries, objectMessage("an object")), "an array"));
/** An optional object with known fields. */
const objectOf = <const Entries extends v.ObjectEntries>(entries: Entries) => v.nullish(v.looseObject(entries, objectMessage("an object")));

const functionCall = { env_type: requestor, func_name: nonEmptyText, arguments: v.nullish(plainObject) };
const instructions = v.looseObject(
  { domain: text, reason_for_call: text, known_info: text, unknown_info: text, task_instructions: text },
  objectMessage("a string or an object"),
);

const schema = v.looseObject({
  id: nonEmptyText,
  description: objectOf({ purpose: text, relevant_policies: text, notes: text }),
  user_scenario: objectOf({
    persona: text,
    instructions: v.nullish(v.lazy((value) => (typeof value === "string" ? anyText : instructions))),
  }),
  ticket: text,
  initial_state: objectOf({
    initialization_data: objectOf({ agent_data: v.nullish(plainObject), user_data: v.nullish(plainObject) }),
    initialization_actions: listOf(functionCall),
    message_history: listOf({
      role: oneOf("user", "assistant", "tool"),
      content: text,
      tool_calls: listOf({ id: nonEmptyText, name: nonEmptyText, arguments: v.nullish(plainObject) }),
      id: text,
      requestor: v.nullish(requestor),
    }),
  }),
  evaluation_criteria: objectOf({
    actions: listOf({
      action_id: text,
      requestor: v.nullish(requestor),
      name: nonEmptyText,
      arguments: v.nullish(plainObject),
      info: text,
      compare_args: texts,
    }),
    env_assertions: listOf({ ...functionCall, assert_value: v.nullish(flag), message: text }),
    communicate_info: texts,
    nl_assertions: texts,
    reward_basis: v.nullish(v.array(oneOf(...REWARD_PARTS), "an array of parts of the reward")),
  }),
  user_tools: texts,
  user_script: v.nullish(userScriptSchema),
});

const identified = v.looseObject({ id: nonEmptyText });

/**
 * Reads tasks of tau2-bench from a JSON array or from JSON Lines. Missing and null fields are accepted wherever tau2-bench has a default,
 * and for most others.
 *
 * @param where name of the file in messages
 * @throws {InputError} a field of a wrong type (the error names the task and the field), or an id that occurs twice
 */
export function parseTau2Tasks(text: string, where = "tasks"): Tau2Task[] {
  const ids = new Set<string>();
  return parseRows(identified, text, where, ({ id }, place) => {
    if (ids.has(id)) throw new InputError(`${place}: id: expected an id of its own, got ${printedJson(id)} again`);
    ids.add(id);
  }).map((row) => checkTask(row, `${where}: task ${printedJson(row.id)}`));
}

/** Checks one task. @throws {InputError} `place: field: expected …, got …` */
export function checkTask(value: unknown, place: string): Tau2Task {
  return checkRow(schema, value, place);
}

/** The parts of a task's reward: those of `reward_basis`, or DB and COMMUNICATE. Without criteria there are none. */
export function rewardBasis({ evaluation_criteria: criteria }: Tau2Task): readonly RewardPart[] {
  return criteria ? (criteria.reward_basis ?? ["DB", "COMMUNICATE"]) : [];
}
