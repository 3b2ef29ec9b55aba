import { contextLengthExceeded, HttpError } from "./http-error.js";

const MAX_MESSAGES = 2048;
/** Maximum number of JSON values in `messages`, and in `tools`. A template visits all of them. */
const MAX_JSON_VALUES = 32_768;
const MAX_JSON_DEPTH = 128;
const MAX_STOP_STRINGS = 64;
const MAX_STOP_CHARACTERS = 1024;

interface ModelLimits {
  /** Maximum number of tokens of the model's context. */
  readonly context: number;
  readonly vocabSize: number;
}

/**
 * Checks the sizes of a request's lists and texts before the request is parsed. Parsing takes time for every value, and stop strings take
 * time for every generated token.
 *
 * @throws {HttpError} a list or text that is too long
 */
export function checkRequestSizes(body: unknown, { context, vocabSize }: ModelLimits): void {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return;
  const { prompt, stop, stop_token_ids, messages, tools } = body as Record<string, unknown>;
  expectAtMost(MAX_STOP_STRINGS, "stop", "strings", itemsOf(stop));
  for (const one of [stop].flat()) if (typeof one === "string") expectAtMost(MAX_STOP_CHARACTERS, "stop", "characters per string", one);
  expectAtMost(vocabSize, "stop_token_ids", "ids", itemsOf(stop_token_ids));
  const lists = Array.isArray(prompt) && prompt.some(Array.isArray) ? prompt : [prompt];
  for (const ids of lists) {
    if (Array.isArray(ids) && typeof ids[0] === "number" && ids.length > context) throw contextLengthExceeded(context, `${ids.length}`);
  }
  expectAtMost(MAX_MESSAGES, "messages", "messages", itemsOf(messages));
  for (const [name, value] of Object.entries({ messages, tools })) if (Array.isArray(value)) checkValues(name, value);
}

/** Returns the items of an array. For any other value, returns no items; the parser refuses such values later. */
function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function expectAtMost(most: number, name: string, unit: string, { length }: { readonly length: number }): void {
  if (length > most) throw sizeError(`${name}: this server accepts at most ${most} ${unit}, got ${length}`);
}

/** Counts values. It works level by level instead of recursively, so that deeply nested JSON cannot exhaust the stack. */
function checkValues(name: string, root: unknown[]): void {
  let level = root;
  for (let [count, depth] = [level.length, 1]; level.length > 0; depth++) {
    if (depth > MAX_JSON_DEPTH) throw sizeError(`${name}: this server accepts lists and objects nested at most ${MAX_JSON_DEPTH} deep`);
    const below: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      const inner = Array.isArray(value) ? value : Object.values(value);
      count += inner.length;
      if (count > MAX_JSON_VALUES) throw sizeError(`${name}: this server accepts at most ${MAX_JSON_VALUES} JSON values`);
      for (const one of inner) below.push(one);
    }
    level = below;
  }
}

function sizeError(message: string): HttpError {
  return new HttpError(400, "invalid_request", message);
}
