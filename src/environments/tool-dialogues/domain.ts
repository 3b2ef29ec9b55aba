// Domains, and the databases of one episode.

import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { plainJson } from "../../base/plain-json.js";
import { printedJson } from "../../base/printed.js";
import type { ToolCall } from "../../text/format-chat.js";
import type { ToolDefinition } from "../environment.js";
import { canonicalJson } from "../play.js";
import { callTool, ToolError, type ToolOf, toolsByName } from "../tools.js";
import type { Requestor, Tau2FunctionCall, Tau2Task } from "./tau2-tasks.js";

/** The databases of an episode. Both are plain JSON. */
export interface Databases<Database = object, UserDatabase = object> {
  database: Database;
  /** What belongs to the user, such as a phone. */
  userDatabase: UserDatabase;
}

/** A function of a domain that tasks name and models cannot call. */
export type DomainFunction<Database = object, UserDatabase = object, Result = unknown> = (
  databases: Databases<Database, UserDatabase>,
  args: never,
) => Result;

/** A setting in which an assistant with tools serves a user. */
export interface DialogueDomain<Database extends object = object, UserDatabase extends object = object> {
  readonly name: string;
  /** The rules for the assistant, which become the system message. */
  readonly policy: string;
  /**
   * Tools of the assistant. They may change the databases in place. A tool that throws changes nothing.
   */
  readonly tools: readonly ToolOf<Databases<Database, UserDatabase>>[];
  /** Tools of the user (none). */
  readonly userTools?: readonly ToolOf<Databases<Database, UserDatabase>>[] | undefined;
  /** The functions of `env_assertions`, by name (none). One that throws a {@link ToolError} is not met. */
  readonly assertions?: Readonly<Record<string, DomainFunction<Database, UserDatabase, boolean>>> | undefined;
  /** Functions of `initialization_actions` that are not tools, by name (none). */
  readonly initializers?: Readonly<Record<string, DomainFunction<Database, UserDatabase>>> | undefined;
  /** The database at the beginning of each task. */
  readonly database: Database;
  /** The user's database at the beginning of each task (empty). */
  readonly userDatabase?: UserDatabase | undefined;
}

/** Checks a domain. The returned domain does not know the types of its databases. @throws {InputError} an invalid domain */
export function expectDomain<Database extends object, UserDatabase extends object>(
  where: string,
  domain: DialogueDomain<Database, UserDatabase>,
): DialogueDomain {
  expectArgument(where, isObjectLike(domain), "a domain { name, policy, tools, database }", domain);
  const { name, policy, tools, userTools = [], assertions = {}, initializers = {}, database, userDatabase = {} } = domain;
  expectArgument(`${where}: name`, typeof name === "string", "a name", name);
  expectArgument(`${where}: policy`, typeof policy === "string" && policy !== "", "a text", policy);
  toolsByName(`${where}: tools`, tools);
  toolsByName(`${where}: userTools`, userTools);
  for (const [field, functions] of Object.entries({ assertions, initializers })) {
    const fits = isObjectLike(functions) && Object.values(functions).every((one) => typeof one === "function");
    expectArgument(`${where}: ${field}`, fits, "functions by name", functions);
  }
  plainJson(database, `${where}: database`);
  plainJson(userDatabase, `${where}: userDatabase`);
  return domain as unknown as DialogueDomain;
}

/** The result of a call. */
export interface CallResult {
  readonly text: string;
  readonly failed: boolean;
  /** Whether the requestor has this tool. */
  readonly known: boolean;
}

/** The databases of one episode with the tools that change them. */
export class World {
  readonly tools: Readonly<Record<Requestor, ReadonlyMap<string, ToolOf<Databases>>>>;
  private databases: Databases;

  private constructor(
    private readonly domain: DialogueDomain,
    task: Tau2Task,
  ) {
    const place = placeOf(task);
    const userTools = domain.userTools ?? [];
    const unknown = task.user_tools?.find((name) => !userTools.some((tool) => tool.name === name));
    if (unknown !== undefined) throw new InputError(`${place}: user_tools: expected tools of the user, got ${printedJson(unknown)}`);
    const ofUser = userTools.filter(({ name }) => task.user_tools?.includes(name) ?? true);
    this.tools = { assistant: toolsByName("domain: tools", domain.tools), user: toolsByName("domain: userTools", ofUser) };
    const { agent_data, user_data } = task.initial_state?.initialization_data ?? {};
    this.databases = {
      database: merged(plainJson(domain.database, "domain: database"), agent_data ?? {}),
      userDatabase: merged(plainJson(domain.userDatabase ?? {}, "domain: userDatabase"), user_data ?? {}),
    };
  }

  /**
   * Creates the databases of a task: those of the domain, then `initialization_data`, `initialization_actions` and the calls of
   * `message_history`.
   *
   * @throws {InputError} a task that does not fit the domain
   */
  static async open(domain: DialogueDomain, task: Tau2Task, signal: AbortSignal): Promise<World> {
    const world = new World(domain, task);
    for (const [i, action] of (task.initial_state?.initialization_actions ?? []).entries()) {
      await world.initialize(action, `${placeOf(task)}: initial_state.initialization_actions.${i}`, signal);
    }
    await world.replayHistory(task, signal);
    return world;
  }

  /** Runs a call. If it fails, or throws because a tool is broken, the databases stay as they are. */
  async call(requestor: Requestor, call: ToolCall, signal: AbortSignal): Promise<CallResult> {
    const draft = structuredClone(this.databases);
    const result = await callTool(this.tools[requestor], call, draft, signal);
    // A tool that ends after the episode changes nothing either.
    if (!result.failed && !signal.aborted) this.databases = draft;
    return { ...result, known: this.tools[requestor].has(call.name) };
  }

  /** Whether an assertion holds. The databases stay as they are. @throws {InputError} an assertion that the domain does not have */
  holds({ func_name: name, arguments: args }: Tau2FunctionCall, expected: boolean, place: string): boolean {
    const assertion = ownFunction(this.domain.assertions, name);
    if (!assertion) throw new InputError(`${place}: func_name: expected an assertion of the domain, got ${printedJson(name)}`);
    let value: unknown;
    try {
      value = assertion(structuredClone(this.databases), (args ?? {}) as never);
    } catch (error) {
      if (error instanceof ToolError) return false;
      throw error;
    }
    if (typeof value !== "boolean") throw new InputError(`${place}: expected true or false from ${name}, got ${printedJson(value)}`);
    return value === expected;
  }

  /** The content of both databases as text, in which the order of keys does not matter. */
  content(): string {
    return canonicalJson(this.databases);
  }

  private async initialize({ env_type, func_name: name, arguments: args }: Tau2FunctionCall, place: string, signal: AbortSignal) {
    const initializer = ownFunction(this.domain.initializers, name);
    if (initializer) {
      initializer(this.databases, (args ?? {}) as never);
      return;
    }
    const { failed, text, known } = await this.call(env_type, { name, arguments: args ?? {} }, signal);
    if (!known) throw new InputError(`${place}: func_name: expected an initializer or a tool of the ${env_type}, got ${printedJson(name)}`);
    if (failed) throw new InputError(`${place}: expected a call that succeeds, got ${text}`);
  }

  private async replayHistory(task: Tau2Task, signal: AbortSignal): Promise<void> {
    for (const { requestor, call, result, place } of historyCalls(task)) {
      const before = this.content();
      const { text, failed } = await this.call(requestor, call, signal);
      // What a call that changes nothing returned then does not matter now.
      if (!failed && this.content() !== before && !isSameResult(text, result)) {
        throw new InputError(`${place}: content: expected the result of ${call.name}, ${text}, got ${result}`);
      }
    }
  }
}

/** A call before the beginning of an episode, with its result. `place` is that of the result, for messages. */
export interface HistoryCall {
  /** Index of the result among the messages. */
  readonly index: number;
  readonly requestor: Requestor;
  readonly id: string;
  readonly call: ToolCall;
  readonly result: string;
  readonly place: string;
}

/** Returns the calls of `message_history`. @throws {InputError} calls that are not followed by their results */
export function historyCalls(task: Tau2Task): HistoryCall[] {
  const messages = task.initial_state?.message_history ?? [];
  const found: HistoryCall[] = [];
  for (let i = 0; i < messages.length; ) {
    const { role, tool_calls: calls } = messages[i]!;
    const place = (index: number) => `${placeOf(task)}: initial_state.message_history.${index}`;
    if (role === "tool") throw new InputError(`${place(i)}: expected a result after its call, got a result without`);
    i++;
    for (const { id, name, arguments: args } of calls ?? []) {
      const result = messages[i];
      if (result?.role !== "tool" || result.id !== id) {
        throw new InputError(`${place(i)}: expected the result of call ${printedJson(id)}, got ${result ? printedJson(result) : "none"}`);
      }
      found.push({ index: i, requestor: role, id, call: { name, arguments: args ?? {} }, result: result.content ?? "", place: place(i) });
      i++;
    }
  }
  return found;
}

/** Where an error is. */
export function placeOf({ id }: Tau2Task): string {
  return `task ${printedJson(id)}`;
}

function ownFunction<F>(functions: Readonly<Record<string, F>> | undefined, name: string): F | undefined {
  return functions && Object.hasOwn(functions, name) ? functions[name] : undefined;
}

/** Merges changes into an object. Objects are merged field by field; other values, also arrays, are replaced. */
function merged(base: object, changes: object): object {
  const before = base as Readonly<Record<string, unknown>>;
  const entries = Object.entries(changes).map(([key, value]) => {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    return [key, isPlain(old) && isPlain(value) ? merged(old, value) : structuredClone(value)] as const;
  });
  // Unlike an assignment, this makes "__proto__" a key like any other.
  return Object.fromEntries([...Object.entries(before), ...entries]);
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSameResult(a: string, b: string): boolean {
  return canonicalJson(parsedOrText(a)) === canonicalJson(parsedOrText(b));
}

/** The value of a text that is JSON, otherwise the text. */
export function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Tools as models see them. */
export function definitions(tools: Iterable<ToolDefinition>): ToolDefinition[] {
  return Array.from(tools, ({ name, description, parameters }) => ({ name, description, parameters }));
}
