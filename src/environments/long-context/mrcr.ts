// The data set openai/mrcr (https://huggingface.co/datasets/openai/mrcr): its rows and its score.

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, index } from "../../base/options.js";
import type { ChatMessage } from "../../text/format-chat.js";
import { withoutReasoning } from "../../text/without-reasoning.js";
import { anyText, checkRow, nonEmptyText, parseRows } from "./rows.js";
import { sequenceRatio } from "./sequence-ratio.js";
import { singleTurn } from "./single-turn.js";

/** A row of openai/mrcr: a long conversation, and which answer in it is to be repeated. */
export interface MrcrRow {
  /** The messages as a JSON string. The last one asks for an earlier answer. */
  readonly prompt: string;
  /** The right response: the random string and the earlier answer. */
  readonly answer: string;
  /** What the response has to begin with. */
  readonly random_string_to_prepend: string;
  /** Number of equal requests in the conversation. */
  readonly n_needles: number;
  /** Index of the request whose answer is to be repeated. */
  readonly desired_msg_index: number;
  /** Number of messages. */
  readonly total_messages: number;
  /** Number of characters of all messages. */
  readonly n_chars: number;
}

const schema = v.looseObject({
  prompt: nonEmptyText,
  answer: anyText,
  random_string_to_prepend: nonEmptyText,
  n_needles: count,
  desired_msg_index: index,
  total_messages: count,
  n_chars: index,
});

const scoredSchema = v.pick(schema, ["answer", "random_string_to_prepend"]);

const messagesSchema = v.pipe(
  v.array(v.looseObject({ role: v.picklist(["system", "user", "assistant"], "system, user or assistant"), content: anyText })),
  v.minLength(1, "at least one message"),
);

/**
 * Reads rows of openai/mrcr from JSON Lines or from a JSON array. The published files are Parquet: convert them first, for example with
 * pandas.
 *
 * @param where name of the file in messages
 * @throws {InputError} a row that is not valid, with its line and field
 */
export function parseMrcr(text: string, where = "mrcr"): MrcrRow[] {
  return parseRows(schema, text, where, checkMrcr);
}

function checkMrcr(row: MrcrRow, place: string): void {
  mrcrMessages(row, place);
  if (!row.answer.startsWith(row.random_string_to_prepend)) {
    const got = JSON.stringify(row.answer.slice(0, row.random_string_to_prepend.length));
    throw new InputError(`${place}: answer: expected a text that begins with random_string_to_prepend, got ${got}`);
  }
}

/** Returns the messages of a row. @throws {InputError} a prompt that is not the JSON of messages */
function mrcrMessages({ prompt }: MrcrRow, place: string): ChatMessage[] {
  let messages: unknown;
  try {
    messages = JSON.parse(prompt);
  } catch (cause) {
    throw new InputError(`${place}: prompt: expected a JSON string of messages, got ${JSON.stringify(prompt.slice(0, 60))}`, { cause });
  }
  const result = v.safeParse(messagesSchema, messages);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const expected = issue.message.startsWith("Invalid") ? "messages { role, content }" : issue.message;
  throw new InputError(`${place}: prompt: ${v.getDotPath(issue) ?? "messages"}: expected ${expected}, got ${issue.received}`);
}

/**
 * Judges a response as the published score does: 0 unless the response begins with the random string. Otherwise the similarity of response
 * and answer without that string, {@link sequenceRatio}(response, answer). Before, reasoning up to the last `</think>` is cut off, with the
 * white space after it.
 *
 * @throws {InputError} a row without these fields, or a response that is not a string
 */
export function scoreMrcr(row: Pick<MrcrRow, "answer" | "random_string_to_prepend">, response: string): number {
  const { answer, random_string_to_prepend: begin } = checkRow(scoredSchema, row, "scoreMrcr: row");
  const given = withoutReasoning("scoreMrcr", response);
  if (!given.startsWith(begin)) return 0;
  return sequenceRatio(given.slice(begin.length), answer.startsWith(begin) ? answer.slice(begin.length) : answer);
}

/** The task of openai/mrcr: repeat the n-th answer to one of several equal requests. */
export const mrcr = singleTurn<MrcrRow>({
  name: "mrcr",
  messages(row) {
    checkRow(schema, row, "mrcr: row");
    checkMrcr(row, "mrcr: row");
    return mrcrMessages(row, "mrcr: row");
  },
  score: scoreMrcr,
});
