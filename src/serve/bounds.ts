import { Refusal } from "./refusal.js";

/** What a list or text of a request may have, whatever it is for. */
const MOST_MESSAGES = 2048;
/** Values of JSON in messages and tools together: what a template has to walk through. */
const MOST_VALUES = 32_768;
const DEEPEST = 128;
const MOST_STOPS = 64;
const LONGEST_STOP = 1024;

/** What the model can take. */
interface Room {
  /** Tokens of a prompt. */
  readonly context: number;
  readonly vocabSize: number;
}

/**
 * Looks at the sizes of what a request brings, before it is read and anything is made of it: reading costs time for every value, and
 * stop strings for every token.
 *
 * @throws {Refusal} a list or text that is too long
 */
export function checkSizes(body: unknown, { context, vocabSize }: Room): void {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return;
  const { prompt, stop, stop_token_ids, messages, tools } = body as Record<string, unknown>;
  expectAtMost(MOST_STOPS, "stop", "strings", stop);
  for (const one of [stop].flat()) expectAtMost(LONGEST_STOP, "stop", "characters", one, "a string of ");
  expectAtMost(vocabSize, "stop_token_ids", "ids", stop_token_ids);
  const lists = Array.isArray(prompt) && prompt.some(Array.isArray) ? prompt : [prompt];
  for (const ids of lists) if (Array.isArray(ids) && typeof ids[0] === "number") expectAtMost(context, "prompt", "tokens of context", ids);
  expectAtMost(MOST_MESSAGES, "messages", "messages", messages);
  for (const [name, value] of Object.entries({ messages, tools })) if (Array.isArray(value)) checkValues(name, value);
}

function expectAtMost(most: number, name: string, what: string, got: unknown, of = ""): void {
  const { length } = Array.isArray(got) || (typeof got === "string" && of !== "") ? (got as string | unknown[]) : [];
  if (length > most) throw tooMany(`${name}: expected ${of}at most ${most} ${what}, got ${length}`);
}

/** Counts level by level: nothing is as deep as the nesting. */
function checkValues(name: string, root: unknown[]): void {
  let level = root;
  for (let [count, depth] = [level.length, 1]; level.length > 0; depth++) {
    if (depth > DEEPEST) throw tooMany(`${name}: expected lists and objects at most ${DEEPEST} deep, got deeper ones`);
    const below: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      const inner = Array.isArray(value) ? value : Object.values(value);
      count += inner.length;
      if (count > MOST_VALUES) throw tooMany(`${name}: expected at most ${MOST_VALUES} values of JSON, got more`);
      for (const one of inner) below.push(one);
    }
    level = below;
  }
}

function tooMany(message: string): Refusal {
  return new Refusal(400, "invalid_request", `${message} (a limit of this server)`);
}
