import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { callback, flag, parseOptions } from "../../base/options.js";
import type { ChatMessage, ToolCall } from "../../text/format-chat.js";
import type { AssistantMessage, Environment, Episode, Reply, Scores, ToolDefinition } from "../environment.js";
import { malformedCalls } from "../tools.js";
import { type CallResult, type DialogueDomain, definitions, expectDomain, historyCalls, placeOf, World } from "./domain.js";
import {
  type DialogueJudge,
  type DialogueMessage,
  type DialogueRecord,
  partMetrics,
  productOf,
  scoreParts,
  toChatMessage,
} from "./reward.js";
import { checkTask, type Requestor, type Tau2Task } from "./tau2-tasks.js";
import { type DialogueInfo, type DialogueUser, STOP_MARKS, scriptedUser, type UserSource } from "./users.js";

/** Options of {@link dialogueEnvironment}. Defaults are in parentheses. */
export interface DialogueOptions {
  /** The user (`scriptedUser()`). */
  user?: UserSource;
  /** Judges NL_ASSERTION (none, so that rewards that need it are null). */
  judge?: DialogueJudge;
  /** Whether the assistant works alone: it gets the `ticket` and all tools, and ends the episode with a message without calls (false). */
  solo?: boolean;
}

const schema = v.strictObject({
  user: v.optional(callback<UserSource>()),
  judge: v.optional(callback<DialogueJudge>()),
  solo: v.optional(flag, false),
});

/**
 * Creates an environment in which an assistant serves a user, as in tau2-bench. The system message is the domain's policy, and the user
 * speaks first. A message of the assistant with calls is answered by their results, any other message by the user. The episode ends when
 * the user leaves.
 *
 * The only reward is `reward`, the product of the parts in the task's `reward_basis`. It is null if one of them could not be judged, and 0
 * if a limit ended the episode. The parts are metrics, for example `db`.
 *
 * @throws {InputError} an invalid domain or invalid options
 */
export function dialogueEnvironment<Database extends object, UserDatabase extends object = object>(
  domain: DialogueDomain<Database, UserDatabase>,
  options: DialogueOptions = {},
): Environment<Tau2Task> {
  const checked = expectDomain("dialogueEnvironment: domain", domain);
  const { user = scriptedUser(), judge, solo } = parseOptions(schema, options, "dialogueEnvironment");
  return {
    name: domain.name,
    weights: { reward: 1 },
    async start(row, { seed, signal }) {
      const task = checkTask(row, `${domain.name}: task`);
      const dialogue = new Dialogue(checked, task, await World.open(checked, task, signal), solo, judge);
      await dialogue.begin(user, seed, signal);
      return dialogue;
    },
  };
}

/** Why an episode is over. */
type End = "finished" | "out of scope";

class Dialogue implements Episode {
  readonly messages: ChatMessage[] = [];
  readonly tools: readonly ToolDefinition[];
  private readonly record: { dialogue: DialogueMessage[]; calls: DialogueRecord["calls"][number][] } = { dialogue: [], calls: [] };
  private user: DialogueUser | undefined;
  private end: End | undefined;
  private toolErrors = 0;
  /** The user's calls before each of its messages. */
  private readonly callsOfUser: ToolCall[][] = [];

  constructor(
    private readonly domain: DialogueDomain,
    private readonly task: Tau2Task,
    private readonly world: World,
    private readonly solo: boolean,
    private readonly judge: DialogueJudge | undefined,
  ) {
    const { assistant, user } = world.tools;
    const shared = [...user.keys()].find((name) => assistant.has(name));
    if (solo && shared !== undefined)
      throw new InputError(`${domain.name}: solo: expected tools with different names, got ${shared} twice`);
    this.tools = definitions(solo ? [...assistant.values(), ...user.values()] : assistant.values());
  }

  /** Collects the first messages. */
  async begin(user: UserSource, seed: number, signal: AbortSignal): Promise<void> {
    const { task, domain, messages } = this;
    messages.push({ role: "system", content: domain.policy });
    if (this.solo) {
      if (!task.ticket) throw new InputError(`${placeOf(task)}: ticket: expected a text for an assistant that works alone, got none`);
      messages.push({ role: "user", content: task.ticket });
    }
    const seen = this.readHistory();
    if (this.solo) return;
    this.user = user({
      task,
      seed,
      tools: definitions(this.world.tools.user.values()),
      history: seen,
      call: (call, options) => this.callOfUser(call, options.signal),
    });
    if (!this.isAssistantsTurn()) messages.push(...(await this.hearUser(undefined, signal)).messages);
  }

  async step(answer: AssistantMessage, { signal }: { readonly signal: AbortSignal }): Promise<Reply> {
    // The user may have left with its first message.
    if (this.end) return { messages: [], terminated: true };
    const { content, toolCalls, malformed } = answer;
    this.record.dialogue.push({ role: "assistant", content, ...(toolCalls.length > 0 && { tool_calls: toolCalls }) });
    if (toolCalls.length > 0 || malformed.length > 0) return { messages: await this.results(answer, signal) };
    if (this.user) return this.hearUser(content, signal);
    this.end = "finished";
    return { messages: [], terminated: true };
  }

  async score({ signal }: { readonly signal: AbortSignal }): Promise<Scores> {
    const isFinished = this.end === "finished";
    // A judge is not asked about an episode that has no reward.
    const judge = isFinished ? this.judge : () => null;
    const parts = await scoreParts(this.domain, this.task, this.world, this.record, judge, signal);
    return {
      rewards: { reward: isFinished ? productOf(this.task, parts) : 0 },
      metrics: { ...partMetrics(parts), tool_errors: this.toolErrors, out_of_scope: Number(this.end === "out of scope") },
      ...(this.callsOfUser.flat().length > 0 && { info: { user_calls: this.callsOfUser } satisfies DialogueInfo }),
    };
  }

  /** Runs the assistant's calls. */
  private async results(answer: AssistantMessage, signal: AbortSignal): Promise<ChatMessage[]> {
    const messages = malformedCalls(answer);
    this.toolErrors += messages.length;
    for (const call of answer.toolCalls) {
      const requestor = this.solo && this.world.tools.user.has(call.name) ? "user" : "assistant";
      const { text, failed } = await this.call(requestor, call, signal);
      this.toolErrors += Number(failed);
      messages.push({ role: "tool", name: call.name, tool_call_id: call.id, content: text });
      this.record.dialogue.push({ role: "tool", name: call.name, content: text });
    }
    return messages;
  }

  /** Runs a call of the user, which the assistant does not see. */
  private async callOfUser(call: ToolCall, signal: AbortSignal): Promise<CallResult> {
    const { dialogue, calls } = this.record;
    this.callsOfUser.at(-1)!.push(call);
    dialogue.push({ role: "user", content: "", tool_calls: [{ id: `user_call_${calls.length}`, ...call }] });
    const result = await this.call("user", call, signal);
    dialogue.push({ role: "tool", name: call.name, content: result.text });
    return result;
  }

  private async call(requestor: Requestor, { name, arguments: args }: ToolCall, signal: AbortSignal): Promise<CallResult> {
    const result = await this.world.call(requestor, { name, arguments: args }, signal);
    if (result.known) this.record.calls.push({ requestor, name, arguments: args });
    return result;
  }

  private async hearUser(said: string | undefined, signal: AbortSignal): Promise<Reply> {
    this.callsOfUser.push([]);
    const content = await this.user!.reply(said, { signal });
    if (typeof content !== "string") throw new InputError(`${this.domain.name}: user: expected a text, got ${typeof content}`);
    this.record.dialogue.push({ role: "user", content });
    if (content.includes(STOP_MARKS.outOfScope)) this.end = "out of scope";
    else if (content.includes(STOP_MARKS.stop) || content.includes(STOP_MARKS.transfer)) this.end = "finished";
    return { messages: [{ role: "user", content }], terminated: this.end !== undefined };
  }

  /** Adds the messages before the episode to those of the assistant. Returns those that the user has seen. */
  private readHistory(): DialogueMessage[] {
    const seen: DialogueMessage[] = [];
    const results = new Map(historyCalls(this.task).map((one) => [one.index, one]));
    for (const [i, { role, content: given, tool_calls: calls }] of historyOf(this.task).entries()) {
      const content = given ?? "";
      const result = results.get(i);
      const made = (calls ?? []).map(({ id, name, arguments: args }) => ({ id, name, arguments: args ?? {} }));
      const message = { role, content, ...(result && { name: result.call.name }), ...(made.length > 0 && { tool_calls: made }) };
      this.record.dialogue.push(message);
      // Calls and their results are seen by those who made the calls.
      const isShared = !result && made.length === 0;
      const isUsers = (result?.requestor ?? role) === "user";
      if (isShared || isUsers) seen.push(message);
      if (isShared || !isUsers) this.messages.push(toChatMessage(message, result?.id));
    }
    for (const { requestor, call } of results.values()) {
      if (this.world.tools[requestor].has(call.name)) this.record.calls.push({ requestor, ...call });
    }
    return seen;
  }

  private isAssistantsTurn(): boolean {
    const last = historyOf(this.task).at(-1);
    if (last?.role === "tool") return historyCalls(this.task).at(-1)!.requestor === "assistant";
    return last?.role === "user";
  }
}

function historyOf({ initial_state: state }: Tau2Task) {
  return state?.message_history ?? [];
}
