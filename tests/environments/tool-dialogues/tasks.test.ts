// Reading tasks, and checking them against a domain.

import { describe, expect, test } from "vitest";
import {
  checkTau2Tasks,
  dialogueEnvironment,
  parseTau2Tasks,
  playEpisode,
  type Tau2Task,
  totalReward,
} from "../../../src/environments/index.js";
import { InputError } from "../../../src/index.js";
import { scriptedModel } from "../../support/scripted-model.js";
import { mockDomain, mockTask, mockTasks } from "./mock-domain.js";

describe("parseTau2Tasks", () => {
  test("reads arrays and lines, keeps unknown fields, and accepts null wherever a field may be missing", () => {
    const lines = mockTasks.map((task) => JSON.stringify(task)).join("\n");
    expect(parseTau2Tasks(lines)).toEqual(mockTasks);
    expect(parseTau2Tasks(JSON.stringify(mockTasks))).toEqual(mockTasks);
    const nulls = {
      id: "a",
      description: null,
      user_scenario: { persona: null, instructions: { domain: "mock", reason_for_call: "x", known_info: null, task_instructions: null } },
      ticket: null,
      initial_state: { initialization_data: null, initialization_actions: null, message_history: null },
      evaluation_criteria: { actions: null, env_assertions: null, communicate_info: null, nl_assertions: null, reward_basis: null },
      user_tools: null,
      issues: [{ id: "i" }],
    };
    expect(parseTau2Tasks(JSON.stringify([nulls, { id: "b" }]))).toEqual([nulls, { id: "b" }]);
  });

  test.each<[string, object]>([
    ["ticket: expected a string, got 3", { ticket: 3 }],
    ['user_scenario: expected an object, got "x"', { user_scenario: "x" }],
    ["user_scenario.instructions: expected a string or an object, got 3", { user_scenario: { instructions: 3 } }],
    ["user_scenario.instructions.known_info: expected a string, got [", { user_scenario: { instructions: { known_info: [] } } }],
    ["evaluation_criteria.actions: expected an array, got {", { evaluation_criteria: { actions: {} } }],
    ["evaluation_criteria.actions.0.name: expected a value, got none", { evaluation_criteria: { actions: [{}] } }],
    [
      'evaluation_criteria.actions.0.requestor: expected "assistant" or "user", got "agent"',
      { evaluation_criteria: { actions: [{ name: "x", requestor: "agent" }] } },
    ],
    [
      "evaluation_criteria.actions.1.arguments: expected an object, got [",
      { evaluation_criteria: { actions: [{ name: "x" }, { name: "y", arguments: [] }] } },
    ],
    ['evaluation_criteria.reward_basis.0: expected "DB" or', { evaluation_criteria: { reward_basis: ["db"] } }],
    [
      'evaluation_criteria.env_assertions.0.assert_value: expected true or false, got "yes"',
      { evaluation_criteria: { env_assertions: [{ env_type: "user", func_name: "f", assert_value: "yes" }] } },
    ],
    ["evaluation_criteria.communicate_info.0: expected a string, got 5", { evaluation_criteria: { communicate_info: [5] } }],
    ["initial_state.message_history.0.role: expected a value, got none", { initial_state: { message_history: [{}] } }],
    [
      "initial_state.initialization_data.agent_data: expected an object, got [",
      { initial_state: { initialization_data: { agent_data: [] } } },
    ],
    ["user_script.opening: expected a value, got none", { user_script: {} }],
    [
      'user_script.rules.0.when: expected words or a list of alternatives, got "?"',
      { user_script: { opening: "x", rules: [{ when: "?", say: "y" }] } },
    ],
    [
      "user_script.rules.0.when: expected words or a list of alternatives, got [",
      { user_script: { opening: "x", rules: [{ when: [], say: "y" }] } },
    ],
    [
      'user_script.rules.0.stopp: expected a known field, got "stopp"',
      { user_script: { opening: "x", rules: [{ when: "a", say: "y", stopp: true }] } },
    ],
  ])("refuses %s", (message, change) => {
    const attempt = () => parseTau2Tasks(`${JSON.stringify({ id: "first" })}\n${JSON.stringify({ id: "b7", ...change })}`, "a.jsonl");
    expect(attempt).toThrow(InputError);
    expect(attempt).toThrow(`a.jsonl: task "b7": ${message}`);
  });

  test.each([
    ["[{}]", /tasks: row 1: id: expected a value, got none/],
    ['[{"id": 3}]', /tasks: row 1: id: expected a string of one or more characters, got 3/],
    ["[3]", /tasks: row 1: expected an object, got 3/],
    ["{", /tasks: line 1: expected JSON/],
    ['[{"id": "a"}, {"id": "a"}]', /tasks: row 2: id: expected an id of its own, got "a" again/],
  ])("%s is refused", (text, message) => expect(() => parseTau2Tasks(text)).toThrow(message));
});

describe("checkTau2Tasks", () => {
  const update = mockTask("update_task_1");
  const criteria = update.evaluation_criteria!;
  const history = mockTask("update_task_with_message_history").initial_state!.message_history!;
  const changed = (change: object): Tau2Task => ({ ...update, evaluation_criteria: { ...criteria, ...change } });
  const withHistory = (message_history: unknown) => ({ ...update, initial_state: { message_history } }) as Tau2Task;

  test.each<[string, Tau2Task, RegExp]>([
    ["nothing to do", changed({ actions: [] }), /doing nothing earns 1/],
    ["no part of the reward", changed({ reward_basis: [] }), /doing nothing earns 1/],
    [
      "a broken action",
      changed({ actions: [{ name: "update_task_status", arguments: { task_id: "task_9", status: "completed" } }] }),
      /the action update_task_status fails: error: Task task_9 not found/,
    ],
    ["an action that does not exist", changed({ actions: [{ name: "delete_task" }] }), /the action delete_task fails: error: unknown tool/],
    ["a comma", changed({ communicate_info: ["1,234"] }), /communicate_info: expected texts without commas/],
    [
      "an unknown assertion",
      changed({ env_assertions: [{ env_type: "user", func_name: "f" }] }),
      /expected an assertion of the domain, got "f"/,
    ],
    [
      "an unknown initial action",
      { ...update, initial_state: { initialization_actions: [{ env_type: "user", func_name: "f" }] } },
      /initialization_actions\.0: func_name: expected an initializer or a tool of the user, got "f"/,
    ],
    [
      "an initial action that fails",
      {
        ...update,
        initial_state: {
          initialization_actions: [{ env_type: "assistant", func_name: "create_task", arguments: { user_id: "x", title: "t" } }],
        },
      },
      /expected a call that succeeds, got error: User x not found/,
    ],
    ["an unknown tool of the user", { ...update, user_tools: ["call"] }, /user_tools: expected tools of the user, got "call"/],
    [
      "another result",
      withHistory([history[1], { ...history[2]!, content: '{"task_id": "task_3"}' }]),
      /message_history\.1: content: expected the result of create_task, .*task_2.*got .*task_3/,
    ],
    ["a call without result", withHistory([history[1]]), /message_history\.1: expected the result of call "call_1", got none/],
    ["a result without call", withHistory([history[2]]), /message_history\.0: expected a result after its call/],
    ["a result of another call", withHistory([history[1], { ...history[2]!, id: "call_2" }]), /expected the result of call "call_1"/],
  ])("%s", async (_, task, message) => {
    const { tasks, problems } = await checkTau2Tasks(mockDomain, [task, mockTask("create_task_1")]);
    expect(tasks.map(({ id }) => id)).toEqual(["create_task_1"]);
    expect(problems[0]).toEqual({ id: "update_task_1", problem: expect.stringMatching(message) });
  });

  test("a task that needs a judge passes if its actions earn the rest", async () => {
    const judged = changed({ reward_basis: ["DB", "NL_ASSERTION"] });
    expect((await checkTau2Tasks(mockDomain, [judged, changed({ actions: null, reward_basis: ["NL_ASSERTION"] })])).problems).toEqual([]);
    const { problems } = await checkTau2Tasks(mockDomain, [
      { ...judged, evaluation_criteria: { ...judged.evaluation_criteria, nl_assertions: [], actions: [] } },
    ]);
    expect(problems).toMatchObject([{ problem: "doing nothing earns 1" }]);
  });

  test("a task that does not fit the domain cannot be played", async () => {
    const trace = await playEpisode(
      scriptedModel(() => "x"),
      dialogueEnvironment(mockDomain),
      withHistory([history[1]]),
    );
    expect([trace.stop_condition, totalReward(trace), trace.errors[0]!.type]).toEqual(["error", null, "InputError"]);
  });

  test("invalid arguments", async () => {
    await expect(checkTau2Tasks({ ...mockDomain, tools: [{}] } as never, [])).rejects.toThrow(/checkTau2Tasks: domain: tools\[0\]/);
    await expect(checkTau2Tasks(mockDomain, [{}] as never)).rejects.toThrow(/checkTau2Tasks: tasks\[0\]: id/);
    expect(() => dialogueEnvironment({ ...mockDomain, policy: "" })).toThrow(/dialogueEnvironment: domain: policy: expected a text/);
    expect(() => dialogueEnvironment({ ...mockDomain, database: { f: 1n } } as never)).toThrow(/database: expected plain JSON/);
    expect(() => dialogueEnvironment({ ...mockDomain, assertions: { f: 3 } } as never)).toThrow(/assertions: expected functions by name/);
    expect(() => dialogueEnvironment(mockDomain, { users: 3 } as never)).toThrow(/users: unknown option/);
  });
});
