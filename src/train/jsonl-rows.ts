// Parses JSONL rows as conversations or plain texts, before any tokenization.

import { CheckpointError, InputError } from "../base/errors.js";
import { isObject, parseJson } from "../base/json.js";
import { expectArgument } from "../base/options.js";
import type { ChatMessage, Tool } from "../text/format-chat.js";

/** A message of a conversation. An assistant's message with weight 0 is context and not a target. */
export type LearnedMessage = ChatMessage & { readonly weight?: 0 | 1 | null };

/** The content of a row: a text or a conversation. */
export type RowContent = { readonly text: string } | { readonly messages: readonly LearnedMessage[]; readonly tools?: readonly Tool[] };

/** A row and its position for error messages, such as "data.jsonl: line 3". */
export interface Row {
  readonly where: string;
  readonly content: RowContent;
}

const [PROMPT_KEYS, ANSWER_KEYS] = [
  ["prompt", "question"],
  ["answer", "completion", "response"],
] as const;
/** All known keys of a row. */
const KNOWN_KEYS: ReadonlySet<string> = new Set([...PROMPT_KEYS, ...ANSWER_KEYS, "system", "messages", "tools", "text"]);
const ROW_FORMS = '{"prompt": …, "answer": …}, {"messages": [ … ]} or {"text": …}';

/**
 * Parses JSONL: one JSON object per line. Blank lines are skipped.
 *
 * A row is one of
 *
 *     {"prompt": "…", "answer": "…"}    a question (or `question`) and its answer (or `completion`, `response`), optionally `system`;
 *                                       if both are lists of messages, together they form a conversation
 *     {"messages": [ … ], "tools": [ … ]}  a conversation as `formatChat` takes it
 *     {"text": "…"}                     a text
 *
 * @param where name of the file, for messages
 * @param onWarning called once if there are unknown keys
 * @throws {InputError} an invalid line; the message has its number
 */
export function* parseRows(text: string, where: string, onWarning?: (message: string) => void): Generator<Row> {
  expectArgument("parseRows: where", typeof where === "string", "a string", where);
  if (typeof text !== "string")
    throw new InputError(`${where}: expected the text of a JSONL file, got ${text === null ? "null" : typeof text}`);
  const ignored = new Set<string>();
  let number = 0;
  for (let begin = 0; begin <= text.length; ) {
    const newline = text.indexOf("\n", begin);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(begin, end);
    begin = end + 1;
    number++;
    if (line.trim() === "") continue;
    const row = parseLine(line, number, where);
    for (const key of Object.keys(row)) if (!KNOWN_KEYS.has(key)) ignored.add(key);
    const at = `${where}: line ${number}`;
    yield { where: at, content: parseContent(row, at) };
  }
  if (ignored.size > 0) {
    const keys = [...ignored].slice(0, 10).map((key) => JSON.stringify(key));
    onWarning?.(`${where}: unknown keys, ignored: ${keys.join(", ")}${ignored.size > 10 ? ", …" : ""}`);
  }
}

function parseLine(line: string, number: number, where: string): { readonly [key: string]: unknown } {
  let row: unknown;
  try {
    row = parseJson(line, where);
  } catch (cause) {
    if (!(cause instanceof CheckpointError)) throw cause;
    if (number === 1 && line.trimStart().startsWith("[")) throwArrayError(where);
    throw new InputError(
      cause.message.replace(`${where}: line 1,`, () => `${where}: line ${number},`),
      { cause },
    );
  }
  if (Array.isArray(row)) throwArrayError(`${where}: line ${number}`);
  if (!isObject(row)) throw new InputError(`${where}: line ${number}: expected an object, ${ROW_FORMS}, got ${excerpt(row)}`);
  return row;
}

function throwArrayError(where: string): never {
  throw new InputError(`${where}: expected one JSON object per line (JSONL), got a JSON array. jq -c '.[]' writes its items line by line.`);
}

function parseContent(row: { readonly [key: string]: unknown }, where: string): RowContent {
  const given = (keys: readonly string[]) => keys.filter((key) => Object.hasOwn(row, key));
  const [prompts, answers, whole] = [given(PROMPT_KEYS), given(ANSWER_KEYS), given(["messages", "text"])];
  const forms = [...whole, ...(prompts.length + answers.length > 0 ? [[...prompts, ...answers].join(" and ")] : [])];
  if (forms.length !== 1) throw new InputError(`${where}: expected one of ${ROW_FORMS}, got ${forms.join(" with ") || describeKeys(row)}`);
  if (prompts.length > 1 || answers.length > 1) {
    throw new InputError(`${where}: expected one prompt and one answer, got ${[...prompts, ...answers].join(" and ")}`);
  }
  const tools = row.tools === undefined || row.tools === null ? {} : { tools: row.tools as readonly Tool[] };
  if (whole[0] === "text") return { text: parseText(row, "text", where) };
  if (whole[0] === "messages") return { messages: parseMessages(row.messages, `${where}: messages`), ...tools };
  const [prompt, answer] = [prompts[0], answers[0]];
  if (prompt === undefined) throw new InputError(`${where}: expected ${PROMPT_KEYS.join(" or ")} in a row with ${answer}, got neither`);
  if (answer === undefined)
    throw new InputError(`${where}: expected one of ${ANSWER_KEYS.join(", ")} in a row with ${prompt}, got none of them`);
  const system: ChatMessage[] =
    row.system === undefined || row.system === null ? [] : [{ role: "system", content: parseText(row, "system", where) }];
  if (Array.isArray(row[prompt]) && Array.isArray(row[answer])) {
    // In a conversation that is given in two parts, only the second part has targets.
    const read = parseMessages(row[prompt], `${where}: ${prompt}`).map((message): LearnedMessage => ({ ...message, weight: 0 }));
    return { messages: [...system, ...read, ...parseMessages(row[answer], `${where}: ${answer}`)], ...tools };
  }
  const messages: ChatMessage[] = [
    { role: "user", content: parseText(row, prompt, where) },
    { role: "assistant", content: parseText(row, answer, where) },
  ];
  return { messages: [...system, ...messages], ...tools };
}

function parseMessages(value: unknown, where: string): readonly LearnedMessage[] {
  if (!Array.isArray(value) || value.length === 0) throw new InputError(`${where}: expected a list of messages, got ${excerpt(value)}`);
  for (const [i, message] of value.entries()) {
    const weight: unknown = isObject(message) ? message.weight : undefined;
    if (weight !== undefined && weight !== null && weight !== 0 && weight !== 1) {
      throw new InputError(`${where}[${i}].weight: expected 0 or 1, got ${excerpt(weight)}`);
    }
  }
  return value as readonly LearnedMessage[];
}

function parseText(row: { readonly [key: string]: unknown }, key: string, where: string): string {
  const value = row[key];
  if (typeof value !== "string") throw new InputError(`${where}: ${key}: expected a text, got ${excerpt(value)}`);
  if (value === "") throw new InputError(`${where}: ${key}: expected a text of one or more characters, got an empty text`);
  return value;
}

function describeKeys(row: { readonly [key: string]: unknown }): string {
  const keys = Object.keys(row);
  return keys.length === 0
    ? "an empty object"
    : `the keys ${keys
        .slice(0, 8)
        .map((key) => JSON.stringify(key))
        .join(", ")}`;
}

function excerpt(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
