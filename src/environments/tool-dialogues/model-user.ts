import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, expectArgument, isObjectLike, number, parseOptions, SEED_LIMIT } from "../../base/options.js";
import type { LanguageModel } from "../../language-model.js";
import type { ChatMessage } from "../../text/format-chat.js";
import { parseAssistant } from "../../text/parse-assistant.js";
import { withoutReasoning } from "../../text/without-reasoning.js";
import { malformedCalls } from "../tools.js";
import { toChatMessage } from "./reward.js";
import type { Tau2Task } from "./tau2-tasks.js";
import { type DialogueUser, STOP_MARKS, type UserContext, type UserSource } from "./users.js";

/** Options of {@link modelUser}. Defaults are in parentheses. */
export interface ModelUserOptions {
  /** Maximum number of tokens of a message (1024). */
  maxTokens?: number;
  /** Sampling temperature (0). */
  temperature?: number;
  /** Maximum number of messages with calls of the user's tools, one after the other (10). */
  maxToolTurns?: number;
}

const schema = v.strictObject({
  maxTokens: v.optional(count, 1024),
  temperature: v.optional(
    number("a number of at least 0", (x) => x >= 0),
    0,
  ),
  maxToolTurns: v.optional(count, 10),
});

/** What the assistant would say first, so that the user's model has a message to answer. */
const GREETING = "Good day, how can I help you?";

/**
 * Lets a model play the user. It sees the task's scenario and the conversation with the roles exchanged, and may call the user's tools.
 * Its tokens are context for the assistant's model, which does not learn them.
 *
 * Models make mistakes as users, so an episode with reward 0 may be the user's fault. Use {@link scriptedUser} for training and tests
 * where that matters.
 *
 * @throws {InputError} invalid options. An episode whose user says nothing ends without a reward
 */
export function modelUser(model: LanguageModel, options: ModelUserOptions = {}): UserSource {
  expectArgument("modelUser: model", isObjectLike(model) && typeof model.generate === "function", "a model", model);
  const settings = parseOptions(schema, options, "modelUser");
  return (context) => new ModelUser(model, settings, context);
}

class ModelUser implements DialogueUser {
  private readonly messages: ChatMessage[];
  private requests = 0;
  private calls = 0;

  constructor(
    private readonly model: LanguageModel,
    private readonly settings: v.InferOutput<typeof schema>,
    private readonly context: UserContext,
  ) {
    const { task, tools, history } = context;
    let answered: string | undefined;
    this.messages = [{ role: "system", content: instructionsOf(task, tools.length > 0) }];
    for (const message of history) {
      if (message.role === "tool") this.messages.push(toChatMessage(message, answered));
      else this.messages.push(toChatMessage({ ...message, role: message.role === "user" ? "assistant" : "user" }));
      answered = message.tool_calls?.[0]?.id;
    }
  }

  async reply(message: string | undefined, { signal }: { readonly signal: AbortSignal }): Promise<string> {
    if (message !== undefined) this.messages.push({ role: "user", content: withoutMarks(message) });
    else if (this.messages.at(-1)!.role === "system") this.messages.push({ role: "user", content: GREETING });
    for (let turn = 0; turn <= this.settings.maxToolTurns; turn++) {
      const { content, toolCalls, malformed } = parseAssistant(withoutReasoning("modelUser", await this.generate(signal)));
      const calls = toolCalls.map((call) => ({ ...call, id: `user_call_${this.calls++}` }));
      this.messages.push(toChatMessage({ role: "assistant", content, ...(calls.length > 0 && { tool_calls: calls }) }));
      if (calls.length === 0 && malformed.length === 0) {
        if (content.trim() === "") throw new InputError("modelUser: expected a message of the model, got none");
        return content.trim();
      }
      this.messages.push(...malformedCalls({ text: content, content, toolCalls: calls, malformed }));
      for (const { id, name, arguments: args } of calls) {
        const { text } = await this.context.call({ name, arguments: args }, { signal });
        this.messages.push({ role: "tool", name, tool_call_id: id, content: text });
      }
    }
    throw new InputError(`modelUser: expected a message after at most ${this.settings.maxToolTurns} messages with calls, got more calls`);
  }

  private async generate(signal: AbortSignal): Promise<string> {
    const { maxTokens, temperature } = this.settings;
    const tools = this.context.tools.map(({ name, description, parameters }) => ({
      type: "function",
      function: { name, description, parameters },
    }));
    const seed = (this.context.seed + this.requests++) % SEED_LIMIT;
    const options = { maxTokens, temperature, seed, signal, ...(tools.length > 0 && { tools }) };
    return this.model.generate([...this.messages], options).text();
  }
}

/** The system message of the user's model. */
function instructionsOf({ user_scenario: scenario }: Tau2Task, hasTools: boolean): string {
  const { persona, instructions } = scenario ?? {};
  const fields =
    typeof instructions === "string"
      ? { "What you want": instructions }
      : {
          "Why you write": instructions?.reason_for_call,
          "What you know": instructions?.known_info,
          "What you do not know": instructions?.unknown_info,
          "How you behave": instructions?.task_instructions,
        };
  const lines = Object.entries({ "Who you are": persona, ...fields }).flatMap(([title, text]) => (text ? [`${title}: ${text}`] : []));
  return [
    "You play a customer who writes to a service. The other side is its assistant; never speak for it.",
    "",
    ...lines,
    "",
    "Rules:",
    "- Write one short message at a time, in your own words.",
    "- Give a detail when you are asked for it, and not before.",
    "- Use only what is written here" +
      (hasTools
        ? " and what your tools return. Call a tool when you are asked to do or look up something."
        : ". If you do not know something, say so."),
    `- When you have what you came for, or it was clearly refused, write ${STOP_MARKS.stop}.`,
    `- When you are handed over to a person, write ${STOP_MARKS.transfer}.`,
    `- When nothing here tells you how to go on, write ${STOP_MARKS.outOfScope}.`,
  ].join("\n");
}

/** Removes the marks that end an episode, which only the user may set: a model could repeat them. */
function withoutMarks(message: string): string {
  return Object.values(STOP_MARKS).reduce((text, mark) => text.replaceAll(mark, ""), message);
}
