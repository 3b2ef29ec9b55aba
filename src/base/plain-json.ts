import { InputError } from "./errors.js";
import { isObject } from "./json.js";
import { expectArgument } from "./options.js";

/** Copies an object through JSON. @throws {InputError} another value, or one that JSON cannot represent */
export function plainJson(value: unknown, where: string): Record<string, unknown> {
  const copy: unknown = JSON.parse(jsonText(value, where));
  expectArgument(where, isObject(copy), "an object of plain JSON", value);
  return copy as Record<string, unknown>;
}

/** Converts a value to JSON. @throws {InputError} a value that JSON cannot represent */
export function jsonText(value: unknown, where: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new InputError(`${where}: expected plain JSON, got a value that JSON cannot represent (${(cause as Error).message})`, { cause });
  }
  if (text === undefined) throw new InputError(`${where}: expected plain JSON, got ${typeof value}`);
  return text;
}
