// The tasks of the bicycle workshop: solved by an assistant that follows its rules, and by no other.

import { describe, expect, test } from "vitest";
import {
  bikeWorkshop,
  bikeWorkshopTasks,
  checkTau2Tasks,
  parseTau2Tasks,
  type Tau2Task,
  totalReward,
} from "../../../src/environments/index.js";
import { goldWorld } from "../../../src/environments/tool-dialogues/reward.js";
import { type AssistantTurn, playTurns } from "./support.js";

const { signal } = new AbortController();

/** What the assistant says between finding the job and changing anything, and at the end. */
const SAYS: Readonly<Record<string, readonly [before: readonly string[], after: string]>> = {
  "book-earliest": [["The earliest appointment is tomorrow, 2026-03-10, at 11:00. Shall I book it?"], "It is booked."],
  "book-from-date": [["When would you like to come?", "2026-03-13 at 09:00 is free."], "Your bike is booked in for 2026-03-13 at 09:00."],
  "book-overhaul": [[], "Your overhaul is booked for 2026-03-12."],
  "book-second-job": [["I cannot book a second job for this bike while it is in work."], "I am sorry, that is not possible."],
  "move-job": [["When would you like to come?"], "I moved it to 2026-03-13 at 09:00."],
  "move-twice": [["Unfortunately it has been moved before.", "I cannot move it again."], "I am sorry, it stays as it is."],
  "move-today": [["I cannot move it on the day of the appointment."], "I am sorry, there are no exceptions."],
  "move-to-taken-slot": [["On 2026-03-12 everything is taken. The next one is on 2026-03-13."], "I moved it to 2026-03-13."],
  "cancel-member": [["Are you sure?"], "It is cancelled without a fee."],
  "cancel-early": [[], "It is cancelled without a fee."],
  "cancel-with-fee": [["Cancelling costs a fee of 15.00. Do you agree?"], "It is cancelled."],
  "cancel-fee-declined": [[], "Cancelling would cost 15.00."],
  "cancel-in-work": [["I cannot cancel it, because it is in work."], "I am sorry, it is not possible."],
  "cancel-today": [["I cannot cancel it on the same day.", "Not for the fee either, sorry."], "Unfortunately there are no exceptions."],
  "quote-accepted": [["A new bottom bracket, for 84.50. Do you accept?"], "I recorded that you accepted."],
  "quote-declined": [["A new bottom bracket would cost 84.50. Do you accept?"], "I recorded that you declined."],
  "quote-amount": [[], "The quote is for 84.50."],
  "quote-too-high": [["The quote is for 342.00. Do you accept?"], "The manager will call you."],
  "quote-by-frame-number": [[], "The quote is for 342.00."],
  "ready-date": [[], "It will be ready on 2026-03-11."],
  "amount-due": [["The wheel was 75.00, and new spokes were 21.00."], "That makes 96.00."],
  "wrong-postcode": [[], "It is on 2026-03-11."],
  "unknown-customer": [["I am sorry, I find nobody of that name."], "Unfortunately I cannot help you."],
  "job-of-neighbour": [["I cannot speak about the bikes of others."], "I am sorry, she has to ask herself."],
  discount: [["I am sorry, prices are fixed.", "I cannot make an exception."], "Unfortunately it is not possible."],
  refund: [["Would you like an appointment?"], "I hand this over to the manager."],
  damage: [["I am sorry to hear that."], "I hand this over to the manager."],
  "move-and-book": [[], "The check is moved, and the brakes are booked for 2026-03-10 at 09:00."],
  "wrong-job-id": [["There is no job J580. Do you mean your check?"], "It is on 2026-03-17."],
};

/** What makes the user use its tool. */
const REQUESTS: Readonly<Record<string, string>> = {
  pay_deposit: "Please pay the deposit of 20.00 with the app.",
  look_at_frame: "Which frame number do you see?",
};

/** The turns of an assistant that follows the rules. */
function solution({ id, evaluation_criteria: criteria }: Tau2Task): AssistantTurn[] {
  const [before, after] = SAYS[id]!;
  const actions = (criteria?.actions ?? []).map(
    ({ name, arguments: args, requestor }): AssistantTurn => (requestor === "user" ? REQUESTS[name]! : { name, arguments: args ?? {} }),
  );
  const isReading = (turn: AssistantTurn) => typeof turn !== "string" && /^(find|get)_/.test(turn.name);
  const first = actions.findIndex((turn) => !isReading(turn));
  const second =
    id === "wrong-postcode"
      ? [{ name: "find_customer", arguments: { name: "Dev Anand", postcode: "4102" } }, "I cannot find you. Is the postcode right?"]
      : [];
  const unknown = ["Iris Lin", "Irina Lin"].map((name) => ({ name: "find_customer", arguments: { name, postcode: "4102" } }));
  return [
    "May I have your name and postcode, please?",
    ...second,
    ...(id === "unknown-customer" ? [unknown[0]!, "I find nobody. Is there another name?", unknown[1]!] : []),
    ...actions.slice(0, first),
    ...before,
    ...actions.slice(first),
    after,
  ];
}

test("there are enough tasks, in the published format, and all of them pass the check", async () => {
  expect(bikeWorkshopTasks.length).toBeGreaterThanOrEqual(20);
  expect(bikeWorkshop.tools.length).toBe(8);
  expect(Object.keys(SAYS).sort()).toEqual(bikeWorkshopTasks.map(({ id }) => id).sort());
  expect(parseTau2Tasks(bikeWorkshopTasks.map((task) => JSON.stringify(task)).join("\n"))).toEqual(bikeWorkshopTasks);
  expect(await checkTau2Tasks(bikeWorkshop, bikeWorkshopTasks)).toEqual({ tasks: bikeWorkshopTasks, problems: [] });
});

describe.each(bikeWorkshopTasks.map((task) => [task.id, task] as const))("%s", (id, task) => {
  test("an assistant that follows the rules earns 1, and the user leaves after its last message", async () => {
    const turns = solution(task);
    const trace = await playTurns(bikeWorkshop, task, turns);
    const said = trace.nodes.map(({ message }) => message.content).join("\n");
    expect([trace.errors, trace.stop_condition, totalReward(trace), trace.metrics.turns], said).toEqual([
      [],
      "terminated",
      1,
      turns.length,
    ]);
    expect(said).not.toContain("leads nowhere");
    expect(trace.metrics.tool_errors).toBe({ "wrong-postcode": 1, "unknown-customer": 2 }[id] ?? 0);
  });

  test("assistants that do nothing, only talk, or leave out the log earn 0", async () => {
    const turns = solution(task);
    const withoutLog = turns.filter((turn) => typeof turn === "string" || turn.name !== "log_contact");
    for (const wrong of [[""], turns.filter((turn) => typeof turn === "string"), withoutLog]) {
      expect(totalReward(await playTurns(bikeWorkshop, task, wrong))).toBe(0);
    }
  });

  test("an assistant that says every number, date and rule and logs something earns 0", async () => {
    const everything = JSON.stringify([
      bikeWorkshop.database,
      bikeWorkshop.policy,
      "15.00 84.50 96.00 342.00 cannot booked cancelled manager",
    ]);
    const log = { name: "log_contact", arguments: { customer_id: null, outcome: "answered", detail: everything } };
    const trace = await playTurns(bikeWorkshop, task, [log, everything]);
    expect([totalReward(trace), trace.metrics.db]).toEqual([0, 0]);
    // COMMUNICATE alone would be fooled.
    expect(trace.metrics.communicate).toBe(1);
  });
});

test("the solution of a task solves no other task", async () => {
  const contents = await Promise.all(bikeWorkshopTasks.map(async (task) => (await goldWorld(bikeWorkshop, task, signal)).content()));
  expect(new Set(contents).size).toBe(bikeWorkshopTasks.length);
});

test.each<[string, AssistantTurn[]]>([
  ["move-today", [{ name: "move_job", arguments: { job_id: "J506", slot_id: "S03" } }]],
  ["cancel-today", [{ name: "cancel_job", arguments: { job_id: "J506", fee: 15 } }]],
  ["cancel-with-fee", [{ name: "cancel_job", arguments: { job_id: "J511", fee: 0 } }]],
  ["cancel-member", [{ name: "cancel_job", arguments: { job_id: "J504", fee: 15 } }]],
  ["quote-too-high", [{ name: "answer_quote", arguments: { job_id: "J509", accepted: true } }]],
  ["book-overhaul", [{ name: "book_job", arguments: { bike_id: "B22", service: "overhaul", slot_id: "S06" } }]],
  ["quote-amount", [{ name: "answer_quote", arguments: { job_id: "J503", accepted: true } }]],
])("%s: doing what the rules forbid, or half of the task, earns 0 although the log is right", async (id, calls) => {
  const task = bikeWorkshopTasks.find((one) => one.id === id)!;
  const log = task.evaluation_criteria!.actions!.at(-1)!;
  const turns = [
    ...calls,
    { name: log.name, arguments: log.arguments ?? {} },
    "It is done, booked and cancelled for 84.50. I cannot do more.",
  ];
  expect(totalReward(await playTurns(bikeWorkshop, task, turns))).toBe(0);
});

describe("tools", () => {
  const first = bikeWorkshopTasks[0]!;
  test.each([
    ["find_customer", { name: "ada birch ", postcode: "4021" }, /"model":"cargo bike".*"J510"/],
    ["find_customer", { name: "Ada Birch", postcode: "4022" }, /error: no customer has this name and postcode/],
    ["get_job", { job_id: "J507" }, /"amount":21.*"customer_id":"C17","date":"2026-03-04"/],
    ["get_job", { job_id: "toString" }, /error: there is no job toString/],
    ["find_slots", { service: "overhaul" }, /^\[\{"slot_id":"S06".*S09.*S10/],
    ["find_slots", { service: "paint" }, /error: find_slots: arguments.service: expected one of/],
    ["book_job", { bike_id: "B12", service: "brakes", slot_id: "S02" }, /error: slot S02 is taken/],
    ["book_job", { bike_id: "B12", service: "brakes", slot_id: "S01" }, /error: slot S01 is not for brakes/],
    ["book_job", { bike_id: "B99", service: "brakes", slot_id: "S03" }, /error: there is no bike B99/],
    ["book_job", { bike_id: "B12", service: "brakes", slot_id: "S03" }, /"job_id":"J512".*"price":60/],
    ["move_job", { job_id: "J502", slot_id: "S03" }, /error: job J502 is in work, not booked/],
    ["cancel_job", { job_id: "J511", fee: -1 }, /error: cancel_job: arguments.fee: expected at least 0/],
    ["answer_quote", { job_id: "J507", accepted: true }, /error: job J507 is ready, not quoted/],
    ["log_contact", { customer_id: "C99", outcome: "answered", detail: "" }, /error: there is no customer C99/],
    ["pay_deposit", { job_id: "J511" }, /error: unknown tool "pay_deposit"/],
  ])("%s %j", async (name, args, expected) => {
    const trace = await playTurns(bikeWorkshop, first, [{ name, arguments: args }, "It is booked."]);
    expect(trace.nodes[3]!.message.content).toMatch(expected);
  });

  test("assertions of the domain", async () => {
    const overhaul = bikeWorkshopTasks.find(({ id }) => id === "book-overhaul")!;
    const assertion = (func_name: string, args: object) => ({ env_type: "assistant" as const, func_name, arguments: { ...args } });
    const env_assertions = [
      assertion("assert_deposit_paid", { job_id: "J512" }),
      assertion("assert_job_status", { job_id: "J512", expected_status: "booked" }),
    ];
    const task = {
      ...overhaul,
      evaluation_criteria: { ...overhaul.evaluation_criteria, env_assertions, reward_basis: ["ENV_ASSERTION" as const] },
    };
    expect(totalReward(await playTurns(bikeWorkshop, task, solution(overhaul)))).toBe(1);
    expect(totalReward(await playTurns(bikeWorkshop, task, ["It is booked."]))).toBe(0);
  });
});
