// The mock domain of tau2-bench, as a test of its format and reward.

import { describe, expect, test } from "vitest";
import {
  checkTau2Tasks,
  dialogueEnvironment,
  reverify,
  scriptedUser,
  type Tau2Task,
  totalReward,
} from "../../../src/environments/index.js";
import { mockDomain, mockTask, mockTasks } from "./mock-domain.js";
import { type AssistantTurn, goldTurns, playTurns } from "./support.js";

/** Tasks whose published actions are no solution, with what the check says. */
const REPORTED: Readonly<Record<string, RegExp>> = {
  // No actions and no assertions, so that its reward is always 1.
  create_task_1_nl_eval: /doing nothing earns 1/,
  // No actions, but an assertion.
  update_task_with_history_and_env_assertions: /the actions earn 0 \(ENV_ASSERTION\)/,
  // The user must dismiss the notification for the assertion, which the actions do not contain.
  update_task_with_user_tools: /the actions earn 0 \(ENV_ASSERTION\)/,
};

test("the tasks are checked: actions earn 1, doing nothing 0, and the others are reported", async () => {
  const { tasks, problems } = await checkTau2Tasks(mockDomain, mockTasks);
  expect(mockTasks.length).toBe(10);
  expect(tasks.map(({ id }) => id)).toEqual(mockTasks.map(({ id }) => id).filter((id) => !Object.hasOwn(REPORTED, id)));
  expect(problems.map(({ id }) => id).sort()).toEqual(Object.keys(REPORTED).sort());
  for (const { id, problem } of problems) expect(problem).toMatch(REPORTED[id]!);
});

const checked = mockTasks.filter(({ id }) => !Object.hasOwn(REPORTED, id));

/** Says what the task wants to be said. */
const closing = ({ evaluation_criteria: criteria }: Tau2Task) => ["Done.", ...(criteria?.communicate_info ?? [])].join(" ");

describe.each(checked.map((task) => [task.id, task] as const))("%s", (_, task) => {
  test("the gold actions earn 1, also when judged again", async () => {
    const trace = await playTurns(mockDomain, task, [...goldTurns(task), closing(task)]);
    expect([trace.errors, trace.stop_condition, trace.rewards]).toEqual([[], "terminated", { reward: { score: 1, weight: 1 } }]);
    expect((await reverify(dialogueEnvironment(mockDomain), trace)).metrics).toEqual(trace.metrics);
  });

  test.each([
    ["nothing", [""]],
    ["talking", ["Done."]],
  ] as const)("%s earns 0", async (_, turns) => {
    expect(totalReward(await playTurns(mockDomain, task, turns))).toBe(0);
  });

  test("the right calls earn 0 if the user does not leave before the limit", async () => {
    const trace = await playTurns(mockDomain, task, [...goldTurns(task), { name: "get_users" }], { maxTurns: 5 });
    expect([trace.stop_condition, totalReward(trace)]).toEqual(["max_turns", 0]);
  });
});

describe("tasks without a published solution", () => {
  test("create_task_1_nl_eval has no part that can fail", async () => {
    expect(totalReward(await playTurns(mockDomain, mockTask("create_task_1_nl_eval"), ["Hello."]))).toBe(1);
  });

  test("update_task_with_history_and_env_assertions is solved by the calls that its assertion describes", async () => {
    const task = mockTask("update_task_with_history_and_env_assertions");
    const update = { name: "update_task_status", arguments: { task_id: "task_2", status: "completed" } };
    expect(totalReward(await playTurns(mockDomain, task, [update, "Done."]))).toBe(1);
    expect(totalReward(await playTurns(mockDomain, task, ["Done."]))).toBe(0);
  });
});

describe("update_task_with_user_tools", () => {
  const update = { name: "update_task_status", arguments: { task_id: "task_1", status: "completed" } };
  const dismiss = { name: "dismiss_notification", arguments: { notification_id: "notif_1" } };
  const user = scriptedUser(() => ({
    opening: "I have a notification.",
    rules: [
      { when: "check", say: "It says: {result}", call: { name: "check_notifications" } },
      { when: "completed", say: "I dismissed it.", call: dismiss, stop: true },
    ],
  }));
  const turns: AssistantTurn[] = ["Could you check what it says?", update, "I marked it as completed."];

  test("published, it earns 0 even if all do what it describes: the user's database differs from that after its actions", async () => {
    const trace = await playTurns(mockDomain, mockTask("update_task_with_user_tools"), turns, { user });
    expect(trace.metrics).toMatchObject({ db: 0, action: 1, env_assertion: 1 });
    expect(totalReward(trace)).toBe(0);
    expect(trace.nodes[3]!.message.content).toContain("Task 'Test task' has been assigned to you.");
    expect(trace.nodes.some(({ message }) => message.role === "tool" && /notif/.test(message.content ?? ""))).toBe(false);
  });

  test("with the user's action among its actions, it earns 1", async () => {
    const published = mockTask("update_task_with_user_tools");
    const { evaluation_criteria: criteria } = published;
    const task = {
      ...published,
      evaluation_criteria: { ...criteria, actions: [...(criteria?.actions ?? []), { ...dismiss, requestor: "user" as const }] },
    };
    expect((await checkTau2Tasks(mockDomain, [task])).problems).toEqual([]);
    expect(totalReward(await playTurns(mockDomain, task, turns, { user }))).toBe(1);
    expect(totalReward(await playTurns(mockDomain, task, [dismiss, ...turns.slice(1, 2), "Bye."], { user }))).toBe(0);
    expect(totalReward(await playTurns(mockDomain, { ...task, user_tools: ["check_notifications"] }, turns, { user }))).toBe(0);
    // Alone, the assistant has the user's tools.
    const alone = await playTurns(mockDomain, task, [{ name: "check_notifications" }, update, dismiss, "Done."], { solo: true });
    expect([alone.stop_condition, totalReward(alone), alone.tools.length]).toEqual(["terminated", 1, 6]);
  });
});

describe("alone", () => {
  const withTickets = checked.filter(({ ticket }) => ticket);

  test.each(withTickets.map((task) => [task.id, task] as const))("%s", async (_, task) => {
    const trace = await playTurns(mockDomain, task, [...goldTurns(task), closing(task)], { solo: true });
    expect([totalReward(trace), trace.nodes[1]!.message]).toEqual([1, { role: "user", content: task.ticket }]);
    expect(totalReward(await playTurns(mockDomain, task, [""], { solo: true }))).toBe(0);
  });

  test("needs a ticket", async () => {
    const trace = await playTurns(mockDomain, mockTask("update_task_with_message_history"), ["Done."], { solo: true });
    expect([totalReward(trace), trace.errors[0]?.message]).toEqual([null, expect.stringContaining("ticket: expected a text")]);
  });
});

test("the assistant sees the messages before the episode, then the user", async () => {
  const { nodes } = await playTurns(mockDomain, mockTask("update_task_with_message_history"), ["Done."]);
  expect(nodes.slice(0, 6).map(({ message }) => [message.role, message.content?.slice(0, 9)])).toEqual([
    ["system", "# Mock Do"],
    ["user", "I need to"],
    ["assistant", ""],
    ["tool", '{"task_id'],
    ["assistant", "I've crea"],
    ["user", "Continue "],
  ]);
  expect(nodes[3]!.message).toMatchObject({ name: "create_task", tool_call_id: "call_1" });
});
