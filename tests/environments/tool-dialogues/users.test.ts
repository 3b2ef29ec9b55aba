// Users: scripts and models.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type DialogueMessage,
  type DialogueUser,
  dialogueEnvironment,
  formatTrace,
  modelUser,
  parseTraces,
  playEpisode,
  recordedUser,
  reverify,
  STOP_MARKS,
  scriptedUser,
  type Tau2Task,
  totalReward,
  type UserContext,
  type UserScript,
} from "../../../src/environments/index.js";
import { applies } from "../../../src/environments/tool-dialogues/user-script.js";
import { type ChatMessage, InputError } from "../../../src/index.js";
import { call, scriptedModel } from "../../support/scripted-model.js";
import { mockDomain, mockTask } from "./mock-domain.js";
import { playTurns } from "./support.js";

const { signal } = new AbortController();

function contextOf(task: Tau2Task, results: Record<string, string> = {}): UserContext {
  return {
    task,
    seed: 1,
    tools: [],
    history: [],
    call: async ({ name }) => ({ text: results[name] ?? "error", failed: false, known: true }),
  };
}

async function talk(user: DialogueUser, ...messages: (string | undefined)[]): Promise<string[]> {
  const said: string[] = [];
  for (const message of messages) said.push(await user.reply(message, { signal }));
  return said;
}

const script: UserScript = {
  opening: "I want to cancel.",
  rules: [
    { when: ["name", "who are"], say: "Ada Birch." },
    { when: ["postcode"], say: ["It is 1234.", "As I said, 1234."] },
    { when: "number", say: "It says {result}.", call: { name: "look" } },
    { when: ["cannot", "can t"], say: ["Please make an exception.", "Then leave it."], stop: true },
    { when: "cancelled", say: "Thanks.", stop: true },
  ],
  otherwise: "Sorry?",
};
const scripted = () => scriptedUser(() => script)(contextOf({ id: "a" }, { look: "$& 7" }));

describe("the words of a rule", () => {
  test.each([
    ["frame number", "What is the NUMBER of the frame?", true],
    ["frame number", "What is the number?", false],
    ["cancel*", "I have cancelled it", true],
    ["cancel", "I have cancelled it", false],
    ["can t", "I can't.", true],
    ["über*", "Überweisung", true],
    ["a*", "***", false],
    ["12.50", "It costs 12.50.", true],
  ])("%s in %j: %s", (when, message, expected) => {
    expect(applies(when, message)).toBe(expected);
    expect(applies(["missing", when], message)).toBe(expected);
  });

  test("take linear time", () => {
    const began = performance.now();
    applies(["x* y*", "z*"], "xx y* ".repeat(100_000));
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe("scriptedUser", () => {
  test("answers all questions of a message, with results of its tools, and leaves when it is satisfied", async () => {
    expect(await talk(scripted(), undefined, "Your name and postcode, please?", "And the number?", "It is cancelled.")).toEqual([
      "I want to cancel.",
      "Ada Birch. It is 1234.",
      "It says $& 7.",
      "Thanks. ###STOP###",
    ]);
  });

  test("pushes before it accepts a refusal", async () => {
    expect(await talk(scripted(), "I cannot do that.", "No, I can't.")).toEqual(["Please make an exception.", "Then leave it. ###STOP###"]);
  });

  test("prefers what is new, then leaving, then what it said already", async () => {
    expect(await talk(scripted(), "Before it is cancelled: your name?", "It is cancelled. Is your name right?")).toEqual([
      "Ada Birch.",
      "Thanks. ###STOP###",
    ]);
    expect(await talk(scripted(), "Who are you?", "Who are you?")).toEqual(["Ada Birch.", "Ada Birch."]);
  });

  test("leaves after messages without anything new", async () => {
    expect(await talk(scripted(), "Hm.", "", "Hm.")).toEqual(["Sorry?", "Sorry?", "This leads nowhere. ###STOP###"]);
    const answers = await talk(scripted(), ...Array.from({ length: 5 }, () => "Postcode?"));
    expect(answers).toEqual(["It is 1234.", "As I said, 1234.", "As I said, 1234.", "As I said, 1234.", "This leads nowhere. ###STOP###"]);
  });

  test("always leaves before long, and says the same to the same messages", async () => {
    const message = fc.constantFrom("name?", "postcode", "number", "cannot", "cancelled", "", "Hm ###STOP###");
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(message), async (stream) => {
        const messages = [...stream.take(30)];
        const [one, other] = [await talk(scripted(), ...messages), await talk(scripted(), ...messages)];
        expect(one).toEqual(other);
        // Each of the six texts of its rules is new once, and three messages without anything new may follow each.
        expect(one.findIndex((text) => text.includes(STOP_MARKS.stop))).toBeLessThan(7 * 3);
      }),
      { numRuns: 50 },
    );
  });

  test("without a script: the request, what it knows, and good-bye", async () => {
    const instructions = { reason_for_call: "I moved.", known_info: "My id is 7." };
    const plain = (task: Partial<Tau2Task>) => scriptedUser()(contextOf({ id: "a", ...task }));
    expect(await talk(plain({ user_scenario: { instructions } }), undefined, "Your id?", "Done.")).toEqual([
      "I moved.",
      "My id is 7.",
      "Thank you. ###STOP###",
    ]);
    expect(await talk(plain({ ticket: "Move me." }), undefined, "Who?", "Who?", "Who?", "Who?")).toEqual([
      "Move me.",
      ...Array.from({ length: 3 }, () => "I do not know."),
      "Thank you. ###STOP###",
    ]);
    expect(await talk(plain({ user_scenario: { instructions: "Ask." } }), undefined)).toEqual(["Ask."]);
    expect(await talk(plain({}), undefined)).toEqual(["Hello."]);
  });
});

describe("the end of an episode", () => {
  const update = { name: "update_task_status", arguments: { task_id: "task_1", status: "completed" } };
  const leaving = (mark: string) => () => ({ reply: (message: string | undefined) => (message === undefined ? "Hello." : `Bye ${mark}`) });

  test.each([
    ["###STOP###", 1],
    ["###TRANSFER###", 1],
    ["###OUT-OF-SCOPE###", 0],
    ["###STOP### ###OUT-OF-SCOPE###", 0],
  ])("%s", async (mark, reward) => {
    const trace = await playTurns(mockDomain, mockTask("update_task_1"), [update, "Done."], { user: leaving(mark) });
    expect([trace.stop_condition, totalReward(trace), trace.metrics.out_of_scope]).toEqual(["terminated", reward, 1 - reward]);
    expect(trace.nodes.at(-1)!.message).toEqual({ role: "user", content: `Bye ${mark}` });
  });

  test("an assistant cannot end it", async () => {
    const user = () => ({ reply: () => "Go on." });
    const trace = await playTurns(mockDomain, mockTask("update_task_1"), [update, "###STOP###"], { user, maxTurns: 4 });
    expect([trace.stop_condition, totalReward(trace)]).toEqual(["max_turns", 0]);
  });

  test("a user may leave with its first message", async () => {
    const user = () => ({ reply: () => "Never mind. ###STOP###" });
    const trace = await playTurns(mockDomain, mockTask("update_task_1"), [update, "Done."], { user });
    expect([trace.stop_condition, trace.metrics.turns, totalReward(trace), trace.metrics.db]).toEqual(["terminated", 1, 0, 0]);
  });

  test("40 messages of the assistant are the limit by default", async () => {
    const model = scriptedModel(() => call("get_users", {}));
    const trace = await playEpisode(model, dialogueEnvironment(mockDomain), mockTask("update_task_1"), { maxTokens: 1e6 });
    expect([trace.stop_condition, trace.metrics.turns, totalReward(trace)]).toEqual(["max_turns", 40, 0]);
  });

  test("a user that fails ends it without a reward", async () => {
    const user = () => ({
      reply: () => {
        throw new Error("no connection");
      },
    });
    const trace = await playTurns(mockDomain, mockTask("update_task_1"), ["Done."], { user });
    expect([trace.stop_condition, trace.rewards]).toEqual(["error", { reward: null }]);
  });
});

describe("modelUser", () => {
  const task = mockTask("update_task_with_user_tools");

  test("sees the scenario and the conversation with the roles exchanged, and calls its tools", async () => {
    const requests: (readonly ChatMessage[])[] = [];
    const model = scriptedModel(
      (_, turn) =>
        [
          call("check_notifications", {}),
          "They mean task_1.</think>\n\nI have completed task_1.",
          `One moment.\n${call("dismiss_notification", { notification_id: "notif_1" })}`,
          "Thank you. ###STOP###",
        ][turn]!,
      requests,
    );
    const update = { name: "update_task_status", arguments: { task_id: "task_1", status: "completed" } };
    const trace = await playTurns(mockDomain, task, [update, "I updated it. ###STOP###"], { user: modelUser(model) });
    expect(trace.errors).toEqual([]);
    expect(trace.nodes.map(({ message, sampled }) => [message.role, sampled, message.content?.slice(0, 12)])).toEqual([
      ["system", false, "# Mock Domai"],
      ["user", false, "I have compl"],
      ["assistant", true, ""],
      ["tool", false, '{"task_id":"'],
      ["assistant", true, "I updated it"],
      ["user", false, "Thank you. #"],
    ]);
    expect(trace.metrics).toMatchObject({ env_assertion: 1, action: 1, turns: 2 });
    const last = requests.at(-1)!;
    expect(last.map(({ role }) => role)).toEqual(["system", "user", "assistant", "tool", "assistant", "user", "assistant", "tool"]);
    expect(last[0]!.content).toContain("You just received a notification about a task.");
    expect(last[3]!).toMatchObject({ name: "check_notifications", tool_call_id: "user_call_0" });
    expect(last[4]!.content).toBe("I have completed task_1.");
    // The mark that only the user may set is removed, and the assistant's calls are not seen.
    expect(last[5]!.content).toBe("I updated it. ");
    expect(JSON.stringify(last)).not.toContain("update_task_status");

    // The trace has all that is needed to judge it again without the model.
    const [stored] = parseTraces(formatTrace(trace));
    expect(stored!.info).toEqual({
      user_calls: [
        [{ name: "check_notifications", arguments: {} }],
        [{ name: "dismiss_notification", arguments: { notification_id: "notif_1" } }],
      ],
    });
    const asked = requests.length;
    const again = await reverify(dialogueEnvironment(mockDomain, { user: recordedUser(stored!) }), stored!);
    expect([again.rewards, again.metrics, again.info, requests.length]).toEqual([trace.rewards, trace.metrics, trace.info, asked]);
  });

  test("a recorded user repeats the user of any trace of the same task", async () => {
    for (const id of ["update_task_1", "update_task_with_message_history"]) {
      const update = {
        name: "update_task_status",
        arguments: { task_id: id === "update_task_1" ? "task_1" : "task_2", status: "completed" },
      };
      const trace = await playTurns(mockDomain, mockTask(id), ["Shall I?", update, "Done."]);
      const environment = dialogueEnvironment(mockDomain, { user: recordedUser(trace) });
      expect([totalReward(trace), (await reverify(environment, trace)).rewards]).toEqual([1, trace.rewards]);
      const cut = { ...trace, nodes: trace.nodes.slice(0, -1) };
      await expect(reverify(dialogueEnvironment(mockDomain, { user: recordedUser(cut) }), cut)).rejects.toThrow(
        /expected message 3 of the user/,
      );
    }
    const trace = await playTurns(mockDomain, mockTask("update_task_1"), ["Done."]);
    expect(() => recordedUser({ ...trace, info: { user_calls: 3 } })).toThrow(/recordedUser: trace: info\.user_calls/);
  });

  test("continues a conversation", async () => {
    const requests: (readonly ChatMessage[])[] = [];
    const model = scriptedModel(() => "Mark it. ###STOP###", requests);
    await playTurns(mockDomain, mockTask("update_task_with_message_history"), ["Done."], { user: modelUser(model) });
    expect(requests[0]!.map(({ role, content }) => [role, String(content).slice(0, 9)])).toEqual([
      ["system", "You play "],
      ["assistant", "I need to"],
      ["user", "I've crea"],
    ]);
  });

  test("the user's own calls before the episode are its own", async () => {
    const history: DialogueMessage[] = [];
    const message_history = [
      { role: "user" as const, tool_calls: [{ id: "c", name: "check_notifications" }] },
      { role: "tool" as const, id: "c", requestor: "user" as const, content: "[]" },
    ];
    const trace = await playTurns(mockDomain, { id: "h", initial_state: { message_history } }, ["Done."], {
      user: (context) => {
        history.push(...context.history);
        return { reply: (message) => (message === undefined ? "Hello." : "Bye ###STOP###") };
      },
    });
    expect(history.map(({ role, name }) => [role, name])).toEqual([
      ["user", undefined],
      ["tool", "check_notifications"],
    ]);
    expect(trace.nodes.map(({ message }) => message.role)).toEqual(["system", "user", "assistant", "user"]);
  });

  test("a model that says nothing, or only calls, ends the episode without a reward", async () => {
    for (const said of ["", "<think>x</think>", "<think>x", call("check_notifications", {})]) {
      const user = modelUser(
        scriptedModel(() => said),
        { maxToolTurns: 2 },
      );
      const trace = await playTurns(mockDomain, task, ["Done."], { user });
      expect([trace.stop_condition, trace.rewards, trace.errors[0]!.type]).toEqual(["error", { reward: null }, "InputError"]);
    }
    expect(() => modelUser({} as never)).toThrow(InputError);
    expect(() =>
      modelUser(
        scriptedModel(() => ""),
        { tokens: 3 } as never,
      ),
    ).toThrow(/tokens: unknown option/);
  });
});

test("an episode after a message of the user or a result begins with the assistant", async () => {
  for (const length of [1, 3]) {
    const { initial_state, ...rest } = mockTask("update_task_with_message_history");
    const message_history = initial_state!.message_history!.slice(0, length);
    const trace = await playTurns(mockDomain, { ...rest, initial_state: { message_history } }, ["Done."]);
    expect(trace.nodes.map(({ message }) => message.role)).toEqual(
      ["system", "user", "assistant", "tool"].slice(0, length + 1).concat("assistant", "user"),
    );
    expect((await reverify(dialogueEnvironment(mockDomain), trace)).rewards).toEqual(trace.rewards);
  }
});
