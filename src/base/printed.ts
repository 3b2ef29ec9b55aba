// Values that callers give, in messages. Printing one must not fail, whatever it is.

/** Any value as text, for messages: as a template would have it, and a word for its kind if that throws, which symbols and some objects do. */
export function printed(value: unknown): string {
  try {
    return `${value}`;
  } catch {
    return typeof value === "symbol" ? value.toString() : kindOf(value);
  }
}

/** The kind of a value, for messages: `null`, `array`, `object`, `string`, … */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** A value as JSON, for messages, and its kind if JSON cannot hold it. */
export function printedJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? printed(value);
  } catch {
    return kindOf(value);
  }
}
