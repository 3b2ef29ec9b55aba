// Formats any value of a caller for a message. These functions never throw.

/** Converts a value to text as a template literal does. Returns its kind if the conversion throws. */
export function printed(value: unknown): string {
  try {
    return `${value}`;
  } catch {
    return typeof value === "symbol" ? value.toString() : kindOf(value);
  }
}

/** Returns the kind of a value: `null`, `array`, `object`, `string`, … */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** Converts a value to JSON. Returns its kind if that fails. */
export function printedJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? printed(value);
  } catch {
    return kindOf(value);
  }
}
