// Users of a dialogue. A user is a script or a model.

import { expectArgument } from "../../base/options.js";
import type { ToolCall } from "../../text/format-chat.js";
import type { ToolDefinition } from "../environment.js";
import type { CallResult } from "./domain.js";
import type { DialogueMessage } from "./reward.js";
import type { Tau2Task } from "./tau2-tasks.js";
import { applies, type UserRule, type UserScript } from "./user-script.js";

/** A user in one episode. */
export interface DialogueUser {
  /**
   * Returns the user's next message. With one of the marks of {@link STOP_MARKS}, the episode ends.
   *
   * @param message what the assistant said. Undefined if the user speaks first
   */
  reply(message: string | undefined, options: { readonly signal: AbortSignal }): string | Promise<string>;
}

/** What a user knows of its episode. */
export interface UserContext {
  readonly task: Tau2Task;
  readonly seed: number;
  /** The user's tools. */
  readonly tools: readonly ToolDefinition[];
  /** The conversation so far, as the user sees it: without the assistant's calls. */
  readonly history: readonly DialogueMessage[];
  /** Calls one of the user's tools. */
  call(call: ToolCall, options: { readonly signal: AbortSignal }): Promise<CallResult>;
}

/** Creates the user of an episode. */
export type UserSource = (context: UserContext) => DialogueUser;

/** What a user says to end an episode, as in tau2-bench: it is satisfied, was handed over, or has nothing to go on with. */
export const STOP_MARKS = { stop: "###STOP###", transfer: "###TRANSFER###", outOfScope: "###OUT-OF-SCOPE###" } as const;

/** What a trace keeps of a user's calls: a list for each of the user's messages. */
export interface DialogueInfo {
  readonly user_calls: readonly (readonly ToolCall[])[];
}

const DEFAULT_PATIENCE = 3;
const DEFAULT_OTHERWISE = "I do not know.";

/**
 * Creates users that follow scripts, so that equal messages get equal answers.
 *
 * 1. The user says everything new in the rules that apply to a message.
 * 2. If there is nothing new, it follows the first rule with `stop` that applies: it says the rule's texts one after the other, and leaves
 *    with the last.
 * 3. If there is none, it repeats what it said to such messages, or says `otherwise`. After `patience` such messages in a row it leaves.
 *
 * @param scriptOf returns the script of a task (its field `user_script`). A task without a script gets a simple user, which says the
 *   request, answers questions with what it knows, and leaves at the first message without a question
 */
export function scriptedUser(scriptOf: (task: Tau2Task) => UserScript | null | undefined = ({ user_script }) => user_script): UserSource {
  expectArgument("scriptedUser: scriptOf", typeof scriptOf === "function", "a function", scriptOf);
  return (context) => {
    const script = scriptOf(context.task);
    return script ? new ScriptedUser(script, context) : new PlainUser(context.task);
  };
}

class ScriptedUser implements DialogueUser {
  private readonly used = new Map<UserRule, number>();
  private fruitless = 0;

  constructor(
    private readonly script: UserScript,
    private readonly context: UserContext,
  ) {}

  async reply(message: string | undefined, options: { readonly signal: AbortSignal }): Promise<string> {
    const { opening, rules = [], otherwise = DEFAULT_OTHERWISE, patience = DEFAULT_PATIENCE } = this.script;
    if (message === undefined) return opening;
    const matching = rules.filter(({ when }) => applies(when, message));
    const answers = matching.filter(({ stop }) => !stop);
    const news = answers.filter((rule) => this.uses(rule) < [rule.say].flat().length);
    const stop = matching.find((rule) => rule.stop);
    if (news.length > 0) return this.sayNew(news, options);
    if (stop) {
      const isLast = this.uses(stop) + 1 >= [stop.say].flat().length;
      const text = await this.sayNew([stop], options);
      return isLast ? `${text} ${STOP_MARKS.stop}` : text;
    }
    if (++this.fruitless >= patience) return `This leads nowhere. ${STOP_MARKS.stop}`;
    return answers.length > 0 ? this.say(answers, options) : otherwise;
  }

  /** Says something new. */
  private sayNew(rules: readonly UserRule[], options: { readonly signal: AbortSignal }): Promise<string> {
    this.fruitless = 0;
    return this.say(rules, options);
  }

  private async say(rules: readonly UserRule[], { signal }: { readonly signal: AbortSignal }): Promise<string> {
    const texts: string[] = [];
    for (const rule of rules) {
      const list = [rule.say].flat();
      const text = list[Math.min(this.uses(rule), list.length - 1)]!;
      this.used.set(rule, this.uses(rule) + 1);
      const { name, arguments: args = {} } = rule.call ?? {};
      const result = name === undefined ? "" : (await this.context.call({ name, arguments: args }, { signal })).text;
      texts.push(text.replaceAll("{result}", () => result));
    }
    return texts.join(" ");
  }

  private uses(rule: UserRule): number {
    return this.used.get(rule) ?? 0;
  }
}

/** The user of a task without a script. */
class PlainUser implements DialogueUser {
  private questions = 0;

  constructor(private readonly task: Tau2Task) {}

  reply(message: string | undefined): string {
    const instructions = this.task.user_scenario?.instructions;
    const { reason_for_call: reason, known_info: known } = typeof instructions === "object" ? (instructions ?? {}) : {};
    if (message === undefined) return reason ?? this.task.ticket ?? (typeof instructions === "string" ? instructions : "Hello.");
    if (!message.includes("?") || ++this.questions > DEFAULT_PATIENCE) return `Thank you. ${STOP_MARKS.stop}`;
    return known ?? DEFAULT_OTHERWISE;
  }
}
