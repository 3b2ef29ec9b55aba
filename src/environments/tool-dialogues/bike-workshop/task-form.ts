// How the tasks of the workshop are written down.

import type { Tau2Action, Tau2Task } from "../tau2-tasks.js";
import type { UserRule } from "../user-script.js";
import { database } from "./database.js";

/** A task in short. */
export interface ShortTask {
  readonly id: string;
  readonly purpose: string;
  /** Id of the customer who writes. */
  readonly customer: string;
  /** What the user says first. */
  readonly opening: string;
  /** What the user answers, apart from name and postcode. The last rule ends the conversation. */
  readonly rules: readonly UserRule[];
  /** The calls that solve the task after the customer is found, without the log. */
  readonly calls?: readonly Tau2Action[];
  readonly log: readonly [outcome: "answered" | "changed" | "refused" | "handed over", detail: string];
  /** Instructions for a model as user. */
  readonly behaviour?: string;
  /** Changes of the user's database. */
  readonly user?: Readonly<Record<string, unknown>>;
  /** Rules for name and postcode, if the user does not know them or gets them wrong. */
  readonly identity?: readonly UserRule[];
  /** Whether the customer can be found (true). */
  readonly found?: boolean;
  readonly known?: string;
}

export const NO = ["cannot", "can t", "not possible", "unable", "sorry", "unfortunately", "not allowed", "refus*", "no exception*"];
const DONE = ["booked", "moved", "cancelled", "confirm*", "done", "recorded", "accepted", "declined"];
const HANDED_OVER = ["manager", "hand*", "colleague", "transfer*"];

/** Leaves when it is done. */
export const done = (say = "Thank you, good-bye."): UserRule => ({ when: DONE, say, stop: true });
/** Objects as often as there are texts before the last, and leaves. */
export const refused = (...say: string[]): UserRule => ({ when: NO, say, stop: true });
/** Leaves when it hears a fact. */
export const told = (fact: string): UserRule => ({ when: fact, say: "Thank you, that is what I wanted to know.", stop: true });
export const handedOver: UserRule = { when: HANDED_OVER, say: "All right, I will wait for the manager.", stop: true };

export const call = (name: string, args: Readonly<Record<string, unknown>>): Tau2Action => ({ name, arguments: args });
export const job = (job_id: string) => call("get_job", { job_id });
export const slots = (service: string, from_date?: string) =>
  call("find_slots", { service, ...(from_date !== undefined && { from_date }) });
export const book = (bike_id: string, service: string, slot_id: string) => call("book_job", { bike_id, service, slot_id });
export const move = (job_id: string, slot_id: string) => call("move_job", { job_id, slot_id });
export const cancel = (job_id: string, fee: number) => call("cancel_job", { job_id, fee });
export const answer = (job_id: string, accepted: boolean) => call("answer_quote", { job_id, accepted });
export const byUser = (action: Tau2Action): Tau2Action => ({ ...action, requestor: "user" });

/** Writes out a task. */
export function taskOf(given: ShortTask): Tau2Task {
  const { id, purpose, customer, opening, rules, calls = [], log, behaviour, user, found = true } = given;
  const { name, postcode } = database.customers[customer] ?? { name: "", postcode: "" };
  const [outcome, detail] = log;
  const isAnswer = outcome === "answered";
  const identity = given.identity ?? [
    { when: ["name", "who"], say: `My name is ${name}.` },
    { when: ["postcode", "zip"], say: `My postcode is ${postcode}.` },
  ];
  return {
    id,
    description: { purpose },
    user_scenario: {
      instructions: {
        domain: "bike-workshop",
        reason_for_call: opening,
        known_info: [given.identity ? "" : `Your name is ${name}. Your postcode is ${postcode}.`, given.known ?? ""].join(" ").trim(),
        task_instructions: behaviour ?? "You are polite and brief.",
      },
    },
    ...(user && { initial_state: { initialization_data: { user_data: user } } }),
    evaluation_criteria: {
      actions: [
        ...(found ? [call("find_customer", { name, postcode })] : []),
        ...calls,
        call("log_contact", { customer_id: found ? customer : null, outcome, detail }),
      ].map((action, i) => ({ action_id: `${id}_${i}`, ...action })),
      ...(isAnswer && { communicate_info: [detail] }),
      reward_basis: ["DB", "COMMUNICATE"],
    },
    user_script: { opening, rules: [...identity, ...rules] },
  };
}
