// The mock domain of tau2-bench, whose data are in tau2-mock/: users with tasks, and an inbox of the user.

import { readFileSync } from "node:fs";
import { type DialogueDomain, parseTau2Tasks, type Tau2Task, ToolError } from "../../../src/environments/index.js";

const read = (name: string) => readFileSync(new URL(`tau2-mock/${name}`, import.meta.url), "utf8");

interface MockTask {
  readonly task_id: string;
  readonly title: string;
  readonly description: string | null;
  status: string;
}

interface MockDatabase {
  tasks: Record<string, MockTask>;
  users: Record<string, { readonly user_id: string; readonly name: string; tasks: string[] }>;
}

interface MockInbox {
  notifications: Record<string, { notification_id: string; message: string; status: string; task_id: string | null }>;
}

const text = { type: "string" };
const object = (properties: object, optional: readonly string[] = []) => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});

/** The entry of a record. @throws {ToolError} there is none */
function entry<Value>(record: Readonly<Record<string, Value>>, kind: string, id: string): Value {
  if (!Object.hasOwn(record, id)) throw new ToolError(`${kind} ${id} not found`);
  return record[id]!;
}

export const mockDomain: DialogueDomain<MockDatabase, MockInbox> = {
  name: "mock",
  policy: read("policy.md"),
  tools: [
    {
      name: "create_task",
      description: "Creates a task for a user",
      parameters: object({ user_id: text, title: text, description: text }, ["description"]),
      run({ database }, { user_id, title, description = null }: { user_id: string; title: string; description?: string | null }) {
        const user = entry(database.users, "User", user_id);
        const task_id = `task_${Object.keys(database.tasks).length + 1}`;
        user.tasks.push(task_id);
        database.tasks[task_id] = { task_id, title, description, status: "pending" };
        return database.tasks[task_id];
      },
    },
    { name: "get_users", description: "Returns all users", parameters: object({}), run: ({ database }) => Object.values(database.users) },
    {
      name: "update_task_status",
      description: "Sets the status of a task",
      parameters: object({ task_id: text, status: { enum: ["pending", "completed"] } }),
      run({ database }, { task_id, status }: { task_id: string; status: string }) {
        const task = entry(database.tasks, "Task", task_id);
        task.status = status;
        return task;
      },
    },
    {
      name: "transfer_to_human_agents",
      description: "Hands the user over to a person",
      parameters: object({ summary: text }),
      run: () => "Transfer successful",
    },
  ],
  userTools: [
    {
      name: "check_notifications",
      description: "Returns the notifications",
      parameters: object({}),
      run: ({ userDatabase }) => Object.values(userDatabase.notifications),
    },
    {
      name: "dismiss_notification",
      description: "Marks a notification as read",
      parameters: object({ notification_id: text }),
      run({ userDatabase }, { notification_id }: { notification_id: string }) {
        entry(userDatabase.notifications, "Notification", notification_id).status = "read";
        return `Notification ${notification_id} dismissed`;
      },
    },
  ],
  assertions: {
    assert_number_of_tasks: ({ database }, { user_id, expected_number }: { user_id: string; expected_number: number }) =>
      entry(database.users, "User", user_id).tasks.length === expected_number,
    assert_task_status: ({ database }, { task_id, expected_status }: { task_id: string; expected_status: string }) =>
      entry(database.tasks, "Task", task_id).status === expected_status,
    assert_notification_status: (
      { userDatabase },
      { notification_id, expected_status }: { notification_id: string; expected_status: string },
    ) => entry(userDatabase.notifications, "Notification", notification_id).status === expected_status,
  },
  initializers: {
    add_notification(
      { userDatabase },
      { notification_id, message, task_id = null }: { notification_id: string; message: string; task_id?: string | null },
    ) {
      userDatabase.notifications[notification_id] = { notification_id, message, status: "unread", task_id };
    },
  },
  database: JSON.parse(read("db.json")),
  userDatabase: JSON.parse(read("user_db.json")),
};

export const mockTasks: readonly Tau2Task[] = parseTau2Tasks(read("tasks.json"), "tasks.json");

export function mockTask(id: string): Tau2Task {
  const task = mockTasks.find((one) => one.id === id);
  if (!task) throw new Error(`expected a task of the mock domain, got ${id}`);
  return task;
}
