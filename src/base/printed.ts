// Formats any value that a caller passed for use in a message, without ever throwing.

/** A value as text: as in a template literal, or its kind if the conversion throws, as for some objects. */
export function printed(value: unknown): string {
  try {
    return `${value}`;
  } catch {
    return typeof value === "symbol" ? value.toString() : kindOf(value);
  }
}

/** The kind of a value: `null`, `array`, `object`, `string`, … */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** A value as JSON, or its kind if it cannot be converted. */
export function printedJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? printed(value);
  } catch {
    return kindOf(value);
  }
}
