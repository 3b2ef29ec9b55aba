/** Longest text of one value in a message. */
const MAX_TEXT = 1000;
const MAX_ENTRIES = 30;
const MAX_DEPTH = 4;

/** Formats a value for messages and for `console.log`: at most 1,000 characters, and never throws. */
export function inspect(value: unknown): string {
  try {
    return cut(format(value, 0, []));
  } catch {
    return "(a value that cannot be shown)";
  }
}

/** Shortens a text to `length` characters. */
export function cut(text: string, length = MAX_TEXT): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** Describes what was thrown: its message, and the places in the code that it comes from. Never throws. */
export function describeError(error: unknown): string {
  try {
    if (!(error instanceof Error)) return `thrown: ${inspect(error)}`;
    const head = `${cut(String(error.name), 100)}: ${cut(String(error.message))}`;
    const frames = String(error.stack)
      .split("\n")
      .filter((line) => /^\s+at /.test(line) && !/node:internal|\(native\)|<harness>|\/main\.cjs/.test(line))
      .slice(0, 4)
      .map((line) => cut(`    ${line.trim()}`, 200));
    return [head, ...frames].join("\n");
  } catch {
    return "an error that cannot be shown";
  }
}

function format(value: unknown, depth: number, outer: readonly unknown[]): string {
  if (typeof value === "string") return JSON.stringify(cut(value));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[function ${String(value.name)}]`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return String(value);
  if (outer.includes(value)) return "[circular]";
  if (value instanceof Error) return `${String(value.name)}: ${cut(String(value.message), 200)}`;
  if (value instanceof Date) return `Date ${Number.isNaN(value.getTime()) ? "invalid" : value.toISOString()}`;
  if (value instanceof RegExp) return String(value);
  const name = value.constructor?.name ?? "";
  if (depth >= MAX_DEPTH) return `[${name || "object"}]`;
  const inner = [...outer, value];
  const show = (one: unknown) => format(one, depth + 1, inner);
  if (Array.isArray(value)) return `[${listed(value, show, value.length)}]`;
  if (value instanceof Set) return `Set {${listed(value, show, value.size)}}`;
  if (value instanceof Map) return `Map {${listed(value, ([key, one]) => `${show(key)} => ${show(one)}`, value.size)}}`;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const numbers = value as unknown as ArrayLike<unknown>;
    return `${name} [${listed(
      Array.from({ length: Math.min(numbers.length, MAX_ENTRIES) }, (_, i) => numbers[i]),
      show,
      numbers.length,
    )}]`;
  }
  const keys = Object.keys(value);
  const prefix = name && name !== "Object" ? `${name} ` : "";
  return `${prefix}{${listed(keys, (key) => `${key}: ${show((value as Record<string, unknown>)[key])}`, keys.length)}}`;
}

function listed<T>(values: Iterable<T>, show: (value: T) => string, count: number): string {
  const texts: string[] = [];
  for (const value of values) {
    if (texts.length === MAX_ENTRIES) break;
    texts.push(show(value));
  }
  if (count > texts.length) texts.push(`… ${count - texts.length} more`);
  return texts.join(", ");
}
