import { HttpError } from "./http-error.js";

/** What a list or text of a request may have, whatever it is for. */
const MAX_MESSAGES = 2048;
/** Values of JSON in messages and tools together: what a template has to walk through. */
const MAX_JSON_VALUES = 32_768;
const MAX_JSON_DEPTH = 128;
const MAX_STOP_STRINGS = 64;
const MAX_STOP_CHARACTERS = 1024;

/** What the model can take. */
interface ModelLimits {
  /** Tokens of a prompt. */
  readonly context: number;
  readonly vocabSize: number;
}

/**
 * Looks at the sizes of what a request brings, before it is read and anything is made of it: reading costs time for every value, and
 * stop strings for every token.
 *
 * @throws {HttpError} a list or text that is too long
 */
export function checkRequestSizes(body: unknown, { context, vocabSize }: ModelLimits): void {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return;
  const { prompt, stop, stop_token_ids, messages, tools } = body as Record<string, unknown>;
  expectAtMost(MAX_STOP_STRINGS, "stop", "strings", stop);
  for (const one of [stop].flat()) expectAtMost(MAX_STOP_CHARACTERS, "stop", "characters", one, "a string of ");
  expectAtMost(vocabSize, "stop_token_ids", "ids", stop_token_ids);
  const lists = Array.isArray(prompt) && prompt.some(Array.isArray) ? prompt : [prompt];
  for (const ids of lists) if (Array.isArray(ids) && typeof ids[0] === "number") expectAtMost(context, "prompt", "tokens of context", ids);
  expectAtMost(MAX_MESSAGES, "messages", "messages", messages);
  for (const [name, value] of Object.entries({ messages, tools })) if (Array.isArray(value)) checkValues(name, value);
}

function expectAtMost(most: number, name: string, what: string, got: unknown, of = ""): void {
  const { length } = Array.isArray(got) || (typeof got === "string" && of !== "") ? (got as string | unknown[]) : [];
  if (length > most) throw sizeError(`${name}: expected ${of}at most ${most} ${what}, got ${length}`);
}

/** Counts level by level: nothing is as deep as the nesting. */
function checkValues(name: string, root: unknown[]): void {
  let level = root;
  for (let [count, depth] = [level.length, 1]; level.length > 0; depth++) {
    if (depth > MAX_JSON_DEPTH) throw sizeError(`${name}: expected lists and objects at most ${MAX_JSON_DEPTH} deep, got deeper ones`);
    const below: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      const inner = Array.isArray(value) ? value : Object.values(value);
      count += inner.length;
      if (count > MAX_JSON_VALUES) throw sizeError(`${name}: expected at most ${MAX_JSON_VALUES} values of JSON, got more`);
      for (const one of inner) below.push(one);
    }
    level = below;
  }
}

function sizeError(message: string): HttpError {
  return new HttpError(400, "invalid_request", `${message} (a limit of this server)`);
}
