import type { ChatMessage } from "../../text/format-chat.js";
import type { Environment } from "../environment.js";

/** A task that the model answers once. */
interface SingleTurnTask<Row extends object> {
  readonly name: string;
  /** Creates the first messages. @throws {InputError} a row that is not a task of this kind */
  messages(row: Row): readonly ChatMessage[];
  /** Judges the whole text of the answer, which may contain reasoning. */
  score(row: Row, response: string): number;
}

/**
 * Creates an environment of one turn with one reward, `score`. It is 0 for an answer that a limit cut off.
 */
export function singleTurn<Row extends object>({ name, messages, score }: SingleTurnTask<Row>): Environment<Row> {
  return {
    name,
    start(row) {
      let response: string | undefined;
      return {
        messages: messages(row),
        step({ text }) {
          response = text;
          return { messages: [], terminated: true };
        },
        score: () => ({ rewards: { score: response === undefined ? 0 : score(row, response) } }),
      };
    },
  };
}

/** Creates a conversation of one message of the user. */
export function userMessage(content: string): readonly ChatMessage[] {
  return [{ role: "user", content }];
}
