import { InputError, LightningError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { ChatMessage, ToolCall } from "../text/format-chat.js";
import type { AssistantMessage, Environment, Episode, Scores, ToolDefinition } from "./environment.js";
import { schemaViolation } from "./json-schema.js";

/** A tool with its function. */
export interface ToolOf<State> extends ToolDefinition {
  /**
   * Runs a call. The arguments fit the schema of `parameters`. The result becomes the message that the model sees, as text or as JSON.
   *
   * @throws {ToolError} the call cannot be done; the model sees the message, and the episode goes on. Any other error ends the episode
   */
  run(state: State, args: never, options: { readonly signal: AbortSignal }): unknown;
}

/** The error of a call that the model can correct, such as an unknown id. */
export class ToolError extends LightningError {
  override name = "ToolError";
}

/** What decides the rewards of an episode with tools. */
export interface ToolTranscript {
  /** All messages of the model, in order. */
  readonly answers: readonly AssistantMessage[];
  /** All calls that ran, in order, with their results. */
  readonly calls: readonly {
    readonly name: string;
    readonly arguments: Readonly<Record<string, unknown>>;
    readonly result: string;
    readonly failed: boolean;
  }[];
  /** The last message of the model, if it ended the episode. Undefined if a limit did. */
  readonly final: AssistantMessage | undefined;
}

/** Definition of an environment in which a model calls tools, and ends the episode with a message without calls. */
export interface ToolEnvironmentDefinition<Row extends object, State> {
  readonly name: string;
  readonly weights?: Readonly<Record<string, number>>;
  readonly tools: readonly ToolOf<State>[];
  /**
   * Whether the model's chat format describes the tools to the model (true). If false, `messages` must describe them, or training must
   * teach them. The descriptions are most of the tokens of a short episode.
   */
  readonly describeTools?: boolean;
  /** Creates the state of an episode. */
  start(row: Row, options: { readonly seed: number; readonly signal: AbortSignal }): State | Promise<State>;
  /** The first messages. */
  messages(row: Row): readonly ChatMessage[];
  /** Whether the task is over after the calls of a message. By default, only a message without calls ends the episode. */
  isOver?(state: State): boolean;
  /** Judges the episode. */
  score(row: Row, state: State, transcript: ToolTranscript, options: { readonly signal: AbortSignal }): Scores | Promise<Scores>;
  /** Frees the state. */
  dispose?(state: State): void | Promise<void>;
}

/** Finds tools by their names. @throws {InputError} invalid tools, or a name that occurs twice */
export function toolsByName<State>(where: string, tools: readonly ToolOf<State>[]): ReadonlyMap<string, ToolOf<State>> {
  expectArgument(where, Array.isArray(tools), "an array of tools", tools);
  for (const [i, tool] of tools.entries()) {
    const fits = isObjectLike(tool) && typeof tool.name === "string" && typeof tool.run === "function" && isObjectLike(tool.parameters);
    expectArgument(`${where}[${i}]`, fits, "{ name, description, parameters, run }", tool);
  }
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  if (byName.size < tools.length) throw new InputError(`${where}: expected unique names, got a name twice`);
  return byName;
}

/** Runs a call, and returns its result as text. Calls that are unknown, do not fit the schema or throw a {@link ToolError} have failed. */
export async function callTool<State>(
  tools: ReadonlyMap<string, ToolOf<State>>,
  { name, arguments: args }: ToolCall,
  state: State,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly failed: boolean }> {
  const tool = tools.get(name);
  if (!tool) return { text: `error: unknown tool ${JSON.stringify(name)}; expected ${[...tools.keys()].join(", ")}`, failed: true };
  const violation = schemaViolation(tool.parameters, args);
  if (violation) return { text: `error: ${name}: ${violation}`, failed: true };
  try {
    const value = await tool.run(state, args as never, { signal });
    return { text: typeof value === "string" ? value : (JSON.stringify(value) ?? ""), failed: false };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { text: `error: ${error.message}`, failed: true };
  }
}

/** Most characters of a call that an error repeats. The model sees what it wrote anyway, and long errors would fill its context. */
const MAX_REPEATED = 500;

const beginningOf = (text: string): string => (text.length > MAX_REPEATED ? `${text.slice(0, MAX_REPEATED)}…` : text);

/** The results of calls that cannot be read. */
export function malformedCalls({ malformed }: AssistantMessage): ChatMessage[] {
  return malformed.map(({ line, error, id, name = "tool_calls" }) => ({
    role: "tool",
    name,
    ...(id !== undefined && { tool_call_id: id }),
    content: `error: ${JSON.stringify(beginningOf(line))} is not a call: ${beginningOf(error)}`,
  }));
}

/**
 * Creates an environment from tools. A message with calls is answered by their results; a message without calls ends the episode. Calls
 * that are unreadable, unknown or do not fit the schema are answered by an error, which the model can correct.
 *
 * @throws {InputError} an invalid definition
 */
export function toolEnvironment<Row extends object, State>(definition: ToolEnvironmentDefinition<Row, State>): Environment<Row> {
  expectArgument("toolEnvironment: definition", isObjectLike(definition), "{ name, tools, start, messages, score }", definition);
  const { name, tools, weights, describeTools = true } = definition;
  expectArgument("toolEnvironment: name", typeof name === "string", "a name", name);
  expectArgument("toolEnvironment: describeTools", typeof describeTools === "boolean", "true or false", describeTools);
  for (const method of ["start", "messages", "score"] as const) {
    expectArgument(`toolEnvironment: ${method}`, typeof definition[method] === "function", "a function", definition[method]);
  }
  const byName = toolsByName("toolEnvironment: tools", tools);

  return {
    name,
    ...(weights && { weights }),
    async start(row, context): Promise<Episode> {
      const state = await definition.start(row, context);
      const answers: AssistantMessage[] = [];
      const calls: { name: string; arguments: Readonly<Record<string, unknown>>; result: string; failed: boolean }[] = [];
      let final: AssistantMessage | undefined;
      return {
        messages: definition.messages(row),
        ...(describeTools && { tools }),
        async step(answer, { signal }) {
          answers.push(answer);
          if (answer.toolCalls.length === 0 && answer.malformed.length === 0) {
            final = answer;
            return { messages: [], terminated: true };
          }
          const messages = malformedCalls(answer);
          for (const call of answer.toolCalls) {
            const { text, failed } = await callTool(byName, call, state, signal);
            calls.push({ name: call.name, arguments: call.arguments, result: text, failed });
            messages.push({ role: "tool", name: call.name, tool_call_id: call.id, content: text });
          }
          return { messages, terminated: definition.isOver?.(state) === true };
        },
        score: (options) => definition.score(row, state, { answers, calls, final }, options),
        dispose: () => definition.dispose?.(state),
      };
    },
  };
}
