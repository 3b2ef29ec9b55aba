import {
  type DialogueDomain,
  type DialogueOptions,
  dialogueEnvironment,
  playEpisode,
  type Tau2Task,
  type Trace,
} from "../../../src/environments/index.js";
import { call, scriptedModel } from "../../support/scripted-model.js";

/** A turn of an assistant: a message to the user, or a call. */
export type AssistantTurn = string | { readonly name: string; readonly arguments?: object };

/** Plays an episode with an assistant that takes given turns, and repeats the last one. */
export function playTurns<Database extends object, UserDatabase extends object>(
  domain: DialogueDomain<Database, UserDatabase>,
  task: Tau2Task,
  turns: readonly AssistantTurn[],
  options: DialogueOptions & { readonly maxTurns?: number } = {},
): Promise<Trace> {
  const { maxTurns = 40, ...rest } = options;
  // Turns of `message_history` do not count.
  const before = task.initial_state?.message_history?.filter(({ role }) => role === "assistant").length ?? 0;
  const model = scriptedModel((_, turn) => {
    const said = turns[Math.min(turn - before, turns.length - 1)] ?? "";
    return typeof said === "string" ? said : call(said.name, said.arguments ?? {});
  });
  return playEpisode(model, dialogueEnvironment(domain, rest), task, { seed: 1, maxTurns, maxTokens: 100_000 });
}

/** The gold calls of the assistant, as turns. */
export function goldTurns({ evaluation_criteria: criteria }: Tau2Task): AssistantTurn[] {
  return (criteria?.actions ?? [])
    .filter(({ requestor }) => requestor !== "user")
    .map(({ name, arguments: args }) => ({ name, arguments: args ?? {} }));
}
