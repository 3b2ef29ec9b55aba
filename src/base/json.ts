import { CheckpointError } from "./errors.js";

/** Maximum nesting depth. Deeper nesting is an error, so that a damaged file cannot exhaust the stack. */
const MAX_DEPTH = 100;

/** Decodes and parses UTF-8 JSON; see {@link parseJson}. */
export function decodeJson(bytes: Uint8Array, where: string, options?: JsonOptions): unknown {
  return parseJson(decodeText(bytes, where), where, options);
}

/** Decodes UTF-8 text. @throws {CheckpointError} bytes that are not UTF-8 */
export function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new CheckpointError(`${where}: expected UTF-8 text, got other bytes. The file may be damaged.`);
  }
}

export interface JsonOptions {
  /** Accepts `NaN`, `Infinity` and `-Infinity`, which Python's `json` module writes into configurations. */
  readonly nonFinite?: boolean;
}

const CONSTANTS = { true: true, false: false, null: null };
const NON_FINITE = { NaN, Infinity, "-Infinity": -Infinity };

/**
 * Parses strict JSON. In contrast to `JSON.parse`, which keeps the last value of a duplicate key, it refuses duplicate keys.
 *
 * @throws {CheckpointError} invalid JSON; the message gives line and column
 */
export function parseJson(text: string, where: string, { nonFinite = false }: JsonOptions = {}): unknown {
  const constants = Object.entries(nonFinite ? { ...CONSTANTS, ...NON_FINITE } : CONSTANTS);
  let at = 0;

  function fail(expected: string): never {
    const line = text.slice(0, at).split("\n");
    const got = at < text.length ? JSON.stringify(text.slice(at, at + 12)) : "the end of the file";
    throw new CheckpointError(
      `${where}: line ${line.length}, column ${line.at(-1)!.length + 1}: expected ${expected}, got ${got}. The file may be damaged.`,
    );
  }

  function space(): void {
    while (" \t\n\r".includes(text[at] ?? "x")) at++;
  }

  function skip(character: string): boolean {
    space();
    if (text[at] !== character) return false;
    at++;
    return true;
  }

  function string(): string {
    const begin = at++;
    let escaped = false;
    for (; text[at] !== '"'; at++) {
      if (at >= text.length || text.charCodeAt(at) < 0x20) fail("the end of a string");
      if (text[at] !== "\\") continue;
      escaped = true;
      at++;
      if (!(text[at] === "u" ? /^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5)) : '"\\/bfnrt'.includes(text[at] ?? "x")))
        fail("an escape");
    }
    at++;
    return escaped ? (JSON.parse(text.slice(begin, at)) as string) : text.slice(begin + 1, at - 1);
  }

  function number(): number {
    const begin = at;
    while ("+-.eE0123456789".includes(text[at] ?? "x")) at++;
    const digits = text.slice(begin, at);
    if (digits.length < 400 && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(digits)) return Number(digits);
    at = begin;
    fail("a value");
  }

  function object(depth: number): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    at++;
    if (skip("}")) return {};
    do {
      space();
      if (text[at] !== '"') fail("a key");
      const begin = at;
      const key = string();
      if (entries.has(key)) {
        at = begin;
        fail("every key once");
      }
      if (!skip(":")) fail('":"');
      entries.set(key, value(depth));
    } while (skip(","));
    if (!skip("}")) fail('"," or "}"');
    return Object.fromEntries(entries);
  }

  function array(depth: number): unknown[] {
    const items: unknown[] = [];
    at++;
    if (skip("]")) return items;
    do items.push(value(depth));
    while (skip(","));
    if (!skip("]")) fail('"," or "]"');
    return items;
  }

  function value(depth: number): unknown {
    space();
    if (depth > MAX_DEPTH) fail(`at most ${MAX_DEPTH} levels`);
    if (text[at] === "{") return object(depth + 1);
    if (text[at] === "[") return array(depth + 1);
    if (text[at] === '"') return string();
    for (const [word, constant] of constants) {
      if (!text.startsWith(word, at)) continue;
      at += word.length;
      return constant;
    }
    return number();
  }

  const result = value(0);
  space();
  if (at < text.length) fail("nothing more");
  return result;
}

/** Whether a parsed value is an object, neither null nor an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
