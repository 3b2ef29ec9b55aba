import { dialect } from "./dialect.js";

/**
 * Writes rows as CSV: objects with a header of `columns` (by default the keys of the first row), or arrays without one.
 */
export function stringify(rows, { columns, ...options } = {}) {
  const settings = dialect(options);
  const lines = [];
  const names = columns ?? (Array.isArray(rows[0]) ? undefined : Object.keys(rows[0] ?? {}));
  if (names && names.length > 0 && settings.header) lines.push(names);
  for (const row of rows) lines.push(Array.isArray(row) ? row : names.map((name) => row[name]));
  return lines.map((fields) => formatLine(fields, settings) + settings.newline).join("");
}

function formatLine(fields, settings) {
  const texts = fields.map((field) => formatField(field, settings));
  // A line of one empty field would be read as an empty line.
  return texts.length === 1 && texts[0] === "" ? settings.quote.repeat(2) : texts.join(settings.delimiter);
}

function formatField(value, { delimiter, quote }) {
  const text = value === null || value === undefined ? "" : value instanceof Date ? value.toISOString().slice(0, 10) : String(value);
  const needsQuotes = [delimiter, quote, "\n", "\r"].some((special) => text.includes(special)) || text !== text.trim();
  return needsQuotes ? quote + text.replaceAll(quote, quote + quote) + quote : text;
}
