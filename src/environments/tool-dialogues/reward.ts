// The reward of tau2-bench: the product of the parts that a task names.

import type { ChatMessage, ToolCall } from "../../text/format-chat.js";
import { canonicalJson } from "../play.js";
import { type DialogueDomain, parsedOrText, placeOf, World } from "./domain.js";
import { REWARD_PARTS, type Requestor, type RewardPart, rewardBasis, type Tau2Action, type Tau2Task } from "./tau2-tasks.js";

/** A message of a conversation with its calls. The result of a tool has the tool's name. */
export interface DialogueMessage {
  readonly role: "user" | "assistant" | "tool";
  readonly content: string;
  readonly name?: string;
  readonly tool_calls?: readonly (ToolCall & { readonly id: string })[];
}

/** Converts a message to the form of OpenAI's API. @param answered the id of the call that a result answers */
export function toChatMessage({ role, content, name, tool_calls: calls }: DialogueMessage, answered?: string): ChatMessage {
  return {
    role,
    content,
    ...(name !== undefined && { name }),
    ...(answered !== undefined && { tool_call_id: answered }),
    ...(calls && {
      tool_calls: calls.map(({ id, name, arguments: args }) => ({
        id,
        type: "function",
        function: { name, arguments: JSON.stringify(args) },
      })),
    }),
  };
}

/** A statement about a conversation, for a judge. */
export interface JudgedStatement {
  readonly task: Tau2Task;
  readonly statement: string;
  readonly dialogue: readonly DialogueMessage[];
}

/** Decides whether a statement about a conversation is true. Null if it cannot tell. */
export type DialogueJudge = (
  judged: JudgedStatement,
  options: { readonly signal: AbortSignal },
) => boolean | null | Promise<boolean | null>;

/** What happened in an episode. */
export interface DialogueRecord {
  readonly dialogue: readonly DialogueMessage[];
  /** The calls of tools that the requestor has. */
  readonly calls: readonly (ToolCall & { readonly requestor: Requestor })[];
}

/** The value of each part: 1, 0, or null if it could not be judged. */
export type PartScores = Readonly<Record<RewardPart, number | null>>;

/** Judges all parts. Without a judge, NL_ASSERTION is null; the judge is only asked if the reward needs it. */
export async function scoreParts(
  domain: DialogueDomain,
  task: Tau2Task,
  world: World,
  { dialogue, calls }: DialogueRecord,
  judge: DialogueJudge | undefined,
  signal: AbortSignal,
): Promise<PartScores> {
  const { actions, env_assertions, communicate_info, nl_assertions } = task.evaluation_criteria ?? {};
  const said = dialogue.filter(({ role, content }) => role === "assistant" && content !== "");
  const texts = said.map(({ content }) => content.toLowerCase().replaceAll(",", ""));
  const statements = rewardBasis(task).includes("NL_ASSERTION") ? (nl_assertions ?? []) : [];
  const verdicts = await Promise.all(
    statements.map(async (statement) => (await judge?.({ task, statement, dialogue }, { signal })) ?? null),
  );
  return {
    // As published, a task with neither actions nor assertions does not compare databases.
    DB: !actions && !env_assertions ? 1 : Number((await goldWorld(domain, task, signal)).content() === world.content()),
    ENV_ASSERTION: Number(
      (env_assertions ?? []).every((one, i) =>
        world.holds(one, one.assert_value ?? true, `${placeOf(task)}: evaluation_criteria.env_assertions.${i}`),
      ),
    ),
    ACTION: Number((actions ?? []).every((action) => calls.some((call) => isCallOf(action, call)))),
    COMMUNICATE: Number((communicate_info ?? []).every((info) => texts.some((text) => text.includes(info.toLowerCase())))),
    NL_ASSERTION: verdicts.includes(false) ? 0 : verdicts.includes(null) ? null : 1,
  };
}

/** The reward: the product of the parts that the task names, 1 if it names none, and null if one of them is null. */
export function productOf(task: Tau2Task, parts: PartScores): number | null {
  const values = rewardBasis(task).map((part) => parts[part]);
  return values.includes(null) ? null : values.reduce<number>((product, value) => product * value!, 1);
}

/** The parts that were judged, by their names in lower case. */
export function partMetrics(parts: PartScores): Record<string, number> {
  return Object.fromEntries(REWARD_PARTS.flatMap((part) => (parts[part] === null ? [] : [[part.toLowerCase(), parts[part]]])));
}

/** The databases after the actions of the task. An action that fails changes nothing. */
export async function goldWorld(
  domain: DialogueDomain,
  task: Tau2Task,
  signal: AbortSignal,
  onFailure: (action: Tau2Action, message: string) => void = () => {},
): Promise<World> {
  const world = await World.open(domain, task, signal);
  for (const action of task.evaluation_criteria?.actions ?? []) {
    const { failed, text } = await world.call(action.requestor ?? "assistant", callOf(action), signal);
    if (failed) onFailure(action, text);
  }
  return world;
}

export function callOf({ name, arguments: args }: Tau2Action): ToolCall {
  return { name, arguments: args ?? {} };
}

/** Whether a call is that of an action: the same tool with the same arguments, or with the same ones among `compare_args`. */
function isCallOf({ name, arguments: expected, compare_args: compared }: Tau2Action, call: ToolCall): boolean {
  const select = (args: ToolCall["arguments"]) =>
    Object.fromEntries(
      Object.entries(args).flatMap(([key, value]) => ((compared?.includes(key) ?? true) ? [[key, normalized(value)]] : [])),
    );
  return name === call.name && canonicalJson(select(expected ?? {})) === canonicalJson(select(call.arguments));
}

/** Replaces texts that are JSON objects or arrays by their values, so that their spelling does not matter. */
function normalized(value: unknown): unknown {
  if (typeof value === "string") {
    const parsed = /^\s*[[{]/.test(value) ? parsedOrText(value) : value;
    return typeof parsed === "string" ? value : normalized(parsed);
  }
  if (Array.isArray(value)) return value.map(normalized);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normalized(item)]));
}
